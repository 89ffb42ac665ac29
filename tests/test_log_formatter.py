"""Lines of the log: what the formatter makes of records; compared with Tornado's."""

from __future__ import annotations

import io
import logging
import sys
from typing import Any

import pytest

from wsgitornado.log import LogFormatter


def record(message: Any = "m", *args: Any, **values: Any) -> logging.LogRecord:
    made = logging.LogRecord(
        "name", logging.INFO, "/folder/chat.py", 12, message, args, None
    )
    made.created = 1_000_000_000.0
    vars(made).update(values)
    return made


def failure() -> Any:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        return sys.exc_info()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def stand_before_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    # Not a fixture: pytest puts its own standard error in place after those.
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")


# Beside Tornado

RECORDS = {
    "arguments": record("hello %s", "world"),
    "bytes": record("%s", b"\xff"),
    "message of bytes": record(b"\xff"),
    "lines": record("a\nb\nc"),
    "line at the end": record("a\n"),
    "carriage return": record("a\rb"),
    "object": record({"a": 1}),
    "nothing": record(""),
    "exception": record("boom", exc_info=failure()),
    "exception after lines": record("boom\n\n", exc_info=failure()),
    "text of an exception": record("boom", exc_text="T1\nT2"),
    "too few arguments": record("%s %s", 1),
    "another level": record(levelno=25, levelname="NOTICE"),
    "surrogate": record("\ud800"),
}


@pytest.mark.parametrize("made", RECORDS.values(), ids=list(RECORDS))
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"fmt": "%(name)s %(message)s"},
        {"fmt": "no field"},
        {"datefmt": None},
        {"datefmt": "%Y"},
        {"color": False},
    ],
    ids=str,
)
def test_lines_are_those_of_tornado(
    made: logging.LogRecord, arguments: dict[str, Any]
) -> None:
    tornado_log = pytest.importorskip("tornado.log")
    # Either leaves its traces in the record.
    before = vars(made).copy()
    lines = []
    for formatter in (LogFormatter, tornado_log.LogFormatter):
        lines.append(formatter(**arguments).format(made))
        vars(made).clear()
        vars(made).update(before)
    assert lines[0] == lines[1]


def test_colours_and_formats_of_the_class_are_those_of_tornado() -> None:
    theirs = pytest.importorskip("tornado.log").LogFormatter
    assert LogFormatter.DEFAULT_FORMAT == theirs.DEFAULT_FORMAT
    assert LogFormatter.DEFAULT_DATE_FORMAT == theirs.DEFAULT_DATE_FORMAT
    assert LogFormatter.DEFAULT_COLORS == theirs.DEFAULT_COLORS


# What is ours


@pytest.mark.parametrize(
    ("level", "start"),
    [
        (logging.DEBUG, "\x1b[34m[D "),
        (logging.INFO, "\x1b[32m[I "),
        (logging.WARNING, "\x1b[33m[W "),
        (logging.ERROR, "\x1b[31m[E "),
        (logging.CRITICAL, "\x1b[35m[C "),
    ],
    ids=lambda value: logging.getLevelName(value) if isinstance(value, int) else None,
)
def test_a_terminal_gets_the_colour_of_the_level(
    level: int, start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_before_a_terminal(monkeypatch)
    made = record(levelno=level, levelname=logging.getLevelName(level))
    line = LogFormatter().format(made)
    assert line.startswith(start)
    assert line.endswith(" chat:12]\x1b[0m m")


def test_a_level_without_a_colour_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_before_a_terminal(monkeypatch)
    formatter = LogFormatter(colors={logging.INFO: 7, logging.DEBUG: 8})
    made = record(levelno=logging.WARNING, levelname="WARNING")
    assert "\x1b" not in formatter.format(made)
    assert formatter.format(record()).startswith("\x1b[37m")
    made = record(levelno=logging.DEBUG, levelname="DEBUG")
    assert formatter.format(made).startswith("\x1b[38;5;8m")


def test_colours_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_before_a_terminal(monkeypatch)
    assert "\x1b" not in LogFormatter(color=False).format(record())


@pytest.mark.parametrize(
    ("stream", "kind"),
    [
        pytest.param(Terminal(), "dumb", id="dumb terminal"),
        pytest.param(Terminal(), "", id="terminal without a name"),
        pytest.param(Terminal(), None, id="terminal of no kind"),
        pytest.param(io.StringIO(), "xterm", id="no terminal"),
        pytest.param(None, "xterm", id="no standard error"),
    ],
)
def test_where_colours_would_be_rubbish_there_are_none(
    stream: Any, kind: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    if kind is None:
        monkeypatch.delenv("TERM", raising=False)
    else:
        monkeypatch.setenv("TERM", kind)
    assert "\x1b" not in LogFormatter().format(record())


@pytest.mark.parametrize(
    ("style", "form"), [("{", "{message}!"), ("$", "${message}!")], ids=["{", "$"]
)
def test_formats_have_the_styles_of_logging(style: Any, form: str) -> None:
    assert LogFormatter(form, style=style).format(record("50%")) == "50%!"


def test_a_stack_is_shown() -> None:
    line = LogFormatter("%(message)s").format(record(stack_info="S1\nS2"))
    assert line == "m\n    S1\n    S2"


def test_a_traceback_is_kept_for_other_formatters() -> None:
    made = record("boom", exc_info=failure())
    LogFormatter().format(made)
    assert made.exc_text is not None
    assert made.exc_text.startswith("Traceback")


def test_a_mistake_in_a_message_shows_it_and_its_arguments() -> None:
    line = LogFormatter("%(message)s").format(record("%d apples", "some"))
    assert line.startswith("Bad message (TypeError(")
    assert "'msg': '%d apples', 'args': ('some',)" in line
