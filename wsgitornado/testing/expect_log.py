"""Log lines that a test expects."""

from __future__ import annotations

import logging
import re
from types import TracebackType

from wsgitornado.log import access_log, app_log, gen_log

__all__ = ["ExpectLog"]

#: By what names they are asked for; the command ``run`` gives them Tornado's.
_OURS = {
    "wsgitornado.access": access_log,
    "wsgitornado.application": app_log,
    "wsgitornado.general": gen_log,
}


class ExpectLog(logging.Filter):
    """Announces a log line: within the block it is swallowed, and it must come::

        with ExpectLog("wsgitornado.general", "400 GET /.*Missing argument"):
            client.get("/", status=400)

    :param logger: a logger, or the name of one; ``tornado.general`` and its siblings
        stand for ours. ``""`` is the root logger.
    :param regex: a regular expression that the beginning of the message matches.
    :param required: False if the line need not come.
    :param level: if given, lines of other levels do not match.
    :ivar matched: how many lines have matched.
    :ivar logged_stack: whether any line, also one that did not match, came with a
        traceback.
    """

    __module__ = "wsgitornado.testing"

    def __init__(
        self,
        logger: logging.Logger | str,
        regex: str,
        required: bool = True,
        level: int | None = None,
    ) -> None:
        super().__init__()
        if isinstance(logger, str):
            if logger.partition(".")[0] == "tornado":
                logger = f"wsgi{logger}"
            logger = _OURS.get(logger) or logging.getLogger(logger)
        self.logger = logger
        self.regex = re.compile(regex)
        self.required = required
        self.level = level
        self.matched = 0
        self.logged_stack = False

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info:
            self.logged_stack = True
        if self.level is not None and record.levelno != self.level:
            return True
        if self.regex.match(record.getMessage()) is None:
            return True
        self.matched += 1
        return False

    def __enter__(self) -> ExpectLog:
        # A logger's filter does not see what its children log; its handlers' do.
        for place in (self.logger, *self.logger.handlers):
            place.addFilter(self)
        return self

    def __exit__(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        for place in (self.logger, *self.logger.handlers):
            place.removeFilter(self)
        if typ is None and self.required and not self.matched:
            raise AssertionError(
                f"no line that matches {self.regex.pattern!r} was logged "
                f"on {self.logger.name}"
            )
