"""The plugin of pytest, in projects of a user."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from tests.testing_programs import run_python
from wsgitornado import _pytest_plugin

pytest.importorskip("webtest")

APP = """
import asyncio, pytest
from wsgitornado.web import Application, RequestHandler

class Hello(RequestHandler):
    async def get(self):
        await asyncio.sleep(0)
        self.write("Hello")

@pytest.fixture
def app():
    return Application([("/", Hello)])
"""

USES = """
import urllib.request

def test_client(client):
    assert client.get("/").text == "Hello"

def test_server(live_server):
    with urllib.request.urlopen(live_server.url) as answer:
        assert answer.read() == b"Hello"

def test_long_names(client, wsgitornado_client, live_server, wsgitornado_live_server):
    assert client is wsgitornado_client
    assert live_server is wsgitornado_live_server
    with urllib.request.urlopen(live_server.get_url("/")) as answer:
        assert answer.read().decode() == client.get("/").text
"""

#: A plugin that has fixtures of the same names, as pytest-django and pytest-flask have.
OTHER = """
import pytest

@pytest.fixture
def client():
    return "the client of another plugin"
"""


def run_pytest(folder: Path, *arguments: str, **files: str) -> tuple[int, str]:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    done = run_python(
        folder,
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"),
        *("-p", "wsgitornado._pytest_plugin"),
        *arguments,
        # Whatever is installed here: the plugin alone, whether it is an entry point
        # already or not.
        PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
    )
    return done.returncode, done.stdout + done.stderr


def test_fixtures_are_made_from_the_app(tmp_path: Path) -> None:
    code, output = run_pytest(tmp_path, conftest=APP, test_it=USES)
    assert (code, "3 passed" in output) == (0, True), output


def test_plugin_runs_in_this_process(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(APP)
    (tmp_path / "test_within.py").write_text(USES)
    # Of ours, too: it is given below.
    others = ("cacheprovider", "cov", "timeout", "terminal", "wsgitornado")
    alone = [f"-pno:{name}" for name in others]
    folder = tmp_path / "others"
    folder.mkdir()
    (folder / "test_taken.py").write_text("def test(wsgitornado_client): pass")
    (folder / "conftest.py").write_text(
        "import pytest\n@pytest.fixture\ndef app(no): 0"
    )
    (tmp_path / "test_none.py").write_text("def test(client): pass")
    plugin = importlib.reload(_pytest_plugin)
    arguments = [f"--rootdir={tmp_path}", "--import-mode=importlib", *alone]

    def run(name: str, *more: object) -> int:
        return pytest.main([*arguments, str(tmp_path / name)], plugins=[plugin, *more])

    taken = ModuleType("taken")
    taken.client = None  # type: ignore[attr-defined]  # as a plugin has it
    assert run("test_within.py") == pytest.ExitCode.OK
    assert run("test_within.py", taken) == pytest.ExitCode.TESTS_FAILED
    assert run("others") == pytest.ExitCode.TESTS_FAILED
    (tmp_path / "conftest.py").unlink()
    assert run("test_none.py") == pytest.ExitCode.TESTS_FAILED


def test_suite_of_unittest_runs_beside_them(tmp_path: Path) -> None:
    suite = """
from wsgitornado.testing import AsyncTestCase, gen_test

class Rooms(AsyncTestCase):
    @gen_test
    async def test_good(self): pass
    @gen_test
    async def test_bad(self): self.fail("there")
    def test_callback(self):
        self.io_loop.add_callback(lambda: 1 / 0)
        self.wait()
    async def test_bare(self): pass
"""
    code, output = run_pytest(tmp_path, conftest=APP, test_it=USES + suite)
    assert (code, "3 failed, 4 passed" in output) == (1, True), output
    assert "AssertionError: there" in output
    assert "ZeroDivisionError" in output
    assert "should be decorated with wsgitornado.testing.gen_test" in output


@pytest.mark.parametrize("name", ["client", "live_server"])
def test_without_an_app_it_says_what_to_write(tmp_path: Path, name: str) -> None:
    test = f"def test({name}): pass"
    code, output = run_pytest(tmp_path, test_it=test)
    assert code == 1
    assert f"the fixture 'wsgitornado_{name}' needs one named 'app'" in output
    assert "def app():" in output


def test_what_is_missing_in_the_app_is_not_taken_for_it(tmp_path: Path) -> None:
    conftest = "import pytest\n@pytest.fixture\ndef app(database): pass"
    _, output = run_pytest(tmp_path, conftest=conftest, test_it="def test(client): 0")
    assert "fixture 'database' not found" in output


def test_app_that_is_none_is_refused(tmp_path: Path) -> None:
    conftest = "import pytest\n@pytest.fixture\ndef app(): return 5"
    _, output = run_pytest(tmp_path, conftest=conftest, test_it="def test(client): 0")
    assert "an application is a WSGI callable: got 5" in output


def test_names_of_other_plugins_stay_theirs(tmp_path: Path) -> None:
    test = """
def test(client, wsgitornado_client):
    assert client == "the client of another plugin"
    assert wsgitornado_client.get("/").text == "Hello"

def test_server(live_server):
    pass
"""
    _, output = run_pytest(
        tmp_path, "-p", "other", conftest=APP, test_it=test, other=OTHER
    )
    # Nor is there a live_server: it would have nothing to do with that client.
    assert "1 passed, 1 error" in output
    assert "fixture 'live_server' not found" in output


def test_users_build_on_the_fixtures(tmp_path: Path) -> None:
    conftest = """
@pytest.fixture
def client(client):
    client.name = "mine"
    return client
"""
    test = "def test(client): assert client.name == 'mine'"
    code, output = run_pytest(tmp_path, conftest=APP + conftest, test_it=test)
    assert (code, "1 passed" in output) == (0, True), output


def test_who_does_not_use_it_loads_nothing(tmp_path: Path) -> None:
    test = """
import sys

def test():
    ours = {name for name in sys.modules if name.partition(".")[0] == "wsgitornado"}
    assert ours == {"wsgitornado", "wsgitornado._absent", "wsgitornado._pytest_plugin",
                    "wsgitornado._version"}
    assert "webob" not in sys.modules
"""
    code, output = run_pytest(tmp_path, test_it=test)
    assert (code, "1 passed" in output) == (0, True), output


def test_fixtures_are_described(tmp_path: Path) -> None:
    code, output = run_pytest(tmp_path, "--fixtures")
    assert code in (0, 5)
    assert "wsgitornado_live_server" in output
