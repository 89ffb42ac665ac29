"""The three loggers of the package, under the names that Tornado's users expect."""

from __future__ import annotations

import logging

__all__ = ["access_log", "app_log", "gen_log", "one_line"]

#: One line for each answered request, at a level that follows the status code.
access_log = logging.getLogger("wsgitornado.access")

#: Uncaught exceptions of handlers, with their traceback.
app_log = logging.getLogger("wsgitornado.application")

#: Everything else: clients' errors, misuse, warnings about the surroundings.
gen_log = logging.getLogger("wsgitornado.general")


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
