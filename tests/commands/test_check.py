"""``check``: that it tells the truth, and how it is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.commands.checked import found_in
from wsgitornado.__main__ import main
from wsgitornado.commands.differences import DIFFERENCES, REFUSED
from wsgitornado.commands.judging import named

ROOT = Path(__file__).parents[2]


# -- The truth


@pytest.mark.parametrize("name", sorted({**DIFFERENCES, **REFUSED}))
def test_rows_are_about_names_that_exist(name: str) -> None:
    plain, _, argument = name.partition("(")
    judged = named(f"tornado.{plain}")
    assert judged is not None
    assert judged[0].name == f"tornado.{plain}"
    if not argument:
        assert judged[0].reason == {**DIFFERENCES, **REFUSED}[name]


@pytest.mark.parametrize("name", sorted({**DIFFERENCES, **REFUSED}))
def test_rows_are_on_the_page_of_differences(name: str) -> None:
    page = (ROOT / "docs/reference/differences.rst").read_text(encoding="utf-8")
    settings = (ROOT / "docs/reference/settings.rst").read_text(encoding="utf-8")
    words = name.replace("(", ".").replace(")", "").split(".")
    assert words[-1].rstrip("_") in page + settings


def test_programs_that_run_on_both_have_nothing_missing() -> None:
    programs = ROOT / "tests/porting/programs"
    found = found_in(*sorted(programs.glob("*.py")), root=programs)
    assert len(found) > 1000
    assert not [line for line in found if " missing " in line]


# -- The command


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.py").write_text("from tornado.web import url\n")
    return tmp_path


def test_nothing_missing_is_status_0(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "log.py").write_text("import tornado\ntornado.version\n")
    assert main(["check", "."]) == 0
    assert capsys.readouterr().out == (
        "log.py:2: differs tornado.version: it is the version of wsgitornado, except "
        "under run\n"
        "2 files, 0 unreadable; uses of Tornado: 1 work, 1 differ, 0 missing\n"
    )


def test_something_missing_is_status_1(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "bad.py").write_text("\nfrom tornado.web import Nothing\n")
    assert main(["check", "bad.py", "good.py", "bad.py"]) == 1
    assert capsys.readouterr().out == (
        "bad.py:2: missing tornado.web.Nothing: wsgitornado does not have it\n"
        "2 files, 0 unreadable; uses of Tornado: 1 work, 0 differ, 1 missing\n"
    )


def test_all_lists_what_works(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--all", "good.py"]) == 0
    assert "good.py:1: works tornado.web.url\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"x = 1\nprint 'x'\n", 2, "Python 2? Missing parentheses in call to 'print'"),
        (b"try: x\nexcept A, b: x\n", 2, "Python 2? multiple exception types must"),
        (b"x = = 1\n", 1, "invalid syntax"),
        (b"x = '\xff'\n", 1, "(unicode error)"),
        (b"x = '\x00'\n", 1, "source code string cannot contain null bytes"),
        (b"x = " + b"-" * 100_000 + b"1", 1, ""),
        (b"x = " + b"1 + " * 2_000 + b"1", 1, ""),
        (b"def f():\n    x = " + b"1 + " * 2_000 + b"1", 1, ""),
    ],
    ids=[
        "print",
        "except",
        "syntax",
        "encoding",
        "null byte",
        "deep",
        "sum",
        "inner sum",
    ],
)
def test_file_that_cannot_be_read_is_reported_and_the_rest_goes_on(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    content: bytes,
    line: int,
    reason: str,
) -> None:
    (folder / "bad.py").write_bytes(content)
    assert main(["check", "--json", "."]) == 1
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (told["files"], told["unreadable"], told["works"]) == (2, 1, 1)
    (row,) = told["uses"]
    assert (row["file"], row["line"]) == ("bad.py", line)
    assert (row["verdict"], row["name"]) == ("unreadable", None)
    assert row["reason"].startswith(reason)


def test_json_has_counts_and_uses(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "good.py", "--json", "--all"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "files": 1,
        "unreadable": 0,
        "works": 1,
        "differs": 0,
        "missing": 0,
        "uses": [
            {
                "file": "good.py",
                "line": 1,
                "verdict": "works",
                "name": "tornado.web.url",
                "reason": "",
            }
        ],
    }


@pytest.mark.parametrize(
    "name", [".hidden/a.py", "env/lib/a.py", "node_modules/a.py", "text.txt"]
)
def test_folders_of_others_are_left_out(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("import tornado.nothing")
    (folder / "env").mkdir(exist_ok=True)
    (folder / "env/pyvenv.cfg").touch()
    assert main(["check", str(folder)]) == 0
    assert capsys.readouterr().out.startswith("1 files")


def test_link_to_elsewhere_is_read(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "there.py"
    elsewhere.write_text("import tornado.nothing")
    (folder / "link.py").symlink_to(elsewhere)
    assert main(["check", "."]) == 1


def test_file_that_is_named_is_read_whatever_its_name(folder: Path) -> None:
    (folder / "script").write_text("import tornado.nothing")
    assert main(["check", "script"]) == 1


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere", "there is no nowhere"),
        ("empty", "there are no Python files in empty"),
    ],
)
def test_nothing_to_read_is_status_2(
    folder: Path, capsys: pytest.CaptureFixture[str], path: str, message: str
) -> None:
    (folder / "empty").mkdir()
    assert main(["check", path]) == 2
    assert capsys.readouterr().err == f"wsgitornado: {message}\n"


def test_program_is_not_run(folder: Path) -> None:
    (folder / "good.py").write_text("raise SystemExit(3)")
    assert main(["check", "good.py"]) == 0
