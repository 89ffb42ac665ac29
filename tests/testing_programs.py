"""Running test cases of unittest, and programs that hold some, and what came of it."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import unittest
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.loops import BOUND
from wsgitornado.testing import AsyncTestCase

__all__ = ["Outcome", "outcomes_of", "run", "run_case", "run_python"]


@dataclass
class Outcome:
    """What came of a test: ``error`` is anything but a failed assertion."""

    kind: str
    text: str = ""

    @property
    def last_lines(self) -> str:
        """The exception and its notes, without the traceback."""
        lines = self.text.splitlines()
        begins = [n for n, line in enumerate(lines) if line[:1] not in ("", " ")]
        return "\n".join(lines[begins[1] :] if len(begins) > 1 else lines)


def run_case(case: type[unittest.TestCase], name: str = "test") -> Outcome:
    """Run one test method in this process."""
    result = unittest.TestResult()
    case(name).run(result)
    assert result.testsRun == 1
    for kind, found in (("error", result.errors), ("failure", result.failures)):
        if found:
            return Outcome(kind, found[0][1])
    if result.skipped:
        return Outcome("skipped", result.skipped[0][1])
    return Outcome("ok")


def run(test: Callable[[Any], Any], **more: Any) -> Outcome:
    """Run a function as the only test of an AsyncTestCase."""
    return run_case(type("Case", (AsyncTestCase,), {"test": test, **more}))


def run_python(
    folder: Path, *arguments: str, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, to its very end."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={"PATH": "", "PYTHONPATH": str(Path(__file__).parent.parent), **environ},
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )


#: Runs all tests of a module, and writes what became of each as JSON.
_JUDGE = """
import json, logging, sys, unittest, warnings
logging.disable(logging.CRITICAL)
import suite

class Judge(unittest.TestResult):
    found = {}
    def note(self, test, kind, error):
        name = test.id().partition(".")[2]
        self.found[name] = (kind, error[0].__name__, str(error[1]))
    def addSuccess(self, test):
        self.found[test.id().partition(".")[2]] = ("ok", "", "")
    def addError(self, test, error):
        self.note(test, "error", error)
    def addFailure(self, test, error):
        self.note(test, "failure", error)
    def addSkip(self, test, reason):
        self.found[test.id().partition(".")[2]] = ("skipped", "", reason)
    def addExpectedFailure(self, test, error):
        self.note(test, "expected failure", error)

warnings.simplefilter("ignore")
unittest.defaultTestLoader.loadTestsFromModule(suite).run(Judge())
print(json.dumps(Judge.found))
"""


def outcomes_of(
    program: str, package: str, folder: Path, **environ: str
) -> dict[str, tuple[str, str, str]]:
    """By test, the kind of outcome, the exception's class and its text.

    :param program: the text of a module written for Tornado.
    :param package: what takes the place of ``tornado`` in its imports.
    """
    text = textwrap.dedent(program).replace("tornado", package)
    (folder / "suite.py").write_text(text)
    done = run_python(folder, "-c", _JUDGE, **environ)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {name: (kind, error, text) for name, (kind, error, text) in found.items()}
