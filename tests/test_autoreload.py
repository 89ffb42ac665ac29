"""Reloading: a program that serves is started anew, whatever was written into it."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

import pytest

from tests.reloading import NO_WATCHFILES, Program, ask, running

pytestmark = pytest.mark.live

PROGRAM = """
import asyncio, logging, os, sys
from pathlib import Path
from wsgitornado import locale
from wsgitornado.web import Application, RequestHandler
import helper

class Show(RequestHandler):
    def get(self):
        self.write({
            "value": helper.VALUE,
            "pid": os.getpid(),
            "argv": sys.argv[1:],
            "program": Path(sys.argv[0]).stem,
            "name": __name__,
            "main": sys.modules["__main__"].__dict__ is globals(),
            "optimize": sys.flags.optimize,
            "xoptions": dict(sys._xoptions),
            "variable": os.environ.get("VARIABLE"),
        })

class Page(RequestHandler):
    def get(self):
        self.render("page.html")

async def main():
    locale.load_translations("locales")
    app = Application(
        [("/", Show), ("/page", Page)],
        debug=True,
        template_path="templates",
        static_path="templates/static",
    )
    # The port of the first time, which nothing may hold the next time.
    port = Path("port")
    number = int(port.read_text()) if port.exists() else 0
    server = app.listen(number, "127.0.0.1")
    number = server.sockets[0].getsockname()[1]
    port.write_text(str(number))
    print(f"listening on http://127.0.0.1:{number}", flush=True)
    await asyncio.Event().wait()

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "helper.py").write_text("VALUE = 1\n")
    (tmp_path / "templates" / "static").mkdir(parents=True)
    (tmp_path / "templates" / "page.html").write_text("a page")
    (tmp_path / "templates" / "static" / "style.css").write_text("p {}")
    (tmp_path / "locales").mkdir()
    (tmp_path / "locales" / "de.csv").write_text('"Yes","Ja"\n')
    return tmp_path


@pytest.fixture(params=["watchfiles", "polling"])
def by(request: pytest.FixtureRequest, folder: Path) -> None:
    """How changes are noticed."""
    if request.param == "polling":
        (folder / "watchfiles.py").write_text(NO_WATCHFILES)
    else:
        pytest.importorskip("watchfiles")


@pytest.mark.usefixtures("by")
def test_program_survives_what_is_written_into_it(folder: Path) -> None:
    with running(folder, "program.py") as program:
        port = program.wait_for_port()
        before = json.loads(ask(port))
        assert before["value"] == 1

        program.write("helper.py", "VALUE = 22\n")
        program.wait_for(r"helper\.py has changed: starting anew")
        assert program.wait_for_port() == port
        assert json.loads(ask(port)) == {**before, "value": 22}

        program.write("helper.py", "VALUE = (\n")
        program.wait_for(r"SyntaxError: '\(' was never closed")
        program.write("helper.py", "VALUE = 333\n")
        program.wait_for_port()
        assert json.loads(ask(port))["value"] == 333

        program.write("helper.py", "VALUE = 1 / 0\n")
        program.wait_for("ZeroDivisionError: division by zero")
        program.write("helper.py", "VALUE = 4444\n")
        program.wait_for_port()

        (folder / "helper.py").unlink()
        program.wait_for("ModuleNotFoundError: No module named 'helper'")
        program.write("helper.py", "VALUE = 55555\n")
        program.wait_for_port()
        # The same process, and as it was told to be.
        assert json.loads(ask(port)) == {**before, "value": 55555}
        # Of the traceback only what is the program's.
        assert "runpy" not in program.seen
        program.process.send_signal(signal.SIGTERM)
        assert program.wait() == 0


def test_mistake_in_the_program_itself_is_survived(folder: Path) -> None:
    with running(folder, "program.py") as program:
        program.wait_for_port()
        program.write("program.py", "def\n")
        program.wait_for(r"program\.py.*, line 1")
        program.wait_for("SyntaxError")
        program.wait_for("wsgitornado: waiting for a change")
        program.write("program.py", PROGRAM)
        program.wait_for_port()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_waiting_after_a_mistake_ends_by_a_signal(
    folder: Path, number: signal.Signals
) -> None:
    with running(folder, "program.py") as program:
        program.wait_for_port()
        program.write("helper.py", "VALUE = (\n")
        program.wait_for("waiting for a change")
        program.process.send_signal(number)
        assert program.wait() == 128 + number
        assert program.rest() == ""


@pytest.mark.parametrize(
    "target",
    [["program.py"], ["-m", "program"], ["-mprogram"]],
    ids=["script", "module", "module in one word"],
)
def test_restart_keeps_arguments_options_and_environment(
    folder: Path, target: list[str]
) -> None:
    arguments = ["-O", "-X", "mine=1", "-Wignore", *target, "a b", "--port", "-m"]
    with running(folder, *arguments, VARIABLE="kept") as program:
        port = program.wait_for_port()
        before = json.loads(ask(port))
        assert before["argv"] == ["a b", "--port", "-m"]
        assert before["xoptions"] == {"mine": "1"}
        assert (before["optimize"], before["variable"]) == (1, "kept")
        assert (before["program"], before["name"]) == ("program", "__main__")
        assert before["main"] is True
        for value in (22, 333):
            program.write("helper.py", f"VALUE = {value}\n")
            program.wait_for_port()
            assert json.loads(ask(port)) == {**before, "value": value}


def test_program_that_has_gone_elsewhere_is_found_again(folder: Path) -> None:
    program_text = PROGRAM.replace("listening", "in {os.getcwd()} listening").replace(
        "    print", "    os.chdir('/')\n    print"
    )
    (folder / "program.py").write_text(program_text)
    with running(folder, "program.py") as program:
        program.wait_for_port()
        program.write("helper.py", "VALUE = 22\n")
        assert json.loads(ask(program.wait_for_port()))["value"] == 22


@pytest.mark.usefixtures("by")
@pytest.mark.parametrize(
    "name",
    ["templates/page.html", "templates/new.html", "locales/de.csv", "locales/fr.csv"],
)
def test_template_and_translation_are_of_the_program_and_static_files_are_not(
    folder: Path, name: str
) -> None:
    with running(folder, "program.py") as program:
        program.wait_for_port()
        program.write("templates/static/style.css", "p { color: red }")
        program.write("templates/static/script.js", "1")
        (folder / "templates" / ".page.html.swp").write_text("an editor's")
        (folder / "templates" / "page.html~").write_text("an editor's")
        before = program.seen
        program.write(name, '"No","Non"\n')
        changed = program.wait_for("(\\S+) has changed")[1]
        assert changed.endswith(f":{folder.resolve() / name}")
        assert program.seen.count("has changed") == before.count("has changed") + 1
        program.wait_for_port()


def test_templates_beside_the_program_are_watched_when_they_were_used(
    folder: Path,
) -> None:
    text = PROGRAM.replace('template_path="templates",', "")
    (folder / "program.py").write_text(text)
    (folder / "page.html").write_text("first")
    with running(folder, "program.py") as program:
        port = program.wait_for_port()
        (folder / "data.txt").write_text("the program's own")
        assert ask(port, "/page") == "first"
        program.change_until_seen("page.html", "page {}", r"page\.html has changed")
        assert ask(program.wait_for_port(), "/page").startswith("page 1")


HOOKS = """
import asyncio, logging, threading, time
from pathlib import Path
from wsgitornado import autoreload
from wsgitornado.web import Application, RequestHandler

class Hang(RequestHandler):
    def get(self):
        print("hanging", flush=True)
        time.sleep(1000)

def hook():
    is_main = threading.current_thread() is threading.main_thread()
    print("first hook", "on the loop" if is_main else "beside it", flush=True)

def broken():
    raise ValueError("broken hook")

def last():
    print("last hook")

logging.basicConfig(level=logging.INFO)
autoreload.add_reload_hook(hook)
autoreload.add_reload_hook(broken)
autoreload.add_reload_hook(last)
autoreload.watch("settings.conf")

async def main():
    server = Application([("/", Hang)], autoreload=True).listen(0, "127.0.0.1")
    number = server.sockets[0].getsockname()[1]
    print(f"listening on http://127.0.0.1:{number}", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_hooks_are_called_on_the_loop_and_one_that_fails_stops_nothing(
    tmp_path: Path,
) -> None:
    (tmp_path / "program.py").write_text(HOOKS)
    with running(tmp_path, "program.py") as program:
        program.wait_for_port()
        # Which was not there yet.
        program.write("settings.conf", "a=1")
        program.wait_for("first hook on the loop")
        program.wait_for("ValueError: broken hook")
        program.wait_for("last hook")
        program.wait_for_port()


def test_loop_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(HOOKS)
    with running(tmp_path, "program.py") as program:
        port = program.wait_for_port()
        with pytest.raises(ConnectionError):
            _ask_and_change(program, port)
        program.wait_for("first hook beside it")
        program.wait_for_port()


def _ask_and_change(program: Program, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        program.wait_for("hanging")
        program.write("settings.conf", "a=1")
        if not client.recv(1):
            raise ConnectionError
