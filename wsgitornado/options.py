"""Options of a program: defined where they are used, set on the command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from wsgitornado import log
from wsgitornado._option import Error, Option, normalized

__all__ = [
    "Error",
    "OptionParser",
    "add_parse_callback",
    "define",
    "options",
    "parse_command_line",
    "parse_config_file",
    "print_help",
]


def _caller_file() -> str:
    """The file whose code called into this one."""
    frame = sys._getframe()
    this_file = frame.f_code.co_filename
    while frame.f_code.co_filename == this_file and frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code.co_filename


class OptionParser:
    """A set of options, with their values as attributes.

    Programs use the one that is :data:`options`, through the functions of this module;
    another one is for a tool inside a program, or for a test. Dashes and underscores
    are the same in names: what is defined as ``data_dir`` is ``--data-dir`` on the
    command line and ``options.data_dir`` in the program. Each way to set a value checks
    its type and calls the callback of the option. ``options["data-dir"]`` and
    ``"data-dir" in options`` work as well, and a loop goes through the names. An option
    that is called like a method here, such as ``items``, is read in this way only.

    An option that is not defined is an AttributeError, however it is asked for.
    """

    _options: dict[str, Option]
    _parse_callbacks: list[Callable[[], None]]

    def __init__(self) -> None:
        # Not as attributes: those are options.
        vars(self)["_options"] = {}
        vars(self)["_parse_callbacks"] = []
        self._options["help"] = Option(
            name="help",
            default=None,
            type=bool,
            help="show this help and exit",
            metavar=None,
            multiple=False,
            file_name=__file__,
            group_name="",
            callback=self._help_callback,
        )

    # Reading and setting

    def _option(self, name: str) -> Option:
        # A copy that is being made has nothing yet.
        known: dict[str, Option] = vars(self).get("_options", {})
        option = known.get(normalized(name))
        if option is None:
            raise AttributeError(
                f"Unrecognized option {normalized(name)!r}", name=name, obj=self
            )
        return option

    def __getattr__(self, name: str) -> Any:
        return self._option(name).value()

    def __setattr__(self, name: str, value: Any) -> None:
        self._option(name).set(value)

    def __getitem__(self, name: str) -> Any:
        return self._option(name).value()

    def __setitem__(self, name: str, value: Any) -> None:
        self._option(name).set(value)

    def __contains__(self, name: str) -> bool:
        return normalized(name) in self._options

    def __iter__(self) -> Iterator[str]:
        return iter([option.name for option in self._options.values()])

    def __dir__(self) -> list[str]:
        # Python looks here for what a misspelled name may have been.
        return [*super().__dir__(), *(name.replace("-", "_") for name in self)]

    def items(self) -> list[tuple[str, Any]]:
        """The names, as they were defined, and the values."""
        return [(option.name, option.value()) for option in self._options.values()]

    def as_dict(self) -> dict[str, Any]:
        """The values by name."""
        return dict(self.items())

    def groups(self) -> set[str]:
        """The groups that options were defined in; that of ``help`` is ``""``."""
        return {option.group_name for option in self._options.values()}

    def group_dict(self, group: str) -> dict[str, Any]:
        """The values of one group by name; those of all for ``""``.

        Options of a group may become settings of the same name::

            define("static_path", group="application")
            parse_command_line()
            app = Application(rules, **options.group_dict("application"))
        """
        return {
            option.name: option.value()
            for option in self._options.values()
            if not group or option.group_name == group
        }

    # Defining

    def define(
        self,
        name: str,
        default: Any = None,
        type: type[Any] | Callable[[str], Any] | None = None,  # noqa: A002 - as above
        help: str | None = None,  # noqa: A002 - as above
        metavar: str | None = None,
        multiple: bool = False,
        group: str | None = None,
        callback: Callable[[Any], None] | None = None,
    ) -> None:
        """Define an option.

        :param default: its value until it is set. It may be of any type.
        :param type: ``str``, ``int``, ``float``, ``bool``, ``datetime``, ``timedelta``,
            or what makes a value of a text, such as a subclass of ``Enum``. By default
            the type of ``default``, or ``str`` if there is none.
        :param help: what ``--help`` says about it.
        :param metavar: what ``--help`` shows in place of a value: ``--dir=PATH``.
        :param multiple: whether it is a list of values, on the command line with commas
            between them. Of ``int``, ``1:4`` means 1, 2, 3, 4.
        :param group: the heading in the help, and for :meth:`group_dict`. By default
            the path of the file that defines it.
        :param callback: called with the value whenever it is set. It may read a file of
            options, whose values those after it on the command line replace::

                define("config", callback=lambda path: parse_config_file(path, False))

        :raises Error: if there is an option of this name. It says in which file.
        """
        known = self._options.get(normalized(name))
        if known is not None:
            raise Error(
                f"Option {normalized(name)!r} already defined in {known.file_name}"
            )
        if multiple and default is None:
            default = []
        has_own_type = default is not None and not multiple
        file_name = _caller_file()
        self._options[normalized(name)] = Option(
            name=name,
            default=default,
            type=type or (default.__class__ if has_own_type else str),
            help=help,
            metavar=metavar,
            multiple=multiple,
            file_name=file_name,
            group_name=group or file_name,
            callback=callback,
        )

    # Parsing

    def parse_command_line(
        self, args: Sequence[str] | None = None, final: bool = True
    ) -> list[str]:
        """Set options from the command line, and return what comes after them.

        Options are ``--name=value``; a ``bool`` is also set by its name alone. They end
        with the first argument that does not begin with a dash, or with ``--``. An
        option that comes twice has the last value. ``--help`` prints the help and ends
        the program.

        :param args: the name of the program, and the arguments; by default
            ``sys.argv``.
        :param final: False if a file is parsed later, so that
            :meth:`run_parse_callbacks` waits for that.
        :raises Error: if an option is not defined, after printing the help, or for a
            value that is none of its type.
        """
        if args is None:
            args = sys.argv
        remaining: list[str] = []
        for position, argument in enumerate(args[1:], start=1):
            if not argument.startswith("-"):
                remaining = list(args[position:])
                break
            if argument == "--":
                remaining = list(args[position + 1 :])
                break
            self._parse_argument(argument)
        if final:
            self.run_parse_callbacks()
        return remaining

    def _parse_argument(self, argument: str) -> None:
        name, has_value, text = argument.lstrip("-").partition("=")
        option = self._options.get(normalized(name))
        if option is None:
            self.print_help()
            raise Error(f"Unrecognized command line option: {normalized(name)!r}")
        if not has_value:
            if option.type is not bool:
                raise Error(f"Option {normalized(name)!r} requires a value")
            text = "true"
        option.parse(text)

    def parse_config_file(
        self, path: str | os.PathLike[str], final: bool = True
    ) -> None:
        """Set options from a file of Python code.

        Its global variables are the values of the options of these names::

            port = 80
            allowed_hosts = ["example.com", "localhost"]
            shutdown_after = "1h 30m"
            static_path = os.path.join(os.path.dirname(__file__), "static")

        A text is parsed as on the command line, unless the option is one of ``str``;
        anything else must be of the type. Other variables are the file's own. It is
        code and can do anything: only those who may change the program should be able
        to change it.

        :param final: False if something else is parsed later, as for
            :meth:`parse_command_line`.
        :raises Error: for a value that the option cannot take.
        :raises OSError: if the file cannot be read.
        :raises SyntaxError: if it is no Python. What it raises itself comes out, too.
        """
        variables: dict[str, Any] = {"__file__": os.path.abspath(path)}
        code = compile(Path(path).read_bytes(), path, "exec", dont_inherit=True)
        exec(code, variables)  # noqa: S102 - executing is what the caller asks for
        for name, value in variables.items():
            option = self._options.get(normalized(name))
            if option is not None:
                option.take(value)
        if final:
            self.run_parse_callbacks()

    def add_parse_callback(self, callback: Callable[[], None]) -> None:
        """Have a function called, without arguments, when everything is parsed."""
        self._parse_callbacks.append(callback)

    def run_parse_callbacks(self) -> None:
        """Call these functions, in the order in which they were added."""
        for callback in self._parse_callbacks:
            callback()

    # Help

    def print_help(self, file: TextIO | None = None) -> None:
        """Print what options there are, by group.

        :param file: by default the standard error.
        """
        print(self._help_text(), file=file or sys.stderr)

    def _help_callback(self, value: bool) -> None:
        if value:
            self.print_help()
            raise SystemExit(0)

    def _help_text(self) -> str:
        lines = [f"Usage: {sys.argv[0]} [OPTIONS]"]
        for group in sorted(self.groups()):
            lines += ["", f"{group} options:" if group else "Options:", ""]
            options = [o for o in self._options.values() if o.group_name == group]
            for option in sorted(options, key=lambda option: option.name):
                lines += option.help_lines()
        return "\n".join([*lines, ""])

    # Tests

    def mockable(self) -> _Mockable:
        """The same options for ``mock.patch.object``, in tests.

        It puts an attribute back by deleting it, which options do not let it do::

            with mock.patch.object(options.mockable(), "port", 80):
                assert options.port == 80
        """
        return _Mockable(self)


class _Mockable:
    """Options whose former value comes back when they are deleted."""

    _parser: OptionParser
    _former: dict[str, list[Any]]

    def __init__(self, parser: OptionParser) -> None:
        # Not as attributes, as in the parser.
        vars(self)["_parser"] = parser
        vars(self)["_former"] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)

    def __setattr__(self, name: str, value: Any) -> None:
        option = self._parser._option(name)
        # Before it is set: a patch that fails deletes as well.
        self._former.setdefault(option.name, []).append(option.value())
        option.set(value)

    def __delattr__(self, name: str) -> None:
        option = self._parser._option(name)
        former = self._former.get(option.name)
        if not former:
            raise AttributeError(f"Option {name!r} is not patched", name=name)
        # Whatever it was: a default may be of another type.
        option.store(former.pop())


#: The options of the program, which everything but :class:`OptionParser` here is about.
options = OptionParser()


def define(
    name: str,
    default: Any = None,
    type: type[Any] | Callable[[str], Any] | None = None,  # noqa: A002 - Tornado's name
    help: str | None = None,  # noqa: A002 - likewise
    metavar: str | None = None,
    multiple: bool = False,
    group: str | None = None,
    callback: Callable[[Any], None] | None = None,
) -> None:
    """Define an option of the program: :meth:`OptionParser.define`.

    It belongs beside the code that reads it, at the top of the file::

        define("database", default="site.db", help="where the database is")
    """
    options.define(name, default, type, help, metavar, multiple, group, callback)


def parse_command_line(
    args: Sequence[str] | None = None, final: bool = True
) -> list[str]:
    """Set the program's options: :meth:`OptionParser.parse_command_line`."""
    return options.parse_command_line(args, final)


def parse_config_file(path: str | os.PathLike[str], final: bool = True) -> None:
    """Set the program's options: :meth:`OptionParser.parse_config_file`."""
    options.parse_config_file(path, final)


def print_help(file: TextIO | None = None) -> None:
    """Print the program's options: :meth:`OptionParser.print_help`."""
    options.print_help(file)


def add_parse_callback(callback: Callable[[], None]) -> None:
    """Have a function called after parsing: :meth:`OptionParser.add_parse_callback`."""
    options.add_parse_callback(callback)


log.define_logging_options(options)
log.program_options = options
