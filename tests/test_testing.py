"""Log lines that a test expects."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from tornado.testing import ExpectLog as TornadosExpectLog

from wsgitornado.log import gen_log
from wsgitornado.testing import ExpectLog

OURS = "wsgitornado.general"


@pytest.fixture
def heard() -> list[str]:
    """What reaches the handlers of a logger of this test's own."""
    return []


@pytest.fixture
def logger(heard: list[str]) -> logging.Logger:
    logger = logging.Logger("test")
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]  # the shortest handler
    logger.addHandler(handler)
    return logger


def test_announced_line_is_swallowed_and_others_pass(
    logger: logging.Logger, heard: list[str]
) -> None:
    log = ExpectLog(logger, "four .*")
    with log:
        logger.warning("four %s", "hundred")
        logger.warning("not four hundred")
        logger.warning("four thousand")
    assert log.matched == 2
    assert heard == ["not four hundred"]
    logger.warning("four again")
    assert heard == ["not four hundred", "four again"]


def test_line_that_does_not_come_fails(logger: logging.Logger) -> None:
    with (
        pytest.raises(AssertionError, match="no line that matches 'x' was logged on t"),
        ExpectLog(logger, "x"),
    ):
        logger.warning("y")


def test_line_that_is_not_required_may_stay_away(logger: logging.Logger) -> None:
    with ExpectLog(logger, "x", required=False) as log:
        pass
    assert not log.matched


def test_error_in_the_block_is_not_hidden_by_the_missing_line(
    logger: logging.Logger,
) -> None:
    with pytest.raises(LookupError), ExpectLog(logger, "x"):
        raise LookupError
    assert logger.filters == []


def test_line_of_another_level_does_not_match(
    logger: logging.Logger, heard: list[str]
) -> None:
    with ExpectLog(logger, "x", level=logging.ERROR):
        logger.warning("x")
        logger.error("x")
    assert heard == ["x"]


@pytest.mark.parametrize("with_traceback", [False, True])
def test_traceback_is_noticed(logger: logging.Logger, with_traceback: bool) -> None:
    with ExpectLog(logger, "x") as log:
        try:
            raise LookupError
        except LookupError:
            logger.error("x", exc_info=with_traceback)
    assert log.logged_stack == with_traceback


@pytest.mark.parametrize(
    "logger", [gen_log, OURS, "tornado.general"], ids=["object", "ours", "Tornado's"]
)
def test_logger_is_an_object_or_a_name_of_either_package(
    logger: logging.Logger | str,
) -> None:
    with ExpectLog(logger, "announced"):
        gen_log.warning("announced")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tornado", "wsgitornado"),
        ("tornado.access", "wsgitornado.access"),
        ("tornadoes", "tornadoes"),
        ("program", "program"),
        ("", "root"),
    ],
)
def test_only_names_of_tornado_stand_for_ours(name: str, expected: str) -> None:
    assert ExpectLog(name, "").logger.name == expected


def test_logger_above_sees_lines_that_reach_its_handlers(heard: list[str]) -> None:
    above, below = logging.getLogger("above"), logging.getLogger("above.below")
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]  # the shortest handler
    above.addHandler(handler)
    try:
        with ExpectLog(above, "x"):
            below.warning("x")
    finally:
        above.removeHandler(handler)
    assert heard == []


def error_with_traceback(logger: logging.Logger) -> None:
    try:
        raise LookupError
    except LookupError:
        logger.exception("x")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "say",
    [
        pytest.param(lambda logger: None, id="nothing"),
        pytest.param(lambda logger: logger.warning("x"), id="the line"),
        pytest.param(
            lambda logger: logger.warning("longer than x"), id="not its start"
        ),
        pytest.param(lambda logger: logger.warning("xyz"), id="the start of a line"),
        pytest.param(lambda logger: logger.info("x"), id="another level"),
        pytest.param(lambda logger: logger.debug("x"), id="a level nobody hears"),
        pytest.param(error_with_traceback, id="an error with its traceback"),
    ],
)
@pytest.mark.parametrize("required", [True, False], ids=["required", "optional"])
@pytest.mark.parametrize("level", [None, logging.WARNING], ids=["any", "warning"])
def test_it_judges_as_tornados_does(
    say: Callable[[logging.Logger], None],
    required: bool,
    level: int | None,
    logger: logging.Logger,
    heard: list[str],
) -> None:
    logger.setLevel(logging.INFO)
    results = []
    for expect_log in (ExpectLog, TornadosExpectLog):
        log = expect_log(logger, "x", required, level)
        fails = False
        try:
            with log:
                say(logger)
        except Exception:  # Tornado's raises this very class
            fails = True
        results.append((fails, log.matched, log.logged_stack, heard[:]))
        heard.clear()
    assert results[0] == results[1]
