"""Tests from the command line: ``wsgitornado.testing.main``."""

from __future__ import annotations

import signal
import sys
import unittest
from pathlib import Path
from types import ModuleType

import pytest

from tests.testing_programs import run_python
from wsgitornado.options import OptionParser
from wsgitornado.testing import main, program

SUITE = """
import unittest
from wsgitornado.options import define, options
from wsgitornado.testing import AsyncTestCase, gen_test, main

define("word", default="none")

class Rooms(AsyncTestCase):
    @gen_test
    async def test_a(self): print("word:", options.word)
    def test_b(self): self.fail("there")
    def test_c(self): self.fail("there")

if __name__ == "__main__":
    main()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "suite.py").write_text(SUITE)
    every = "\ndef all():\n    return unittest.TestSuite([Rooms('test_a')])\n\nif __na"
    (tmp_path / "chosen.py").write_text(SUITE.replace("\nif __na", every))
    other = "import unittest\nclass Room(unittest.TestCase):\n    def test(self): pass"
    (tmp_path / "other.py").write_text(other)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code", "summary"),
    [
        pytest.param(["suite.py"], 1, "Ran 3 tests", id="all of the program"),
        pytest.param(["chosen.py"], 0, "Ran 1 test", id="all()"),
        pytest.param(["suite.py", "other.Room.test"], 0, "Ran 1 test", id="one"),
        pytest.param(["suite.py", "Rooms.test_a"], 0, "Ran 1 test", id="of itself"),
        pytest.param(
            ["suite.py", "--failfast", "Rooms"], 1, "Ran 2 tests", id="failfast"
        ),
        pytest.param(["suite.py", "--quiet", "Rooms"], 1, "Ran 3 tests", id="quiet"),
        pytest.param(
            ["-m", "wsgitornado.testing", "suite.Rooms.test_b"],
            1,
            "Ran 1 test",
            id="as a module",
        ),
    ],
)
def test_command_line_says_what_is_run(
    folder: Path, arguments: list[str], code: int, summary: str
) -> None:
    done = run_python(folder, *arguments)
    assert (done.returncode, summary in done.stderr) == (code, True), done.stderr


def test_verbose_names_each_test(folder: Path) -> None:
    done = run_python(folder, "suite.py", "--verbose", "Rooms.test_a")
    assert "test_a (__main__.Rooms.test_a) ... ok" in done.stderr


def test_buffer_hides_the_output_of_what_passes(folder: Path) -> None:
    arguments = ("suite.py", "--word=there", "--catch")
    assert "word: there" in run_python(folder, *arguments, "Rooms.test_a").stdout
    done = run_python(folder, *arguments, "--buffer", "Rooms.test_a")
    assert done.stdout == ""


def test_module_without_names_says_so(folder: Path) -> None:
    done = run_python(folder, "-m", "wsgitornado.testing")
    assert (done.returncode, done.stderr) == (1, "No tests specified\n")


def test_help_lists_the_options(folder: Path) -> None:
    done = run_python(folder, "-m", "wsgitornado.testing", "--help")
    assert done.returncode == 0
    for name in ("exception-on-interrupt", "failfast", "logging", "verbose"):
        assert f"--{name}" in done.stderr


def test_interrupt_may_end_the_process_at_once(folder: Path) -> None:
    program = (
        "import os, signal, unittest; from wsgitornado.testing import main\n"
        "class Test(unittest.TestCase):\n"
        "    def test(self): os.kill(os.getpid(), signal.SIGINT)\n"
        "main(verbosity=0)"
    )
    done = run_python(folder, "-c", program, "--exception-on-interrupt=false")
    assert done.returncode == -2
    done = run_python(folder, "-c", program)
    assert "KeyboardInterrupt" in done.stderr


def test_unknown_option_is_refused(folder: Path) -> None:
    done = run_python(folder, "suite.py", "--bogus")
    assert "Unrecognized command line option: 'bogus'" in done.stderr


@pytest.fixture
def parser(monkeypatch: pytest.MonkeyPatch) -> OptionParser:
    """Options of this test's own, in place of those of the process."""
    parser = OptionParser()
    for name in ("define", "parse_command_line"):
        monkeypatch.setattr(program, name, getattr(parser, name))
    monkeypatch.setattr(program, "options", parser)
    return parser


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("has_all", [False, True], ids=["program", "all()"])
def test_main_runs_what_the_program_has(
    monkeypatch: pytest.MonkeyPatch, has_all: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    class Rooms(unittest.TestCase):
        def test_a(self) -> None:
            pass

        def test_b(self) -> None:
            pass

    module = ModuleType("__main__")
    module.Rooms = Rooms  # type: ignore[attr-defined]  # a program
    if has_all:
        module.all = lambda: Rooms("test_a")  # type: ignore[attr-defined]  # the same
    monkeypatch.setitem(sys.modules, "__main__", module)
    for arguments, expected in (([], 1 if has_all else 2), (["Rooms.test_b"], 1)):
        monkeypatch.setattr(sys, "argv", ["program", "--verbose", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        assert caught.value.code in (0, False)
        assert f"Ran {expected} test" in capsys.readouterr().err


@pytest.mark.usefixtures("parser")
def test_options_reach_unittest(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, object] = {}

    def unittest_main(module: object, **kwargs: object) -> None:
        given.update(kwargs)
        raise SystemExit

    monkeypatch.setattr(unittest, "main", unittest_main)
    before = signal.getsignal(signal.SIGINT)
    options = ["--quiet", "--failfast", "--catch", "--buffer"]
    try:
        for more in (["--exception-on-interrupt=false"], []):
            monkeypatch.setattr(sys, "argv", ["program", *options, *more, "suite.A"])
            with pytest.raises(SystemExit):
                main(warnings="default")
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before)
    assert given == {
        "argv": ["program", "suite.A"],
        "verbosity": 0,
        "failfast": True,
        "catchbreak": True,
        "buffer": True,
        "warnings": "default",
    }
