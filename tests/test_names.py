"""Names of the package: modules that load on first use, and those that cannot be."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

import wsgitornado
from tests.loops import run_program
from wsgitornado import _absent, iostream
from wsgitornado.httputil.errors import StreamClosedError

ROOT = Path(wsgitornado.__path__[0]).parent

#: Nobody but the package imports these.
INTERNAL = {"commands", "parked", "parking"}

MODULES = [name for name in wsgitornado.__all__ if not name.startswith("version")]

ABSENT_MODULES = [name for name in _absent.ADVICE if "." not in name]


@pytest.fixture
def no_modules_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a program that has only imported the package."""
    for name in MODULES:
        monkeypatch.delattr(wsgitornado, name, raising=False)


# On first use


@pytest.mark.usefixtures("no_modules_loaded")
@pytest.mark.parametrize("name", MODULES)
def test_module_is_an_attribute_of_the_package(name: str) -> None:
    module = getattr(wsgitornado, name)
    assert isinstance(module, ModuleType)
    assert module.__name__ == f"wsgitornado.{name}"


def test_every_public_module_is_an_attribute() -> None:
    # A new module enters the lists of the package's __init__.
    found = {found.name for found in pkgutil.iter_modules(wsgitornado.__path__)}
    public = {name for name in found if not name.startswith("_")}
    assert public - INTERNAL - set(ABSENT_MODULES) == set(MODULES)


@pytest.mark.usefixtures("no_modules_loaded")
def test_modules_are_listed_before_they_are_loaded() -> None:
    assert {*MODULES, "version", "__path__"} <= set(dir(wsgitornado))


def test_program_uses_what_it_has_not_imported() -> None:
    done = run_program(
        """
        import wsgitornado

        class Hello(wsgitornado.web.RequestHandler):
            def get(self):
                self.write(wsgitornado.escape.xhtml_escape("<"))

        app = wsgitornado.web.Application([("/", Hello)])
        print(app.wildcard_router.rules[0].target is Hello)
        """
    )
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_importing_the_package_loads_nothing_else() -> None:
    # Without the hooks of this environment, which import something of their own.
    done = run_program(
        f"""
        import sys
        before = set(sys.modules)
        sys.path.insert(0, {str(ROOT)!r})
        import wsgitornado
        print(*sorted(set(sys.modules) - before))
        """,
        "-S",
        "-I",
    )
    loaded = set(done.stdout.split())
    assert {"wsgitornado", "wsgitornado._absent"} <= loaded
    assert loaded <= {
        "wsgitornado",
        "wsgitornado._absent",
        "wsgitornado._version",
        "__future__",
        "_warnings",
        "importlib",
        # Built in; the interpreter has them under other names.
        "importlib._bootstrap",
        "importlib._bootstrap_external",
        "warnings",
    }


@pytest.mark.parametrize("name", ["nope", "_nope", "RequestHandler", "__wrapped__"])
def test_other_names_are_missing(name: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(wsgitornado, name)
    assert str(caught.value) == f"module 'wsgitornado' has no attribute {name!r}"


def test_version_is_told_twice() -> None:
    text = ".".join(map(str, wsgitornado.version_info[:3]))
    assert wsgitornado.version.startswith(text)
    assert len(wsgitornado.version_info) == 4


# What cannot be


@pytest.mark.parametrize("name", ABSENT_MODULES)
def test_module_that_cannot_be_names_what_to_use(name: str) -> None:
    full_name = f"wsgitornado.{name}"
    with pytest.raises(ImportError) as caught:
        importlib.import_module(full_name)
    assert str(caught.value).startswith(f"there is no {full_name} on WSGI: ")
    assert _absent.ADVICE[name] in str(caught.value)
    assert caught.value.name == full_name
    assert full_name not in sys.modules


@pytest.mark.parametrize("name", ABSENT_MODULES)
def test_it_is_no_attribute_either(name: str) -> None:
    assert not hasattr(wsgitornado, name)
    with pytest.raises(AttributeError) as caught:
        getattr(wsgitornado, name)
    assert _absent.ADVICE[name] in str(caught.value)


@pytest.mark.parametrize(
    "statement",
    [
        "from wsgitornado import tcpserver",
        "import wsgitornado.tcpserver",
        "from wsgitornado.tcpserver import TCPServer",
        "from wsgitornado.iostream import IOStream",
        "from wsgitornado.iostream import StreamClosedError, SSLIOStream",
    ],
)
def test_every_form_of_import_shows_the_advice(statement: str) -> None:
    with pytest.raises(ImportError, match=r"^there is no wsgitornado"):
        exec(statement, {})


def test_stream_closed_error_is_the_one_that_handlers_meet() -> None:
    assert iostream.StreamClosedError is StreamClosedError
    assert wsgitornado.web.StreamClosedError is StreamClosedError


def test_what_no_stream_has_is_missing_in_iostream() -> None:
    assert not hasattr(iostream, "Nope")


def test_websocket_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    # As it is on a machine that has never loaded it.
    monkeypatch.delitem(vars(wsgitornado.websocket), "WebSocketHandler", raising=False)
    ours = [f"wsgitornado.websocket.{one}" for one in ("deflate", "handler")]
    for module in [*ours, *(one for one in sys.modules if one[:7] == "wsproto")]:
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "wsproto", None)
    wanted = r"pip install 'wsgitornado\[websocket\]'"
    with pytest.raises(ModuleNotFoundError, match=wanted):
        wsgitornado.websocket.WebSocketHandler  # noqa: B018


def test_what_no_websocket_has_is_missing() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nope'"):
        wsgitornado.websocket.Nope  # type: ignore[attr-defined]  # noqa: B018


# Beside Tornado


def test_every_module_of_tornado_is_there_or_advised_on() -> None:
    tornado = pytest.importorskip("tornado")
    assert set(tornado.__all__) <= {*MODULES, *ABSENT_MODULES}


def test_every_name_of_iostream_is_there_or_advised_on() -> None:
    theirs = pytest.importorskip("tornado.iostream")
    for name, value in vars(theirs).items():
        if name[0] != "_" and getattr(value, "__module__", "") == theirs.__name__:
            known = {*iostream.__all__, *(n.rpartition(".")[2] for n in _absent.ADVICE)}
            assert name == "doctests" or name in known
