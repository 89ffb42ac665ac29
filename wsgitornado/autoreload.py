"""Starting a program anew when one of its files changes."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import runpy
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Final, NoReturn

from wsgitornado import process
from wsgitornado._changes import ProgramFiles, wait_for_change
from wsgitornado.ioloop import IOLoop
from wsgitornado.log import gen_log, one_line

__all__ = ["add_reload_hook", "main", "start", "wait", "watch"]

_USAGE: Final = """\
Usage:
  python -m wsgitornado.autoreload [--until-success] -m module.to.run [arguments...]
  python -m wsgitornado.autoreload [--until-success] path/to/script.py [arguments...]

Runs a program, and runs it anew whenever one of its files changes, also after its end.
With --until-success not after an end without an error.
"""

#: Milliseconds between two looks at the files, where watchfiles is not installed.
_CHECK_TIME: Final = 500

#: Seconds in which the loop is to begin the restart. One that hangs is not waited for:
#: it may be the mistake that was just corrected.
_PATIENCE: Final = 2.0

#: Modules that mark processes of servers that start programs themselves.
_FOREIGN_SERVERS: Final = {
    "gunicorn.arbiter": "gunicorn",
    "uwsgi": "uWSGI",
    "mod_wsgi": "mod_wsgi",
}

#: What a program that was started anew is run by: it lasts as long as the program.
_RESTARTED: Final = "--restarted"

#: What of a traceback is ours, and not the program's.
_OURS: Final = (
    os.path.join(os.path.dirname(__file__), ""),
    os.path.join(os.path.dirname(importlib.__file__), ""),
    runpy.__file__,
    "<frozen ",
)

# Programs may go elsewhere before they are started anew.
_folder_at_start = os.path.realpath(".")

_files = ProgramFiles()
_hooks: list[Callable[[], None]] = []
_watcher: _Watcher | None = None
_restart_lock = threading.Lock()

# Whether an application asks for it, a server of ours runs, and it was said that none
# does.
_is_asked_for = False
_is_served = False
_is_said = False


# For programs


def start(check_time: int = _CHECK_TIME) -> None:
    """Watch the files of the program from now on, and start it anew on a change.

    Called once a program runs; later calls change nothing. ``debug=True`` and
    ``autoreload=True`` do it where a server of ours listens.

    The process becomes the new program: its number, its standard streams and its
    environment stay, its sockets are closed. What has been sent so far is all that
    clients get. ``finally`` blocks do not run, :func:`add_reload_hook` is for that.

    :param check_time: milliseconds between two looks at the files. With watchfiles
        installed the system tells of changes, and nothing is looked for.
    """
    global _watcher
    # At once: what changes from here on is a change.
    _files.look()
    if _watcher is not None and _watcher.is_alive():
        return
    reason = _hindrance()
    if reason is not None:
        _say_ignored(reason)
        return
    _watcher = _Watcher(check_time / 1000)
    _watcher.start()


def wait() -> None:
    """Wait for a change and start the program anew: for the end of a script."""
    if _watcher is not None and _watcher.is_alive():
        _watcher.join()
    while True:
        path = wait_for_change(_files, _CHECK_TIME / 1000)
        _restart(path)


def watch(filename: str) -> None:
    """Watch a file, too, that is no module: a configuration, or a folder of files."""
    _files.add(filename)


def add_reload_hook(fn: Callable[[], None]) -> None:
    """Have a function called before the program is started anew.

    Of those that are added each is called, an exception is logged. On the loop's thread
    if the loop runs and has time within two seconds.
    """
    _hooks.append(fn)


# For servers and applications


def skip_folder(path: str) -> None:
    """Do not watch a folder, even where it is inside one that is watched."""
    _files.skip(path)


def watch_source(source: Callable[[], Iterable[str]]) -> None:
    """Watch the files and folders, too, that a function names at each look."""
    _files.add_source(source)


def ask_for_reload() -> None:
    """An application wants it: done as soon as a server of ours runs."""
    global _is_asked_for
    _is_asked_for = True
    _start_if_served()


def note_server() -> None:
    """A server of ours runs: reload the program if an application wants it."""
    global _is_served
    _is_served = True
    _start_if_served()


def _start_if_served() -> None:
    # A run of tests is nothing to be started anew in the middle.
    if _is_asked_for and _is_served and "_pytest" not in sys.modules:
        start()


def say_if_ignored() -> None:
    """Write one line to the log if an application is run by a server of another kind.

    Called at the first request of an application that wants to be reloaded.
    """
    if not (_is_served or (_watcher is not None and _watcher.is_alive())):
        _say_ignored(
            _hindrance()
            or "it acts under listen(), HTTPServer and 'wsgitornado serve', not under "
            "this server"
        )


def _say_ignored(reason: str) -> None:
    global _is_said
    # The first of several processes speaks for all.
    if not _is_said and not process.task_id():
        gen_log.info("Autoreload is ignored: %s", reason)
    _is_said = True


def _hindrance() -> str | None:
    """Why this process cannot be started anew."""
    for name, server in _FOREIGN_SERVERS.items():
        if name in sys.modules:
            return f"this process belongs to {server}, which has a reloader of its own"
    if process.task_id() is not None:
        return "one of several processes cannot be started anew alone"
    if not sys.executable:
        return "it is not known which interpreter runs this program"
    return None


class _Watcher(threading.Thread):
    """Waits for changes beside the program."""

    def __init__(self, interval: float) -> None:
        super().__init__(name="wsgitornado-autoreload", daemon=True)
        self._interval = interval

    def run(self) -> None:
        while True:
            self._restart_on_loop(wait_for_change(_files, self._interval))

    def _restart_on_loop(self, path: str) -> None:
        """Start anew from the loop's thread, whose things hooks may want to close."""
        has_begun = threading.Event()

        def restart() -> None:
            has_begun.set()
            _restart(path)

        ioloop = IOLoop.current(instance=False)
        if ioloop is not None and ioloop.asyncio_loop.is_running():
            ioloop.add_callback(restart)
            if has_begun.wait(_PATIENCE):
                return
        restart()


# Starting anew


def _restart(path: str) -> None:
    """Become a new process of the same program.

    Not a child of a process that stays, which would have to hand on signals and the
    terminal, and to end its child when it is killed itself. So process 1 of a container
    and what a supervisor started stay what they are; threads end, and what Python opens
    is closed.
    """
    if not _restart_lock.acquire(blocking=False):
        return
    try:
        gen_log.info("%s has changed: starting anew", one_line(path))
        for hook in _hooks:
            try:
                hook()
            except Exception:
                gen_log.exception("Exception in reload hook %r", hook)
        for stream in (sys.stdout, sys.stderr):
            # None under pythonw; closed by those who detach themselves.
            with contextlib.suppress(AttributeError, ValueError, OSError):
                stream.flush()
        with contextlib.suppress(OSError):
            os.chdir(_folder_at_start)
        # It would go off in the new program, which expects none.
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.execv(sys.executable, _command())  # noqa: S606  # what runs is run again
    except OSError:
        gen_log.exception("Cannot start the program anew; the old one goes on")
    finally:
        _restart_lock.release()


def _command() -> list[str]:
    """The command that this process was started by, with what survives its errors."""
    options, target = _split_command(sys.orig_argv)
    if target[:1] not in ([], ["-c"], ["-"]) and target[:2] != ["-m", __name__]:
        target = ["-m", __name__, _RESTARTED, *target]
    return [sys.executable, *options, *target]


def _split_command(command: list[str]) -> tuple[list[str], list[str]]:
    """The options of the interpreter, and what it runs with its arguments.

    ``python -Wd -O -m chat 8888`` gives ``["-Wd", "-O"], ["-m", "chat", "8888"]``.
    """
    options: list[str] = []
    rest = command[1:]
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        if word == "--":
            break
        if word == "--check-hash-based-pycs":
            options += [word, *rest[:1]]
            del rest[:1]
            continue
        place = next((i for i, letter in enumerate(word) if letter in "cmWX"), None)
        if place is None or word.startswith("--"):
            options.append(word)
            continue
        letter, value = word[place], word[place + 1 :]
        if letter in "WX":
            options += [word] if value else [word, *rest[:1]]
            del rest[: 0 if value else 1]
            continue
        if place > 1:
            options.append(word[:place])
        return options, [f"-{letter}", *([value] if value else []), *rest]
    return options, rest


# Surviving mistakes


def show_error(error: Exception) -> None:
    """Write the traceback of an error to stderr, without our own part of it."""
    trace = _without_ours(error.__traceback__)
    if trace is not None or isinstance(error, SyntaxError):
        error.__traceback__ = trace
    traceback.print_exception(error)


@contextlib.contextmanager
def errors_survived(show: Callable[[Exception], None] = show_error) -> Iterator[None]:
    """Within the block an error is shown; then the next change starts anew.

    :param show: called with the error.
    """
    try:
        yield
    except Exception as error:
        # Before it is shown: who reads it may be fast.
        _files.add(*_files_of(error))
        show(error)
        _wait_for_correction()


def _wait_for_correction() -> NoReturn:
    """Wait for a change after the program has ended."""
    _files.look()
    if threading.current_thread() is threading.main_thread():
        # Whatever the program had there. Process 1 would not notice it without.
        signal.signal(signal.SIGTERM, _leave)
    try:
        print("wsgitornado: waiting for a change", file=sys.stderr, flush=True)
        wait()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    raise AssertionError("wait() does not return")


def _leave(number: int, frame: Any) -> None:
    raise SystemExit(128 + number)


def _without_ours(trace: TracebackType | None) -> TracebackType | None:
    """From the first frame of the program on: none if the compiler refused it."""
    while trace and trace.tb_frame.f_code.co_filename.startswith(_OURS):
        trace = trace.tb_next
    return trace


def _files_of(error: BaseException | None) -> Iterator[str]:
    """The files that may have to be corrected, or written, after an error."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        for frame, _ in traceback.walk_tb(error.__traceback__):
            yield from _real(frame.f_code.co_filename)
        if isinstance(error, SyntaxError):
            yield from _real(error.filename)
        elif isinstance(error, ModuleNotFoundError) and error.name:
            yield from _places_of(error.name)
        error = error.__cause__ or error.__context__


def _real(filename: str | None) -> list[str]:
    """Not ``<string>`` or ``<frozen runpy>``."""
    return [filename] if filename and not filename.startswith("<") else []


def _places_of(name: str) -> Iterator[str]:
    """Where a module would be found if it were there."""
    parent, _, last = name.rpartition(".")
    folders = getattr(sys.modules.get(parent), "__path__", ()) if parent else sys.path
    for folder in folders:
        yield os.path.join(folder, f"{last}.py")
        yield os.path.join(folder, last, "__init__.py")


# As a command


def main() -> None:
    """Run a program, and run it anew on each change, whether it goes on or has ended.

    What ``python -m wsgitornado.autoreload [--until-success] script.py`` does, or
    ``-m module`` in place of the script. A program that fails is shown its traceback,
    and the next change starts it anew.
    """
    arguments = sys.argv[1:]
    is_over_at_end = arguments[:1] == [_RESTARTED]
    is_until_success = arguments[:1] == ["--until-success"]
    if is_over_at_end or is_until_success:
        del arguments[0]
    run: Callable[[str], None]
    if arguments[:1] == ["-m"] and len(arguments) > 1:
        run, target, arguments = _run_module, arguments[1], arguments[2:]
    elif arguments and not arguments[0].startswith("-"):
        run, target, arguments = _run_script, arguments[0], arguments[1:]
    else:
        print(_USAGE, file=sys.stderr, end="")
        sys.exit(1)
    sys.argv = [target, *arguments]
    start()
    with errors_survived():
        try:
            run(target)
        except SystemExit as error:
            if is_over_at_end or (is_until_success and not error.code):
                raise
            _files.add(*_files_of(error))
            if isinstance(error.code, str):
                print(error.code, file=sys.stderr)
        else:
            if is_over_at_end or is_until_success:
                return
    _wait_for_correction()


def _run_script(path: str) -> None:
    _files.add(path)
    if not sys.flags.safe_path:
        # As the interpreter does it: not the current folder.
        sys.path[0] = os.path.dirname(os.path.realpath(path))
    runpy.run_path(path, run_name="__main__")


def _run_module(name: str) -> None:
    spec = importlib.util.find_spec(name)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = importlib.util.find_spec(f"{name}.__main__")
    if spec is not None and spec.origin is not None:
        _files.add(spec.origin)
    runpy.run_module(name, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    # That which programs import, with what they tell it.
    importlib.import_module("wsgitornado.autoreload").main()
