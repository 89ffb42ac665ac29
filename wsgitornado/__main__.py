"""The command line: ``python -m wsgitornado``, and what it says about mistakes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from wsgitornado import version
from wsgitornado.commands import check, routes, run, serve
from wsgitornado.commands.loading import UsageError

__all__ = ["main"]

#: In the order of ``--help``.
_COMMANDS: Final = (serve, run, routes, check)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    :param arguments: those after the name of the program; by default ``sys.argv``'s.
    """
    options = _parser().parse_args(arguments)
    try:
        status: int = options.func(options)
    except UsageError as error:
        print(f"wsgitornado: {error}", file=sys.stderr)
        return 2
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wsgitornado", description="Serve programs written for tornado.web."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add_parser(subparsers)
    return parser


if __name__ == "__main__":
    sys.exit(main())
