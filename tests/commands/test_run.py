"""``run``: programs for Tornado, unchanged, and what Python shows of their errors."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import wsgitornado

PROGRAMS = Path(__file__).parent / "programs"

BOUND = 30  # seconds: for a busy machine, not a measure of anything

RUN = [sys.executable, "-m", "wsgitornado", "run"]
ON_TORNADO = [sys.executable]


def run_command(
    *arguments: str, cwd: Path, command: list[str] = RUN
) -> subprocess.CompletedProcess[str]:
    """A program that ends by itself."""
    return subprocess.run(
        [*command, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(wsgitornado.__path__[0]).parent)},
    )


# -- On real sockets

Answered = tuple[int, str | None, str | None, bytes]


@contextlib.contextmanager
def serving(
    command: list[str], *arguments: str, cwd: Path = PROGRAMS
) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A program that serves, and the words of the first line that it prints."""
    with subprocess.Popen(
        [*command, *arguments], stdout=subprocess.PIPE, text=True, cwd=cwd
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().split()
        finally:
            process.terminate()
            process.wait(BOUND)


def ask(port: str, method: str, target: str, body: bytes | None = None) -> Answered:
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=BOUND)
    with contextlib.closing(connection):
        connection.request(method, target, body)
        answer = connection.getresponse()
        kind, where = answer.getheader("Content-Type"), answer.getheader("Location")
        return answer.status, kind, where, answer.read()


REQUESTS: dict[str, list[tuple[str, str, bytes | None]]] = {
    "old_style.py": [
        ("GET", "/", None),
        ("GET", "/?name=ada", None),
        ("GET", "/missing", None),
        ("POST", "/", b""),
        ("GET", "/nowhere", None),
        ("GET", "/lines", None),
    ],
    "modern.py": [
        ("GET", "/", None),
        ("GET", "/wait", None),
        ("GET", "/sign", None),
        ("POST", "/sign", b'{"user": "ada"}'),
        ("POST", "/sign", b"{}"),
        ("GET", "/old", None),
    ],
}


@pytest.mark.live
@pytest.mark.parametrize(
    ("program", "arguments", "words"),
    [
        ("old_style.py", ["--port=0", "--greeting=hi", "left"], ["left"]),
        ("modern.py", ["--a", "b c"], ["--a", "b", "c"]),
    ],
    ids=["old style", "modern"],
)
def test_program_answers_as_under_tornado(
    program: str, arguments: list[str], words: list[str]
) -> None:
    answers = []
    for command in (ON_TORNADO, RUN):
        with serving(command, program, *arguments) as (_, (port, *printed)):
            assert printed == words
            answers.append([ask(port, *asked) for asked in REQUESTS[program]])
    theirs, ours = answers
    assert ours == theirs
    assert {status for status, *_ in ours} > {200}


@pytest.mark.live
def test_program_that_forks_serves_from_its_children() -> None:
    with serving(RUN, "forking.py", "word") as (process, (port,)):
        status, _, _, body = ask(port, "GET", "/")
        assert (status, body) in {(200, b"0 word"), (200, b"1 word")}
        process.send_signal(signal.SIGTERM)
        process.wait(BOUND)


RELOADED = """
import asyncio, sys
import tornado.web, part
async def main():
    tornado.web.Application([], debug=True).listen(0, "127.0.0.1")
    print(part.WORD, *sys.argv, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.mark.live
def test_program_that_loads_itself_again_is_run_again(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(RELOADED)
    (tmp_path / "part.py").write_text("WORD = 'before'")
    with serving(RUN, "program.py", "--a=b", cwd=tmp_path) as (process, words):
        assert words == ["before", "program.py", "--a=b"]
        # Of another length: a file system may have coarse times.
        (tmp_path / "part.py").write_text("WORD = 'afterwards'")
        assert process.stdout is not None
        assert process.stdout.readline() == "afterwards program.py --a=b\n"


# -- As Python runs it

SHOWN = """
import sys
print([__name__, __file__, sys.argv, sys.path[0], __spec__ and __spec__.name])
import builtins
print(vars(sys.modules["__main__"]) is globals(), __builtins__ is builtins)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["shown.py", "--help", "--", "a b"],
        ["below/linked.py"],
        ["folder"],
        ["-m", "shown", "-m", "x"],
        ["-m", "package"],
        ["-m", "package.module"],
    ],
    ids=lambda arguments: " ".join(arguments),
)
def test_program_sees_what_python_shows_it(
    tmp_path: Path, arguments: list[str]
) -> None:
    (tmp_path / "shown.py").write_text(SHOWN)
    for name in ("below", "folder", "package"):
        (tmp_path / name).mkdir()
    (tmp_path / "below/linked.py").symlink_to(tmp_path / "shown.py")
    (tmp_path / "folder/__main__.py").write_text(SHOWN)
    (tmp_path / "package/__init__.py").touch()
    (tmp_path / "package/__main__.py").write_text(SHOWN)
    (tmp_path / "package/module.py").write_text(SHOWN)
    expected = run_command(*arguments, cwd=tmp_path, command=ON_TORNADO)
    shown = run_command(*arguments, cwd=tmp_path)
    if arguments == ["folder"]:
        # Python names a folder in its own way; what matters is where it looks.
        assert f"{tmp_path / 'folder'}" in shown.stdout
    else:
        assert shown.stdout == expected.stdout
    assert (shown.returncode, shown.stderr) == (0, "")


IMPORTS = """
import logging, sys
import tornado
import tornado.web as theirs
from tornado import escape, httputil
from tornado.web import RequestHandler
import wsgitornado.web as ours
import wsgitornado.escape
assert theirs is ours and sys.modules["tornado.web"] is ours
assert tornado is wsgitornado and tornado.web is ours
assert escape is wsgitornado.escape
assert issubclass(RequestHandler, ours.RequestHandler)
assert ours.__spec__.name == ours.__name__ == "wsgitornado.web"
assert tornado.version_info >= (6, 6), tornado.version_info
assert tornado.util.import_object("tornado.web.RequestHandler") is RequestHandler
import json
print("all of it")
"""


def test_modules_are_the_same_by_both_names(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(IMPORTS)
    ended = run_command("program.py", cwd=tmp_path)
    assert (ended.stdout, ended.stderr) == ("all of it\n", "")


LOGGING = """
import logging.config
from tornado.log import access_log, gen_log
from tornado.testing import ExpectLog
logging.config.dictConfig({
    "version": 1,
    "formatters": {"named": {"format": "%(name)s %(message)s"}},
    "handlers": {"out": {
        "class": "logging.StreamHandler", "stream": "ext://sys.stdout",
        "formatter": "named",
    }},
    "loggers": {"tornado.access": {"level": "INFO", "handlers": ["out"]}},
})
access_log.info("seen")
gen_log.warning("not seen: the configuration does not name it")
logging.getLogger("tornado").setLevel("ERROR")
assert gen_log.getEffectiveLevel() == logging.ERROR
gen_log.disabled = False
gen_log.setLevel("INFO")
with ExpectLog("tornado.general", "expected"):
    gen_log.warning("expected")
"""


def test_loggers_have_the_names_of_tornado(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(LOGGING)
    ended = run_command("program.py", cwd=tmp_path)
    assert (ended.stdout, ended.stderr) == ("tornado.access seen\n", "")


# -- What goes wrong


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("from tornado.web import Nothing", "tornado.web.Nothing"),
        ("import tornado.web; tornado.web.Nothing", "tornado.web.Nothing"),
        (
            "from tornado.ioloop import IOLoop; IOLoop.current().nothing()",
            "tornado.ioloop.IOLoop.nothing",
        ),
    ],
)
def test_first_missing_name_is_said(tmp_path: Path, line: str, name: str) -> None:
    (tmp_path / "program.py").write_text(f"def f():\n    {line}\nf()\n")
    ended = run_command("program.py", cwd=tmp_path)
    assert ended.returncode == 1
    lines = ended.stderr.splitlines()
    assert lines[-1].startswith(f"{name} is not in wsgitornado {wsgitornado.version}")
    files = [text for text in lines if text.startswith("  File")]
    assert [text.partition(",")[0] for text in files] == [
        f'  File "{tmp_path / "program.py"}"'
    ] * 2


def test_advice_is_given_for_what_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "try:\n    import tornado.tcpserver\n"
        "except ImportError as error:\n    print(error, error.name)"
    )
    ended = run_command("program.py", cwd=tmp_path)
    assert ended.stdout.startswith("there is no tornado.tcpserver on WSGI: ")
    assert ended.stdout.endswith("tornado.tcpserver\n")


@pytest.mark.parametrize(
    "source",
    [
        "1 / 0",
        "def f():\n    raise KeyError('x')\nf()",
        "x = = 1",
        "import sys; sys.exit(5)",
        "import sys; sys.exit('no')",
        "raise KeyboardInterrupt",
        "import broken",
        "import sys; sys.excepthook = lambda *a: print('hooked', file=sys.stderr); 1/0",
    ],
)
def test_errors_look_as_python_shows_them(tmp_path: Path, source: str) -> None:
    (tmp_path / "program.py").write_text(source)
    (tmp_path / "broken.py").write_text("x = = 2")
    theirs = run_command("program.py", cwd=tmp_path, command=ON_TORNADO)
    ours = run_command("program.py", cwd=tmp_path)
    assert ours.returncode == theirs.returncode != 0
    assert ours.stderr == theirs.stderr


def test_error_of_a_module_begins_with_its_own_lines(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("1 / 0")
    ended = run_command("-m", "program", cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[1] == (
        f'  File "{tmp_path / "program.py"}", line 1, in <module>'
    )


def test_path_is_left_alone_where_python_is_to_be_safe(
    tmp_path: Path,
) -> None:
    (tmp_path / "program.py").write_text("import sys; print(sys.path[0])")
    command = [sys.executable, "-P", "-m", "wsgitornado", "run"]
    ended = run_command("program.py", cwd=tmp_path, command=command)
    assert ended.stdout.strip() != str(tmp_path)
