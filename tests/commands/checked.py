"""What ``check`` finds in files, in few words."""

from __future__ import annotations

from pathlib import Path

from wsgitornado.commands.program import Program
from wsgitornado.commands.uses import uses_in

__all__ = ["found_in"]


def found_in(*files: Path, root: Path) -> list[str]:
    """All uses, as ``"3 works web.url"``; lines of further files name these."""
    program = Program()
    for file in files:
        program.add(file, root)
    assert not program.failures
    found = []
    for use in uses_in(program):
        place = "" if use.file == files[0] else f"{use.file.name}:"
        name = use.judgement.name.removeprefix("tornado.")
        found.append(f"{place}{use.line} {use.judgement.verdict} {name}")
    return found
