"""Whole programs for Tornado: what they answer there they answer here, everywhere."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

pytest.importorskip("tornado")
pytest.importorskip("httpx")
pytest.importorskip("gunicorn")

from tests.live.client import HOST
from tests.live.servers import ROOT, SERVERS, run_command
from tests.moving.visitor import Visitor
from tests.moving.walks import walk_asynchronous, walk_board, walk_gallery
from tests.porting.answers import Answer, differences
from tests.porting.servers import ported  # this needs tornado
from wsgitornado.__main__ import main

pytestmark = pytest.mark.live

PROGRAMS: Final = Path(__file__).parent / "programs"

# A line of the log, without what is new each time. How often the walk asks whether
# somebody waits depends on the machine.
_LOGGED = re.compile(
    r"\[([A-Z]) [\d ]+:\d\d:\d\d \w+:\d+\] (?!.* GET /(?:message/waiting|watching) )"
    r"(.*?)(?: \d+\.\d\dms)?$"
)

# Those that only take the application of a program: with threads, so many that nobody
# who waits is in the way of the next, or without.
_THREADS: Final = ["--threads", "8"]
KINDS: Final = {
    "gunicorn-gthread": [*SERVERS["gunicorn-gthread"], *_THREADS],
    "gunicorn-loop": SERVERS["gunicorn-loop"],
    "loop-threads": [*SERVERS["loop-threads"], *_THREADS],
    "waitress": [*SERVERS["waitress"], *_THREADS],
}

RUN = [sys.executable, "-m", "wsgitornado", "run"]


@dataclass(frozen=True)
class Moved:
    """A program, and what is asked of it.

    :ivar target: what servers are told to import.
    :ivar statuses: among those of the answers.
    :ivar left: the line of a request whose client left, if there is one. Tornado writes
        none; here each request has its line, as the page of differences says.
    """

    folder: str
    file: str
    walk: Callable[[Visitor], None]
    target: str
    statuses: str = ""
    left: tuple[tuple[str, str], ...] = ()

    @property
    def path(self) -> Path:
        return PROGRAMS / self.folder / self.file


BOARD = Moved(
    "old_style",
    "board.py",
    walk_board,
    "board:application",
    "200 202 206 301 302 304 400 403 404 405 409 416",
    (("I", f"200 POST /message/updates?cursor=3 ({HOST})"),),
)
GALLERY = Moved(
    "modern",
    "gallery.py",
    walk_gallery,
    "gallery:make_app()",
    "200 201 204 206 302 303 304 400 403 404 416 422",
)


# -- The servers


@contextlib.contextmanager
def reserved_port() -> Iterator[int]:
    """A port that nobody else gets, for a program that shares it."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((HOST, 0))
        yield sock.getsockname()[1]


@dataclass(frozen=True)
class Seen:
    """What came of a walk: the answers, and what the program logged.

    :ivar log: the lines of a program that sets up its logging, by level and message.
    """

    answers: dict[str, Answer]
    log: Counter[tuple[str, str]]
    tracebacks: int


def walk(program: Moved, kind: str, command: list[str]) -> Seen:
    """Go through a program on a server that is started for it."""
    with run_command(kind, command) as server:
        visitor = Visitor(server.port)
        program.walk(visitor)
    found = (
        _LOGGED.match(line.replace(f":{server.port}", "")) for line in server.lines
    )
    log = Counter((match[1], match[2]) for match in found if match)
    return Seen(visitor.answers, log, len(server.tracebacks()))


def walk_as_started(program: Moved, kind: str, command: list[str]) -> Seen:
    """The same for a program that its users start, and that listens by itself."""
    if program is BOARD:
        return walk(program, kind, [*command, "--port=0"])
    with reserved_port() as port:
        return walk(program, kind, [*command, f"--port={port}", "--reuse_port"])


@functools.cache
def seen_on_tornado(program: Moved) -> Seen:
    return walk_as_started(program, "tornado", [sys.executable, str(program.path)])


def changed_copy(folder: str, place: Path) -> Path:
    """A copy of a program in which the imports say ``wsgitornado``; nothing else."""
    target = place / folder
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PROGRAMS / folder, target, ignore=ignored)
    for path in target.glob("*.py"):
        source = path.read_text(encoding="utf-8")
        changed = ported(source)
        path.write_text(changed, encoding="utf-8")
        lines = zip(source.splitlines(), changed.splitlines(), strict=True)
        is_import = re.compile(r"\s*(from|import) tornado\b").match
        assert all(is_import(old) for old, new in lines if old != new)
    return target


@pytest.fixture
def copy(program: Moved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the changed program, from which servers import it."""
    folder = changed_copy(program.folder, tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


def assert_same(program: Moved, seen: Seen) -> None:
    expected = seen_on_tornado(program)
    assert list(seen.answers) == list(expected.answers)
    found = {
        step: lines
        for step, answer in seen.answers.items()
        if (lines := differences(expected.answers[step], answer))
    }
    # Nothing that a client sees differs, whatever the page of differences allows.
    assert found == {}
    assert seen.tracebacks == expected.tracebacks > 0


def assert_logs_the_same(program: Moved, seen: Seen) -> None:
    """For programs that set up logging as they start; servers have their own ways."""
    log = seen_on_tornado(program).log
    assert seen.log == log + Counter(program.left)
    assert {level for level, _ in log} == {"I", "W", "E"}


# -- The same answers


@pytest.mark.parametrize("program", [BOARD, GALLERY], ids=["old style", "modern"])
class TestMoved:
    def test_walk_sees_all_kinds_of_answers(self, program: Moved) -> None:
        seen = seen_on_tornado(program)
        assert len(seen.answers) > 40
        assert {answer.ending for answer in seen.answers.values()} == {"whole"}
        statuses = {answer.status[:3] for answer in seen.answers.values()}
        assert statuses > set(program.statuses.split())

    def test_program_with_other_imports_answers_as_on_tornado(
        self, program: Moved, copy: Path
    ) -> None:
        command = [sys.executable, str(copy / program.file)]
        seen = walk_as_started(program, "loop", command)
        assert_same(program, seen)
        assert_logs_the_same(program, seen)

    def test_program_as_it_is_answers_as_on_tornado(self, program: Moved) -> None:
        seen = walk_as_started(program, "run", [*RUN, str(program.path)])
        assert_same(program, seen)
        assert_logs_the_same(program, seen)

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.usefixtures("copy")
    def test_program_on_a_server_answers_as_on_tornado(
        self, program: Moved, kind: str
    ) -> None:
        target = program.target
        if not kind.startswith("gunicorn"):
            target = target.removesuffix("()")
        assert_same(program, walk(program, kind, [*KINDS[kind], target]))


def test_asynchronous_methods_end_when_their_callbacks_say(tmp_path: Path) -> None:
    """Tornado 6 has none of them: what they answer is what its old references say."""
    old_style = Moved("old_style", "asynchronous.py", walk_asynchronous, "")
    folder = changed_copy(old_style.folder, tmp_path)
    expected = {"later": "200 OK", "failed": "409 Conflict", "both": "200 OK"}
    for kind, command in KINDS.items():
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", str(folder))
            target = "asynchronous:application"
            answers = walk(old_style, kind, [*command, target]).answers
        assert {step: answer.status for step, answer in answers.items()} == expected
        assert answers["later"].body == b"first then second"
        assert answers["both"].body == b"both"


# -- The program with tests of its own


def passed(command: list[str], place: Path) -> list[str]:
    """The names of the tests that ran, in a run in which all of them passed."""
    done = subprocess.run(
        [*command, "-v", "tested.tests"],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # Lines of the access log come between a name and its result.
    found = re.findall(r"^(test_\w+) \(", done.stderr, re.MULTILINE)
    assert re.search(rf"^Ran {len(found)} tests", done.stderr, re.MULTILINE)
    return sorted(found)


def test_suite_passes_on_tornado_and_on_us(tmp_path: Path) -> None:
    on_tornado = passed([sys.executable, "-m", "unittest"], PROGRAMS)
    assert len(on_tornado) == 12
    changed_copy("tested", tmp_path)
    assert passed([sys.executable, "-m", "unittest"], tmp_path) == on_tornado
    assert passed([*RUN, "-m", "unittest"], PROGRAMS) == on_tornado


# -- What is said of them beforehand

#: Each use that does not work quite as on Tornado.
SAID = [
    "old_style/asynchronous.py web.asynchronous",
    "old_style/asynchronous.py web.RequestHandler.flush(callback)",
    "old_style/asynchronous.py web.asynchronous",
    "old_style/asynchronous.py web.asynchronous",
    "old_style/board.py web.RequestHandler.on_connection_close",
    "tested/shop.py log.app_log",
]


def test_check_tells_the_truth(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(PROGRAMS)
    assert main(["check", "."]) == 0
    *rows, total = capsys.readouterr().out.splitlines()
    said = [re.sub(r":\d+: differs (tornado\.)?", " ", row) for row in rows]
    assert [row.partition(": ")[0] for row in said] == SAID
    assert total.startswith("6 files, 0 unreadable; ")
    assert total.endswith(f", {len(SAID)} differ, 0 missing")
