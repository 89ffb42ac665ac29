"""``run``: a program whose imports say ``tornado``, unchanged."""

from __future__ import annotations

import argparse
import builtins
import importlib.util
import os
import sys
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import CodeType, ModuleType, TracebackType
from typing import Any, Final

from wsgitornado import version
from wsgitornado.commands import stand_in
from wsgitornado.commands.loading import UsageError

__all__ = ["add_parser"]

_EPILOG: Final = (
    "The program sees what Python would show it: sys.argv, sys.path[0], __file__. What "
    "it imports from tornado is wsgitornado, whether Tornado is installed or not; the "
    "command check says beforehand what of it is missing."
)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command with its options."""
    run = subparsers.add_parser(
        "run",
        help="run a Tornado program without changing it",
        description="Run a program whose imports say tornado, without changing it.",
        usage="%(prog)s [-h] PROGRAM [ARGUMENT ...]\n"
        "       %(prog)s -m MODULE [ARGUMENT ...]",
        epilog=_EPILOG,
    )
    run.add_argument(
        "-m",
        dest="is_module",
        action="store_true",
        help="the program is a module: what python -m would run",
    )
    run.add_argument(
        "program",
        metavar="PROGRAM",
        help="a file, or a folder with a __main__.py",
    )
    run.add_argument(
        "arguments",
        metavar="ARGUMENT",
        nargs=argparse.REMAINDER,
        help="what the program gets, options too",
    )
    run.set_defaults(func=_run)


def _run(options: argparse.Namespace) -> int:
    """Run the program to its end, in this process, as its ``__main__``."""
    stand_in.answer_imports()
    stand_in.name_loggers()
    find = _module_program if options.is_module else _file_program
    try:
        module, code = find(options.program)
        name = module.__file__ if options.is_module else options.program
        sys.argv = [str(name), *options.arguments]
        sys.modules["__main__"] = module
        exec(code, vars(module))  # noqa: S102  # this is the command
    except UsageError:
        raise
    except BaseException as error:
        _prepare_report(error)
        raise
    return 0


def _set_first_path(folder: str) -> None:
    """Put the program's folder where Python has it, and where ours is now."""
    if not sys.flags.safe_path:
        sys.path[:1] = [folder]


def _file_program(path: str) -> tuple[ModuleType, CodeType]:
    """The module and the code of ``run PATH``.

    :raises UsageError: if it cannot be read.
    """
    place = os.path.join(path, "__main__.py") if os.path.isdir(path) else path
    full_path = os.path.abspath(place)
    loader = SourceFileLoader("__main__", full_path)
    try:
        source = loader.get_data(full_path)
    except OSError as error:
        raise UsageError(f"cannot read {place}: {error.strerror}") from error
    # A link leads to the folder of what it points to.
    _set_first_path(os.path.dirname(os.path.realpath(full_path)))
    code = loader.source_to_code(source, full_path)
    return _main_module(full_path, loader), code


def _module_program(name: str) -> tuple[ModuleType, CodeType]:
    """The module and the code of ``run -m NAME``.

    :raises UsageError: if there is no such module.
    """
    _set_first_path(os.getcwd())
    spec = _find(name)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = _find(f"{name}.__main__")
    if spec is None or not isinstance(spec.loader, InspectLoader):
        raise UsageError(f"there is no module {name!r} to run here")
    code = spec.loader.get_code(spec.name)
    if code is None:
        raise UsageError(f"the module {name!r} has no Python code")
    module = _main_module(str(spec.origin), spec.loader)
    vars(module).update(__spec__=spec, __package__=spec.parent, __cached__=spec.cached)
    return module, code


def _find(name: str) -> ModuleSpec | None:
    if name.startswith("."):
        return None
    if name.startswith(f"{stand_in.THEIRS}."):
        # Some are programs: tornado.testing, tornado.autoreload.
        name = stand_in.our_name(name)
    try:
        return importlib.util.find_spec(name)
    except ModuleNotFoundError as error:
        # One that a package fails to import is its own error.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        return None
    except ValueError:
        # A module without a spec: what runs already.
        return None


def _main_module(path: str, loader: Any) -> ModuleType:
    """A ``__main__`` as Python makes one for a program."""
    module = ModuleType("__main__")
    vars(module).update(__file__=path, __loader__=loader, __builtins__=builtins)
    return module


# What the program does not catch


def _prepare_report(error: BaseException) -> None:
    """Have Python report an error as if the program had been run without us."""
    wanted = stand_in.wanted_name(error)
    if wanted is not None:
        error.add_note(
            f"{wanted} is not in wsgitornado {version}. All that a program misses: "
            "python -m wsgitornado check PATH"
        )
    is_import = wanted is not None and isinstance(error, ImportError)
    hook = sys.excepthook

    def report(
        kind: type[BaseException],
        error: BaseException,
        trace: TracebackType | None,
    ) -> None:
        trace = _of_the_program(trace)
        if is_import:
            _end_before_us(trace)
        hook(kind, error.with_traceback(trace), trace)

    sys.excepthook = report


def _of_the_program(trace: TracebackType | None) -> TracebackType | None:
    """A traceback without the frames that lead to the program."""
    first = trace
    while trace is not None:
        if trace.tb_frame.f_globals is globals():
            first = trace.tb_next
        trace = trace.tb_next
    while first is not None and first.tb_frame.f_code.co_filename.startswith("<frozen"):
        first = first.tb_next
    return first


def _end_before_us(trace: TracebackType | None) -> None:
    """Cut off the last frames of a traceback that are ours: where a name is refused."""
    last = trace
    while trace is not None:
        name = str(trace.tb_frame.f_globals.get("__name__"))
        if name.partition(".")[0] != "wsgitornado":
            last = trace
        trace = trace.tb_next
    if last is not None:
        last.tb_next = None
