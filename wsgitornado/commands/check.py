"""``check``: what of a Tornado program works here, without running it."""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from wsgitornado.commands.judging import Verdict
from wsgitornado.commands.loading import UsageError
from wsgitornado.commands.program import Program
from wsgitornado.commands.uses import Use, uses_in

__all__ = ["add_parser"]

#: Folders of other people's programs.
_FOREIGN: Final = {"__pycache__", "node_modules", "site-packages"}

#: What is said of a file that Python cannot read, in place of a verdict.
_UNREADABLE: Final = "unreadable"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command with its options."""
    check = subparsers.add_parser(
        "check",
        help="say what of a Tornado program works here",
        description="Read a program whose imports say tornado, without running it, "
        "and say of each use of Tornado whether it works here, differs or is missing.",
        epilog="The exit status is 0 if nothing is missing, 1 if something is or a "
        "file cannot be read, 2 if there is nothing to read.",
    )
    check.add_argument(
        "paths",
        metavar="PATH",
        nargs="+",
        help="a file, or a folder with all that is in it",
    )
    check.add_argument(
        "--all", action="store_true", help="list what works, too, not only the rest"
    )
    check.add_argument(
        "--json", action="store_true", help="write one object for programs"
    )
    check.set_defaults(func=_check)


def _check(options: argparse.Namespace) -> int:
    program = _read(options.paths)
    uses = list(uses_in(program))
    counts = Counter(use.judgement.verdict for use in uses)
    shown = sorted(
        [
            *_failures(program),
            *(_row(use) for use in uses if options.all or _is_news(use)),
        ],
        key=lambda row: (row["file"], row["line"]),
    )
    totals = {
        "files": len({*program.failures, *(m.path for m in program.modules)}),
        _UNREADABLE: len(program.failures),
        **{verdict.value: counts[verdict] for verdict in Verdict},
    }
    if options.json:
        print(json.dumps({**totals, "uses": shown}, indent=2))
    else:
        for line in _lines(shown, totals):
            print(line)
    return 1 if program.failures or counts[Verdict.MISSING] else 0


def _read(paths: Iterable[str]) -> Program:
    program = Program()
    seen: set[Path] = set()
    for path in map(Path, paths):
        if not path.exists():
            raise UsageError(f"there is no {path}")
        root = path if path.is_dir() else path.parent
        for file in sorted(_files(path)):
            if file.resolve() not in seen:
                seen.add(file.resolve())
                program.add(file, root)
    if not seen:
        raise UsageError(f"there are no Python files in {' '.join(paths)}")
    return program


def _files(path: Path) -> Iterator[Path]:
    """The Python files of a folder that belong to it; a file is itself."""
    if not path.is_dir():
        yield path
        return
    for folder, folders, names in os.walk(path):
        if "pyvenv.cfg" in names:
            folders.clear()
            continue
        folders[:] = [n for n in folders if n not in _FOREIGN and n[0] != "."]
        yield from (Path(folder, name) for name in names if name.endswith(".py"))


def _is_news(use: Use) -> bool:
    return use.judgement.verdict is not Verdict.WORKS


# What is printed


def _row(use: Use) -> dict[str, Any]:
    judgement = use.judgement
    return {
        "file": str(use.file),
        "line": use.line,
        "verdict": judgement.verdict.value,
        "name": judgement.name,
        "reason": judgement.reason,
    }


def _failures(program: Program) -> Iterator[dict[str, Any]]:
    for file, (line, reason) in program.failures.items():
        yield {
            "file": str(file),
            "line": line,
            "verdict": _UNREADABLE,
            "name": None,
            "reason": reason,
        }


def _lines(rows: Iterable[dict[str, Any]], totals: dict[str, int]) -> Iterator[str]:
    for row in rows:
        said = " ".join(filter(None, (row["verdict"], row["name"])))
        reason = f": {row['reason']}" if row["reason"] else ""
        yield f"{row['file']}:{row['line']}: {said}{reason}"
    yield (
        f"{totals['files']} files, {totals[_UNREADABLE]} unreadable; uses of Tornado: "
        "{works} work, {differs} differ, {missing} missing".format_map(totals)
    )
