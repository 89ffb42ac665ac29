"""Logging: the package's loggers, coloured lines, and the options that set it up."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Mapping
from logging.handlers import RotatingFileHandler, TimedRotatingFileHandler
from types import SimpleNamespace
from typing import Any, Final, Literal
from weakref import WeakKeyDictionary

__all__ = [
    "LogFormatter",
    "access_log",
    "app_log",
    "define_logging_options",
    "enable_pretty_logging",
    "gen_log",
    "json_access_log",
    "one_line",
]

#: One line for each answered request, at a level that follows the status code.
access_log = logging.getLogger("wsgitornado.access")

#: Uncaught exceptions of handlers, with their traceback.
app_log = logging.getLogger("wsgitornado.application")

#: Everything else: clients' errors, misuse, warnings about the surroundings.
gen_log = logging.getLogger("wsgitornado.general")


# Lines


def one_line(text: str) -> str:
    """The text without anything that could start a line or steer a terminal.

    Requests bring text into log lines: ``one_line("a\\nb")`` is ``"a\\\\x0ab"``.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else f"\\x{ord(c):02x}" if ord(c) < 256 else ascii(c)[1:-1]
        for c in text
    )


def json_access_log(handler: Any) -> None:
    """Write the line of the access log as an object of JSON.

    For the setting ``log_function``: ``Application(rules,
    log_function=json_access_log)``. The line, at the level that it has otherwise, is
    ``{"time": "2026-06-17T13:45:59.301Z", "method": "GET", "path": "/a", "status": 200,
    "duration_ms": 1.25, "remote_ip": "127.0.0.1", "handler": "chat.Messages"}``, and
    ``request_id`` where the request has one. The time is that of the end, in UTC; the
    query is left out, since it may hold secrets.

    The format of the logging handler is to be ``"%(message)s"`` alone:
    ``wsgitornado serve --access-log json`` sees to that.

    :param handler: of the request that is over.
    """
    request = handler.request
    kind = type(handler)
    log_json_access(
        method=request.method,
        path=request.path,
        status=handler.get_status(),
        duration=request.request_time(),
        remote_ip=request.remote_ip,
        handler=f"{kind.__module__}.{kind.__qualname__}",
        request_id=getattr(request, "request_id", None),
    )


def log_json_access(
    *,
    method: str,
    path: str,
    status: int,
    duration: float,
    remote_ip: str,
    **more: str | None,
) -> None:
    """The same for a server, from what it knows; what is None is left out.

    :param duration: in seconds.
    """
    level = access_level(status)
    if not access_log.isEnabledFor(level):
        return
    now = time.time()
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    line = {
        "time": f"{seconds}.{int(now * 1000) % 1000:03}Z",
        "method": method,
        "path": path,
        "status": status,
        "duration_ms": round(1000 * duration, 2),
        "remote_ip": remote_ip,
        **{name: value for name, value in more.items() if value is not None},
    }
    # In ASCII, so that no text of a client can end the line or steer a terminal.
    access_log.log(level, "%s", json.dumps(line))


def access_level(status_code: int) -> int:
    """Of the line of a request: info, from 400 on a warning, from 500 on an error."""
    if status_code < 400:
        return logging.INFO
    return logging.WARNING if status_code < 500 else logging.ERROR


class LogFormatter(logging.Formatter):
    """Writes ``[I 260617 13:45:59 chat:12] hello``, on a terminal with colours.

    The first letter is that of the level, then come the time and the place in the
    program. Further lines of a message, and those of a traceback, are indented, so that
    none of them looks like another message.

    :param fmt: the format, as for :class:`logging.Formatter`. What stands between
        ``color`` and ``end_color`` gets the colour of the level.
    :param datefmt: the format of the time, for :func:`time.strftime`.
    :param style: which kind of format it is: ``%``, ``{`` or ``$``.
    :param color: False for no colours. Otherwise there are some if the standard error,
        at this moment, is a terminal that is not ``TERM=dumb``.
    :param colors: the colours by level: 0 to 7 are those of ANSI, from black to white,
        and up to 255 those of a terminal that has as many. Other levels have none.
    """

    DEFAULT_FORMAT = (
        "%(color)s[%(levelname)1.1s %(asctime)s %(module)s:%(lineno)d]%(end_color)s"
        " %(message)s"
    )
    DEFAULT_DATE_FORMAT = "%y%m%d %H:%M:%S"
    DEFAULT_COLORS = {
        logging.DEBUG: 4,  # blue
        logging.INFO: 2,  # green
        logging.WARNING: 3,  # yellow
        logging.ERROR: 1,  # red
        logging.CRITICAL: 5,  # magenta
    }

    def __init__(
        self,
        fmt: str = DEFAULT_FORMAT,
        datefmt: str | None = DEFAULT_DATE_FORMAT,
        style: Literal["%", "{", "$"] = "%",
        color: bool = True,
        colors: Mapping[int, int] = DEFAULT_COLORS,
    ) -> None:
        # Any text is a format in Tornado, also one without a field.
        super().__init__(fmt, datefmt, style, validate=False)
        self._colors: dict[int, str] = {}
        self._normal = ""
        if color and _stderr_supports_color():
            self._colors = {level: _ansi(number) for level, number in colors.items()}
            self._normal = "\x1b[0m"

    def format(self, record: logging.LogRecord) -> str:
        """Called by a handler, for each record."""
        try:
            record.message = record.getMessage()
        except Exception as error:
            # A mistake in a message must not hide what else the line has to tell.
            record.message = f"Bad message ({error!r}): {record.__dict__!r}"
        record.asctime = self.formatTime(record, self.datefmt)
        color = self._colors.get(record.levelno, "")
        vars(record).update(color=color, end_color=self._normal if color else "")
        text = self.formatMessage(record)
        if record.exc_info and not record.exc_text:
            # Kept for other handlers, as logging does.
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            text = f"{text.rstrip()}\n{record.exc_text}"
        if record.stack_info:
            text = f"{text.rstrip()}\n{self.formatStack(record.stack_info)}"
        return text.replace("\n", "\n    ")


def _stderr_supports_color() -> bool:
    # The standard error may be missing, or an object of the program's own.
    isatty = getattr(sys.stderr, "isatty", None)
    return isatty is not None and isatty() and os.getenv("TERM", "") not in ("", "dumb")


def _ansi(number: int) -> str:
    """The sequence of ECMA-48 that begins a colour."""
    return f"\x1b[3{number}m" if number < 8 else f"\x1b[38;5;{number}m"


# Options

_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "logging": {
        "default": "info",
        "metavar": "debug|info|warning|error|none",
        "help": "the lowest level that is logged; none leaves logging alone",
    },
    "log_to_stderr": {
        "type": bool,
        "default": None,
        "help": "log to the standard error, in colours where it is a terminal; by "
        "default if there is no --log-file-prefix and nothing else has set up logging",
    },
    "log_file_prefix": {
        "type": str,
        "default": None,
        "metavar": "PATH",
        "help": "log to this file; older files get a number or a date after its name. "
        "Each process needs one of its own",
    },
    "log_file_max_size": {
        "default": 100_000_000,
        "help": "bytes in the file before the next one begins",
    },
    "log_file_num_backups": {"default": 10, "help": "how many older files to keep"},
    "log_rotate_when": {
        "default": "midnight",
        "help": "the unit of --log-rotate-interval: S, M, H, D, midnight, or W0 to W6 "
        "for a day of the week",
    },
    "log_rotate_interval": {
        "default": 1,
        "help": "after how many of these units the next file begins",
    },
    "log_rotate_mode": {
        "default": "size",
        "help": "when the next file begins: by size, or by time",
    },
}

#: What :func:`enable_pretty_logging` reads unless it is told: the options of the
#: program, once :mod:`wsgitornado.options` has put them here.
program_options: Any = SimpleNamespace(
    **{name: option["default"] for name, option in _OPTIONS.items()}
)

#: By handler that was made here: the options that it was made for.
_made_for: WeakKeyDictionary[logging.Handler, object] = WeakKeyDictionary()


def define_logging_options(options: Any) -> None:
    """Give an :class:`~wsgitornado.options.OptionParser` the options of logging.

    Once it has parsed, it calls :func:`enable_pretty_logging`. The parser of the
    program, ``options.options``, has them from the start; this is for others.

    :raises wsgitornado.options.Error: if the parser has them.
    """
    for name, option in _OPTIONS.items():
        options.define(name, group="Logging", **option)
    options.add_parse_callback(lambda: enable_pretty_logging(options))


def enable_pretty_logging(
    options: Any = None, logger: logging.Logger | None = None
) -> None:
    """Set up logging as the options say: the level, and a handler for each place.

    Called when the command line has been parsed; programs without one call it. With
    ``logging`` None or ``none`` it does nothing. When it is called again with the same
    options, what it had set up gives way.

    :param options: an :class:`~wsgitornado.options.OptionParser`, or any object with
        these attributes. By default the options of the program.
    :param logger: the logger that gets the handlers; by default the root logger.
    :raises ValueError: for a level or a ``log_rotate_mode`` that does not exist.
    :raises OSError: if the file cannot be opened.
    """
    if options is None:
        options = program_options
    if options.logging is None or options.logging.lower() == "none":
        return
    if logger is None:
        logger = logging.getLogger()
    level = _level(options.logging)
    former = [h for h in logger.handlers if _made_for.get(h) is options]
    has_others = len(former) < len(logger.handlers)
    handlers: list[logging.Handler] = []
    if options.log_file_prefix:
        handlers.append(_file_handler(options))
    wants_stderr = options.log_to_stderr
    if wants_stderr or (wants_stderr is None and not (has_others or handlers)):
        handlers.append(logging.StreamHandler())
        handlers[-1].setFormatter(LogFormatter())
    for handler in former:
        logger.removeHandler(handler)
        handler.close()
    for handler in handlers:
        _made_for[handler] = options
        logger.addHandler(handler)
    logger.setLevel(level)


def _level(name: str) -> int:
    level = logging.getLevelNamesMapping().get(name.upper())
    if level is None:
        raise ValueError(
            "the option logging must be debug, info, warning, error, critical or none, "
            f"not {name!r}"
        )
    return level


def _file_handler(options: Any) -> logging.Handler:
    """What writes to a file and begins the next one.

    A file is read later, by who knows what: it has no colours.
    """
    handler: logging.Handler
    if options.log_rotate_mode == "size":
        handler = RotatingFileHandler(
            options.log_file_prefix,
            maxBytes=options.log_file_max_size,
            backupCount=options.log_file_num_backups,
            encoding="utf-8",
        )
    elif options.log_rotate_mode == "time":
        handler = TimedRotatingFileHandler(
            options.log_file_prefix,
            when=options.log_rotate_when,
            interval=options.log_rotate_interval,
            backupCount=options.log_file_num_backups,
            encoding="utf-8",
        )
    else:
        raise ValueError(
            'the option log_rotate_mode must be "size" or "time", '
            f"not {options.log_rotate_mode!r}"
        )
    handler.setFormatter(LogFormatter(color=False))
    return handler
