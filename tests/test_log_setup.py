"""Logging as options set it up: levels, handlers, files; compared with Tornado's."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler, TimedRotatingFileHandler
from pathlib import Path
from typing import Any

import pytest

from tests.loops import run_program
from wsgitornado import log as ours
from wsgitornado import options as our_options
from wsgitornado.log import LogFormatter, enable_pretty_logging
from wsgitornado.options import OptionParser


@contextlib.contextmanager
def new_logger(*handlers: logging.Handler) -> Iterator[logging.Logger]:
    """A logger that nothing knows, whose files are closed at the end."""
    logger = logging.Logger("program")
    for handler in handlers:
        logger.addHandler(handler)
    yield logger
    for handler in logger.handlers:
        handler.close()


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    with new_logger() as logger:
        yield logger


def logging_options(**values: Any) -> OptionParser:
    parser = OptionParser()
    ours.define_logging_options(parser)
    for name, value in values.items():
        setattr(parser, name, value)
    return parser


def facts(handler: logging.Handler) -> dict[str, Any]:
    """What a handler is, and what matters of how it was made."""
    names = ("baseFilename", "maxBytes", "backupCount", "encoding", "when", "interval")
    found = {name: vars(handler)[name] for name in names if name in vars(handler)}
    form = handler.formatter
    return {
        **found,
        "kind": type(handler).__name__,
        "format": form and (type(form).__name__, form._fmt, form.datefmt),
    }


# Beside Tornado


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"logging": "none"},
        {"logging": "None"},
        {"logging": None},
        {"logging": "debug"},
        {"logging": "WARNING"},
        {"logging": "warn"},
        {"log_to_stderr": True},
        {"log_to_stderr": False},
        {"log_file_prefix": "a.log"},
        {"log_file_prefix": "a.log", "log_to_stderr": True},
        {
            "log_file_prefix": "a.log",
            "log_file_max_size": 5,
            "log_file_num_backups": 2,
        },
        {"log_file_prefix": "a.log", "log_rotate_mode": "time"},
        {
            "log_file_prefix": "a.log",
            "log_rotate_mode": "time",
            "log_rotate_when": "S",
            "log_rotate_interval": 5,
        },
    ],
    ids=lambda values: " ".join(f"{key}={value}" for key, value in values.items()),
)
@pytest.mark.parametrize("has_handler", [False, True], ids=["", "with a handler"])
def test_options_set_up_what_they_set_up_on_tornado(
    values: dict[str, Any],
    has_handler: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tornado_log = pytest.importorskip("tornado.log")
    tornado_options = pytest.importorskip("tornado.options")
    monkeypatch.chdir(tmp_path)
    answers = []
    for log, options in ((ours, our_options), (tornado_log, tornado_options)):
        handlers = [logging.NullHandler()] if has_handler else []
        with new_logger(*handlers) as logger:
            parser = options.OptionParser()
            log.define_logging_options(parser)
            for name, value in values.items():
                setattr(parser, name, value)
            log.enable_pretty_logging(parser, logger)
            answers.append((logger.level, [facts(h) for h in logger.handlers]))
    assert answers[0] == answers[1]


def test_logging_options_are_those_of_tornado() -> None:
    tornado_options = pytest.importorskip("tornado.options")
    expected = {
        option.name: (option.type, option.default, option.metavar, option.multiple)
        for option in tornado_options.options._options.values()
        if option.name.startswith("log")
    }
    assert {
        option.name: (option.type, option.default, option.metavar, option.multiple)
        for option in logging_options()._options.values()
        if option.name != "help"
    } == expected


# What is ours


@pytest.mark.parametrize("name", ["loud", "", "10", "basic_format"])
def test_unknown_level_is_told_and_nothing_is_set_up(
    name: str, logger: logging.Logger
) -> None:
    with pytest.raises(ValueError, match=r"must be debug, .* or none, not '"):
        enable_pretty_logging(logging_options(logging=name), logger)
    assert (logger.level, logger.handlers) == (logging.NOTSET, [])


def test_unknown_way_to_rotate_is_told(tmp_path: Path, logger: logging.Logger) -> None:
    options = logging_options(
        log_file_prefix=str(tmp_path / "a.log"), log_rotate_mode="weekly"
    )
    with pytest.raises(ValueError, match='must be "size" or "time", not \'weekly\''):
        enable_pretty_logging(options, logger)
    assert logger.handlers == []


def test_options_that_change_replace_what_was_set_up(
    tmp_path: Path, logger: logging.Logger
) -> None:
    own = logging.NullHandler()
    logger.addHandler(own)
    options = logging_options(log_to_stderr=True)
    enable_pretty_logging(options, logger)
    options.log_to_stderr = None
    options.log_file_prefix = str(tmp_path / "a.log")
    enable_pretty_logging(options, logger)
    first = logger.handlers[-1]
    enable_pretty_logging(options, logger)
    kept, second = logger.handlers
    assert kept is own
    assert isinstance(second, RotatingFileHandler)
    assert second is not first
    logger.warning("once")
    assert len((tmp_path / "a.log").read_text().splitlines()) == 1


def test_other_options_add_to_what_was_set_up(
    tmp_path: Path, logger: logging.Logger
) -> None:
    for name in ("a.log", "b.log"):
        options = logging_options(log_file_prefix=str(tmp_path / name))
        enable_pretty_logging(options, logger)
    logger.warning("twice")
    assert "twice" in (tmp_path / "a.log").read_text()
    assert "twice" in (tmp_path / "b.log").read_text()


def test_files_keep_text_without_colours_and_begin_anew(
    tmp_path: Path, logger: logging.Logger
) -> None:
    path = tmp_path / "a.log"
    options = logging_options(log_file_prefix=str(path), log_file_max_size=80)
    enable_pretty_logging(options, logger)
    logger.warning("é" * 10)
    logger.warning("x" * 60)
    assert "é" * 10 in (tmp_path / "a.log.1").read_text(encoding="utf-8")
    assert "x" * 60 in path.read_text()
    assert "\x1b" not in path.read_text()


def test_files_may_begin_by_time(tmp_path: Path, logger: logging.Logger) -> None:
    options = logging_options(
        log_file_prefix=str(tmp_path / "a.log"), log_rotate_mode="time"
    )
    enable_pretty_logging(options, logger)
    (handler,) = logger.handlers
    assert isinstance(handler, TimedRotatingFileHandler)
    assert isinstance(handler.formatter, LogFormatter)


def test_any_object_with_the_attributes_is_enough(logger: logging.Logger) -> None:
    class Options:
        logging = "error"
        log_file_prefix = None
        log_to_stderr = False

    enable_pretty_logging(Options, logger)
    assert (logger.level, logger.handlers) == (logging.ERROR, [])


def test_what_is_not_said_is_that_of_the_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = logging.getLogger()
    before = list(root.handlers)
    monkeypatch.setattr(root, "level", root.level)
    monkeypatch.setattr(
        ours, "program_options", logging_options(logging="error", log_to_stderr=False)
    )
    enable_pretty_logging()
    assert (root.level, root.handlers) == (logging.ERROR, before)


def test_options_of_the_program_are_those_of_its_module() -> None:
    assert ours.program_options is our_options.options


def test_definitions_come_once() -> None:
    with pytest.raises(our_options.Error, match="'logging' already defined in"):
        ours.define_logging_options(logging_options())


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        pytest.param(
            """
            from wsgitornado.log import enable_pretty_logging, gen_log
            enable_pretty_logging()
            gen_log.info("hello")
            """,
            "[I ",
            id="without options",
        ),
        pytest.param(
            """
            import logging
            from wsgitornado.log import enable_pretty_logging, gen_log
            from wsgitornado.options import options
            options.logging = "warning"
            enable_pretty_logging()
            gen_log.info("not this")
            gen_log.warning("hello")
            """,
            "[W ",
            id="with those of the program",
        ),
        pytest.param(
            """
            from wsgitornado.log import gen_log
            from wsgitornado.options import parse_command_line
            gen_log.info("not yet")
            parse_command_line(["prog", "--logging=debug"])
            gen_log.debug("hello")
            """,
            "[D ",
            id="by the command line",
        ),
    ],
)
def test_program_logs_to_its_standard_error(program: str, expected: str) -> None:
    done = run_program(program)
    assert (done.returncode, done.stdout) == (0, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(expected)
    assert line.endswith("] hello")


def test_program_may_leave_logging_alone() -> None:
    done = run_program(
        """
        import logging
        from wsgitornado.options import parse_command_line
        parse_command_line(["prog", "--logging=none"])
        assert not logging.getLogger().handlers
        logging.getLogger("program").info("not seen")
        """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
