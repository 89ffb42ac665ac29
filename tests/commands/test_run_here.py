"""``run`` within one process: what it changes, and what it says of mistakes."""

from __future__ import annotations

import importlib
import logging
import sys
from pathlib import Path
from types import ModuleType

import pytest

import wsgitornado
from wsgitornado.__main__ import main
from wsgitornado.commands import run, stand_in
from wsgitornado.log import access_log, app_log, gen_log


@pytest.fixture
def everything_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``run`` changes of the process, for it alone."""
    for name in ("argv", "path", "meta_path"):
        monkeypatch.setattr(sys, name, getattr(sys, name)[:])
    for name in [n for n in sys.modules if n.partition(".")[0] == "tornado"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(wsgitornado, "version", wsgitornado.version)
    monkeypatch.setattr(wsgitornado, "version_info", wsgitornado.version_info)
    for logger in (access_log, app_log, gen_log):
        monkeypatch.setattr(logger, "name", logger.name)
        monkeypatch.setattr(logger, "parent", logger.parent)
    manager = logging.Logger.manager
    monkeypatch.setattr(manager, "loggerDict", dict(manager.loggerDict))


def forget_tornado() -> None:
    for name in [n for n in sys.modules if n.partition(".")[0] == "tornado"]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.py"], "cannot read nowhere.py: No such file or directory"),
        (["empty"], "cannot read empty/__main__.py: No such file or directory"),
        (["-m", "nowhere"], "there is no module 'nowhere' to run here"),
        (["-m", "nowhere.below"], "there is no module 'nowhere.below' to run here"),
        (["-m", ".relative"], "there is no module '.relative' to run here"),
        (["-m", "empty"], "there is no module 'empty' to run here"),
        (["-m", "math"], "the module 'math' has no Python code"),
        (["-m", "__main__"], "there is no module '__main__' to run here"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.usefixtures("everything_put_back")
def test_what_cannot_be_run_is_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))
    assert main(["run", *arguments]) == 2
    assert capsys.readouterr().err == f"wsgitornado: {message}\n"


@pytest.mark.usefixtures("everything_put_back")
def test_program_runs_as_main_with_its_arguments(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import sys, tornado.web, wsgitornado.web\n"
        "print(__name__, sys.argv[1:], tornado.web is wsgitornado.web)"
    )
    assert main(["run", str(program), "--port=1", "x"]) == 0
    assert capsys.readouterr().out == "__main__ ['--port=1', 'x'] True\n"
    assert sys.path[0] == str(tmp_path)
    forget_tornado()


@pytest.mark.usefixtures("everything_put_back")
def test_module_of_a_package_runs_as_main(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    package = tmp_path / "package_to_run"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text("print(__package__, __spec__.name)")
    assert main(["run", "-m", "package_to_run"]) == 0
    assert capsys.readouterr().out == "package_to_run package_to_run.__main__\n"
    del sys.modules["package_to_run"]


@pytest.mark.usefixtures("everything_put_back")
def test_package_that_fails_to_import_fails_with_its_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    package = tmp_path / "failing_package"
    package.mkdir()
    (package / "__init__.py").write_text("import nothing_of_the_kind")
    (package / "__main__.py").touch()
    with pytest.raises(ModuleNotFoundError, match="nothing_of_the_kind"):
        main(["run", "-m", "failing_package"])


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("from tornado.web import Nothing", "tornado.web.Nothing"),
        ("import tornado.nothing", "tornado.nothing"),
        ("import tornado.tcpserver", "tornado.tcpserver"),
        ("from tornado.iostream import IOStream", "tornado.iostream.IOStream"),
    ],
)
@pytest.mark.usefixtures("everything_put_back")
def test_error_is_shown_from_the_first_line_of_the_program_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, name: str
) -> None:
    program = tmp_path / "program.py"
    program.write_text(f"def f():\n    {line}\nf()\n")
    with pytest.raises(ImportError) as caught:
        main(["run", str(program)])
    sys.excepthook(caught.type, caught.value, caught.tb)
    shown = capsys.readouterr().err
    assert shown.count("  File ") == shown.count(f'  File "{program}"') == 2
    assert f"{name} is not in wsgitornado" in shown
    forget_tornado()


@pytest.mark.usefixtures("everything_put_back")
def test_program_that_is_no_python_is_shown_with_its_own_line_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "program.py"
    program.write_text("x = = 1")
    with pytest.raises(SyntaxError) as caught:
        main(["run", str(program)])
    sys.excepthook(caught.type, caught.value, caught.tb)
    assert capsys.readouterr().err.startswith(f'  File "{program}", line 1\n')


@pytest.mark.usefixtures("everything_put_back")
def test_loggers_are_found_by_the_names_of_tornado(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.touch()
    assert main(["run", str(program)]) == 0
    assert logging.getLogger("tornado.access") is access_log
    assert logging.getLogger("tornado.general").name == gen_log.name
    assert app_log.parent is logging.getLogger("tornado")


@pytest.mark.usefixtures("everything_put_back")
def test_what_our_module_lacks_is_its_own_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lacks(name: str) -> ModuleType:
        raise ModuleNotFoundError("No module named 'httpx'", name="httpx")

    stand_in.answer_imports()
    real = importlib.import_module
    with monkeypatch.context() as patch:
        patch.setattr("importlib.import_module", lacks)
        with pytest.raises(ModuleNotFoundError, match="httpx"):
            real("tornado.httpclient")


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (ValueError("no"), None),
        (ImportError("cannot import name 'x' from 'json' (file)"), None),
        (ImportError("cannot import name 'x' from 'tornado' (file)"), "tornado.x"),
        (ModuleNotFoundError("no", name="wsgitornado.x.y"), "tornado.x.y"),
        (ModuleNotFoundError("no", name="json.x"), None),
        (ImportError("no"), None),
        (AttributeError("no", name="x", obj=ModuleType("json")), None),
        (AttributeError("no", name="x", obj=run), None),
        (AttributeError("no", name="x", obj=stand_in._Finder), "tornado.commands"),
    ],
    ids=repr,
)
def test_missing_name_is_read_from_the_error(
    error: BaseException, name: str | None
) -> None:
    found = stand_in.wanted_name(error)
    if name == "tornado.commands":
        assert found is not None
        assert found.startswith(name)
    else:
        assert found == name
