"""``python -m wsgitornado.autoreload``, the command to start with, and the files."""

from __future__ import annotations

import re
import sys
import textwrap
import threading
from pathlib import Path
from types import ModuleType

import pytest

from tests.loops import run_program
from tests.reloading import NO_WATCHFILES, running
from wsgitornado import _changes, autoreload
from wsgitornado._changes import ProgramFiles, wait_for_change
from wsgitornado.autoreload import _command, _split_command

COMMAND = ["-m", "wsgitornado.autoreload"]

# -- The command


@pytest.mark.parametrize(
    "target", [["job.py"], ["-m", "job"]], ids=["script", "module"]
)
def test_program_runs_again_after_its_end(tmp_path: Path, target: list[str]) -> None:
    (tmp_path / "job.py").write_text(
        "import sys, os\nimport part\nprint(part.NAME, *sys.argv[1:], __name__)\n"
    )
    (tmp_path / "part.py").write_text("NAME = 'one'\n")
    with running(tmp_path, *COMMAND, *target, "a", "-b") as program:
        program.wait_for("^one a -b __main__$")
        program.wait_for("waiting for a change")
        program.write("part.py", "NAME = 'the second'\n")
        program.wait_for("^the second a -b __main__$")
        program.wait_for("waiting for a change")
        program.write("part.py", "raise ValueError('wrong')\n")
        program.wait_for("^ValueError: wrong$")
        program.write("part.py", "import sys\nsys.exit('it says')\n")
        program.wait_for("^it says$")
        program.write("part.py", "NAME = 'the last'\n")
        program.wait_for("^the last a -b __main__$")


def test_program_that_runs_on_is_started_anew_on_a_change(tmp_path: Path) -> None:
    text = "import threading\nprint('round {}', flush=True)\nthreading.Event().wait()\n"
    (tmp_path / "job.py").write_text(text.format(1))
    with running(tmp_path, *COMMAND, "job.py") as program:
        program.wait_for("round 1$")
        program.write("job.py", text.format("22"))
        program.wait_for("round 22$")


@pytest.mark.parametrize("end", ["", "import sys; sys.exit()"], ids=["end", "exit"])
def test_until_success_ends_with_success(tmp_path: Path, end: str) -> None:
    (tmp_path / "job.py").write_text("import sys; sys.exit(3)\n")
    with running(tmp_path, *COMMAND, "--until-success", "job.py") as program:
        program.wait_for("waiting for a change")
        program.write("job.py", f"print('well')\n{end}\n")
        program.wait_for("^well$")
        assert program.wait() == 0
        assert program.rest() == ""


def test_script_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    with running(tmp_path, *COMMAND, "job.py") as program:
        program.wait_for("FileNotFoundError")
        program.wait_for("waiting for a change")
        program.write("job.py", "print('there')")
        program.wait_for("^there$")


def test_script_imports_from_its_own_folder(tmp_path: Path) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    (folder / "job.py").write_text("import part\nprint(part.__file__)\n")
    (folder / "part.py").write_text("")
    (tmp_path / "part.py").write_text("")
    with running(tmp_path, *COMMAND, "inside/job.py") as program:
        program.wait_for(f"^{re.escape(str(folder / 'part.py'))}$")


@pytest.mark.parametrize(
    "arguments",
    [[], ["--nonsense"], ["-m"], ["--until-success"]],
    ids=lambda arguments: " ".join(arguments) or "none",
)
def test_wrong_usage_is_explained(
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["autoreload", *arguments])
    with pytest.raises(SystemExit) as caught:
        autoreload.main()
    assert caught.value.code == 1
    assert capsys.readouterr().err.startswith("Usage:\n  python -m wsgitornado.auto")


def test_wait_starts_a_script_anew(tmp_path: Path) -> None:
    text = "from wsgitornado import autoreload\nprint({})\nautoreload.wait()\n"
    (tmp_path / "watchfiles.py").write_text(NO_WATCHFILES)
    (tmp_path / "job.py").write_text(text.format(1))
    with running(tmp_path, "-u", "job.py") as program:
        program.wait_for("^1$")
        # It begins to wait after that line.
        program.change_until_seen("job.py", text, "^11+$")


# -- Where it is ignored

SAY = """
    import logging, sys
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    from wsgiref.util import setup_testing_defaults
    from wsgitornado import autoreload, process
    from wsgitornado.web import Application
    def ask(app):
        environ = {}
        setup_testing_defaults(environ)
        list(app(environ, lambda status, headers, exc_info=None: None))
"""


def ignored(text: str) -> list[str]:
    done = run_program(textwrap.dedent(SAY) + textwrap.dedent(text))
    assert (done.returncode, done.stdout) == (0, "")
    return [line for line in done.stderr.splitlines() if "utoreload" in line]


def test_foreign_server_gets_one_line_at_the_first_request() -> None:
    (line,) = ignored(
        """
    apps = [Application(debug=True) for _ in range(3)]
    for app in apps * 2:
        ask(app)
        """
    )
    assert line.startswith("Autoreload is ignored: it acts under listen(), HTTPServer")


def test_application_that_does_not_ask_gets_none() -> None:
    assert not ignored("ask(Application()); ask(Application(debug=True, autoreload=0))")


def test_server_that_starts_programs_itself_is_named() -> None:
    lines = ignored(
        """
    sys.modules["gunicorn.arbiter"] = sys
    app = Application(debug=True)
    autoreload.note_server()
    autoreload.start()
    ask(app)
        """
    )
    expected = "this process belongs to gunicorn, which has a reloader of its own"
    assert lines == [f"Autoreload is ignored: {expected}"]


def test_several_processes_say_so_once() -> None:
    (line,) = ignored(
        """
    process.fork_processes(2)
    autoreload.start()
        """
    )
    expected = "one of several processes cannot be started anew alone"
    assert line == f"Autoreload is ignored: {expected}"


def test_interpreter_that_is_not_known_is_no_error() -> None:
    (line,) = ignored('sys.executable = ""; autoreload.start()')
    assert line.endswith("it is not known which interpreter runs this program")


def test_run_of_tests_is_not_started_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autoreload, "_is_asked_for", False)
    monkeypatch.setattr(autoreload, "_is_served", False)
    monkeypatch.setattr(autoreload, "start", lambda: pytest.fail("it is"))
    autoreload.note_server()
    autoreload.ask_for_reload()


def test_program_that_cannot_be_started_anew_goes_on() -> None:
    done = run_program(
        """
        import logging, sys
        from wsgitornado import autoreload
        sys.executable = "/nowhere/python"
        autoreload._restart("a file")
        print("it goes on")
        """
    )
    assert done.stdout == "it goes on\n"
    assert "Cannot start the program anew; the old one goes on" in done.stderr


# -- The command to start with


@pytest.mark.parametrize(
    ("options", "target"),
    [
        ([], ["program.py"]),
        ([], ["program.py", "-m", "x", "-c"]),
        (["-O"], ["program.py", "a"]),
        (["-bb", "-Wd", "-X", "dev"], ["program.py"]),
        (["-W", "error", "-Xdev", "-P"], ["-m", "chat", "--port=1"]),
        (["--check-hash-based-pycs", "always"], ["-m", "chat"]),
        (["-u"], ["-c", "print(1)", "a"]),
        ([], ["-"]),
        (["-i"], []),
        ([], []),
    ],
    ids=lambda words: " ".join(words) or "none",
)
def test_command_is_split(options: list[str], target: list[str]) -> None:
    assert _split_command(["python", *options, *target]) == (options, target)


@pytest.mark.parametrize(
    ("command", "options", "target"),
    [
        ("-Im chat a", ["-I"], ["-m", "chat", "a"]),
        ("-mchat a", [], ["-m", "chat", "a"]),
        ("-bbWerror -- -a.py", ["-bbWerror"], ["-a.py"]),
        ("-bW error a.py", ["-bW", "error"], ["a.py"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_options_in_one_word_are_taken_apart(
    command: str, options: list[str], target: list[str]
) -> None:
    assert _split_command(["python", *command.split()]) == (options, target)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("-O a.py b", "-O -m wsgitornado.autoreload --restarted a.py b"),
        ("-m a.b c", "-m wsgitornado.autoreload --restarted -m a.b c"),
        ("-m wsgitornado.autoreload a.py", "-m wsgitornado.autoreload a.py"),
        ("-c pass", "-c pass"),
        ("", ""),
    ],
    ids=["script", "module", "command", "text", "terminal"],
)
def test_program_is_started_anew_by_what_survives_its_mistakes(
    before: str, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "orig_argv", ["python", *before.split()])
    assert _command() == [sys.executable, *after.split()]


# -- Files


def test_files_of_a_folder_are_found_and_hidden_ones_are_not(tmp_path: Path) -> None:
    for name in ("a", "b/c", ".d", "e~", ".f/g", "node_modules/h", "static/i"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    files = ProgramFiles()
    files.skip(str(tmp_path / "static"))
    files.add(str(tmp_path))
    for name in (".d", "e~", ".f/g", "node_modules/h", "static/i"):
        (tmp_path / name).write_text("22")
        (tmp_path / f"{name}.new~").write_text("22")
        assert files.find_change() is None
    for name in ("a", "b/c", "b/new"):
        (tmp_path / name).write_text("333")
        assert files.find_change() == str(tmp_path / name)
        assert files.find_change() is None
    (tmp_path / "a").unlink()
    assert files.find_change() == str(tmp_path / "a")


def test_name_that_no_file_can_have_is_no_change() -> None:
    files = ProgramFiles()
    files.add("a\0b")
    assert files.find_change() is None


def test_modules_are_not_loaded_by_looking_at_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Lazy(ModuleType):
        def __getattribute__(self, name: str) -> object:
            raise AssertionError(name)

    monkeypatch.setitem(sys.modules, "lazy", Lazy("lazy"))
    monkeypatch.setitem(sys.modules, "no_module", object())
    ProgramFiles().look()


class Watch:
    """``watchfiles.watch`` that fails, as where too many folders are watched."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    def __call__(self, *folders: str, **options: object) -> None:
        self.asked.set()
        raise OSError("too many")


def test_it_is_looked_for_changes_where_watching_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change() -> None:
        watch.asked.wait(30)
        path.write_text("changed")

    watch = Watch()
    monkeypatch.setattr(_changes, "_watch_function", lambda: watch)
    path = tmp_path / "file"
    path.write_text("")
    files = ProgramFiles()
    files.add(str(path))
    changer = threading.Thread(target=change)
    changer.start()
    assert wait_for_change(files, 0.01) == str(path)
    changer.join(30)


def test_file_that_changes_all_the_time_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_changes, "_SETTLING", 0)
    path = tmp_path / "file"
    files = ProgramFiles()
    files.add(str(path))
    length = 0

    class Files(ProgramFiles):
        def find_change(self) -> str | None:
            nonlocal length
            length += 1
            path.write_text("a" * length)
            return files.find_change()

    assert wait_for_change(Files(), 0.01) == str(path)
    assert length == 1 + _changes._MOST_SETTLING


def test_broken_watchfiles_is_not_taken_for_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "watchfiles.py").write_text("import no_such_dependency\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "watchfiles", raising=False)
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        _changes._watch_function()


def test_folder_that_is_named_twice_is_no_change(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("page")
    files = ProgramFiles()
    files.add_source(lambda: [str(tmp_path), str(tmp_path)])
    files.look()
    assert files.find_change() is None
    (tmp_path / "new.html").write_text("new")
    assert files.find_change() == str(tmp_path / "new.html")
    assert files.find_change() is None
