"""Running tests from the command line with the options of the package."""

from __future__ import annotations

import signal
import sys
import unittest
from types import ModuleType
from typing import Any, Final

from wsgitornado.options import define, options, parse_command_line

__all__ = ["main"]

#: Our options, and what ``unittest.main`` calls them.
_FLAGS: Final = {"failfast": "failfast", "catch": "catchbreak", "buffer": "buffer"}


def _define_options() -> None:
    if "failfast" in options:
        return
    define(
        "exception_on_interrupt",
        type=bool,
        default=True,
        help="Ctrl-C raises KeyboardInterrupt; if false, it ends the process at once",
    )
    define("verbose", type=bool, help="name each test")
    define("quiet", type=bool, help="write less")
    define("failfast", type=bool, help="stop at the first failure")
    define("catch", type=bool, help="on Ctrl-C end the running test and report")
    define("buffer", type=bool, help="show the output of failed tests only")


def main(**kwargs: Any) -> None:
    """Run tests, at the end of a file or as ``python -m wsgitornado.testing``::

        if __name__ == "__main__":
            wsgitornado.testing.main()

    The command line takes options of :doc:`options`, among them ``--logging``, and
    ``--verbose``, ``--quiet``, ``--failfast``, ``--catch`` and ``--buffer``; then names
    of tests, such as ``tests.test_rooms.TestRooms``. Without any it runs what ``all()``
    in the program returns, or the tests in it if there is none.

    :param kwargs: for ``unittest.main``.
    :raises SystemExit: with 0 if all tests have passed.
    """
    _define_options()
    names = parse_command_line(sys.argv)
    if not options.exception_on_interrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if options.verbose:
        kwargs["verbosity"] = 2
    if options.quiet:
        kwargs["verbosity"] = 0
    for name, argument in _FLAGS.items():
        if options[name]:
            kwargs[argument] = True
    program = sys.modules["__main__"]
    if not names and not hasattr(program, "all"):
        unittest.main("__main__", argv=sys.argv[:1], **kwargs)
    argv = [sys.argv[0], *(_full_name(program, name) for name in names or ["all"])]
    unittest.main(None, argv=argv, **kwargs)


def _full_name(program: ModuleType, name: str) -> str:
    """The name of a test with its module, which may be the program itself."""
    first = name.partition(".")[0]
    return f"__main__.{name}" if hasattr(program, first) else name
