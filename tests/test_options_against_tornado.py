"""Options beside Tornado's: the same definitions, texts and files give the same."""

from __future__ import annotations

import contextlib
import datetime
import enum
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from wsgitornado import options as ours

theirs = pytest.importorskip("tornado.options")

DATE = datetime.datetime
DURATION = datetime.timedelta


class Color(enum.Enum):
    RED = "red"


class Name(str):
    pass


def answer(ask: Callable[[Any], Any], module: Any) -> Any:
    """What it gives; for an error, whether it is that of options, and what it says."""
    try:
        # Tornado prints the help, whose layout is its own, for an unknown option.
        with contextlib.redirect_stderr(io.StringIO()):
            return ask(module)
    except SystemExit as stop:
        return "exit", stop.code
    except module.Error as error:
        return "Error", str(error)
    except Exception as error:
        return type(error).__name__, str(error)


def both(ask: Callable[[Any], Any]) -> None:
    assert answer(ask, ours) == answer(ask, theirs)


def parse(module: Any, *args: str, name: str = "x", **kwargs: Any) -> Any:
    parser = module.OptionParser()
    parser.define(name, **kwargs)
    remaining = parser.parse_command_line(["prog", *args])
    value = parser[name]
    return remaining, type(value), repr(value)


def test_public_names_and_arguments_are_those_of_tornado() -> None:
    own = {
        name
        for name, value in vars(theirs).items()
        if not name.startswith("_")
        and getattr(value, "__module__", "") == "tornado.options"
    }
    assert own == set(ours.__all__)


# Text

TEXTS: dict[type, list[str]] = {
    str: ["", "a", "1:3", "a=b", "é", " a "],
    int: ["1", "-5", " 7 ", "1_000"],
    float: ["1", "1e3", "nan", "-inf", ".5"],
    bool: ["true", "True", "t", "1", "yes", "on", "", "2", "0", "f", "F", "FALSE"],
    DATE: [
        "Thu Jan  2 03:04:05 2020",
        "2020-01-02 03:04:05",
        "2020-01-02 03:04",
        "2020-01-02T03:04",
        "20200102 03:04:05",
        "20200102 03:04",
        "2020-01-02",
        "2020-1-2",
        "20200102",
        "03:04:05",
        "3:04",
    ],
    DURATION: [
        *("", "1", "1s", "1h", "1h 30m", "1.5h", "2 days", "2d", "1w", "3min", "-1h"),
        *("3 minutes", "5ms", "5us", "5 microseconds", "+1h", "1h-30m", "1e2s", ".5s"),
        *("5.", "2sec", "2seconds", "7milliseconds", "3 weeks", " 1h  5m "),
    ],
    list: ["abc"],
    complex: ["1+2j"],
    Name: ["Ada"],
    Color: ["red"],
}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        pytest.param(kind, text, id=f"{kind.__name__}-{text}")
        for kind, texts in TEXTS.items()
        for text in texts
    ],
)
def test_text_has_the_value_that_it_has_on_tornado(kind: type, text: str) -> None:
    both(lambda module: parse(module, f"--x={text}", type=kind))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *((int, text) for text in ("1", "1,2", "1:3", "1:3,7", "5:2", "1:", "-2:1")),
        *((int, text) for text in ("1, 2 ", "3:3")),
        *((float, "1.5,2"), (str, "a,b"), (str, ""), (str, "a:b"), (str, ",")),
        *((DATE, "2020-01-02,2020-01-03"), (DATE, "03:04"), (DURATION, "1h,2m")),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_several_values_are_those_of_tornado(kind: type, text: str) -> None:
    both(lambda module: parse(module, f"--x={text}", type=kind, multiple=True))


@pytest.mark.parametrize(
    ("kind", "text", "multiple"),
    [
        *((int, text, False) for text in ("x", "", "1.5", "0x10", "1:3")),
        *((int, text, True) for text in ("", "1,", "1:x", ":3", "1:2:3")),
        *((float, "x", False), (float, "1:3", True), (Color, "green", False)),
        *((DATE, text, False) for text in ("", "2020-13-01", " 2020-01-02")),
    ],
    ids=str,
)
def test_text_that_tornado_refuses_is_refused_with_its_words(
    kind: type, text: str, multiple: bool
) -> None:
    def ask(module: Any) -> Any:
        return parse(module, f"--x={text}", type=kind, multiple=multiple)

    (_, expected), (given, message) = answer(ask, theirs), answer(ask, ours)
    assert (given, message) == ("Error", f"Option 'x': {expected}")


@pytest.mark.parametrize("text", ["x", "1x", "1h x", "1:30", "1months", "infs", "1H"])
def test_duration_that_tornado_refuses_is_refused(text: str) -> None:
    def ask(module: Any) -> Any:
        return parse(module, f"--x={text}", type=DURATION)

    assert answer(ask, theirs)[0] in ("Exception", "TypeError")
    assert answer(ask, ours)[0] == "Error"


# The command line


@pytest.mark.parametrize(
    ("args", "definition"),
    [
        *(([], {"default": default}) for default in (None, 1, "a", [1], len, DURATION)),
        *(
            (["--x=3"], {"default": default})
            for default in (1, 1.5, None, DURATION(1), True)
        ),
        ([], {"default": "a", "type": int}),
        ([], {"multiple": True}),
        ([], {"multiple": True, "default": (1,)}),
        (["--x=1,2"], {"multiple": True, "default": [1]}),
        (["--x=1,2", "--x=3"], {"multiple": True, "type": int}),
        (["--x"], {"type": bool}),
        (["--x"], {"default": False}),
        (["--x"], {}),
        (["--x"], {"type": int}),
        (["-x=3"], {}),
        (["---x=3"], {}),
        (["--x=1", "--x=2"], {}),
        (["a", "--x=3"], {}),
        (["--x=3", "a", "--x=4"], {}),
        (["--x=3", "--", "--x=4"], {}),
        (["--"], {}),
        (["-"], {}),
        (["", "b"], {}),
        (["--y=3"], {}),
        (["--c_d"], {}),
        (["--=3"], {}),
        (["--X=3"], {}),
        (["-h"], {}),
        (["--a-b=3"], {"name": "a_b"}),
        (["--a_b=3"], {"name": "a-b"}),
        (["--a_b"], {"name": "a_b"}),
        (["--help"], {}),
        (["--x=3", "--help", "--y"], {}),
        (["--help=false"], {}),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else None,
)
def test_command_line_means_what_it_means_on_tornado(
    args: list[str], definition: dict[str, Any]
) -> None:
    both(lambda module: parse(module, *args, **definition))


def test_no_arguments_at_all_are_none() -> None:
    both(lambda module: module.OptionParser().parse_command_line([]))


@pytest.mark.parametrize("final", [True, False])
@pytest.mark.parametrize(
    "args", [[], ["--x=1"], ["--x=1", "--x=2,3"], ["--x=1", "--y"]], ids=" ".join
)
def test_callbacks_are_called_as_on_tornado(args: list[str], final: bool) -> None:
    def ask(module: Any) -> Any:
        called: list[Any] = []
        parser = module.OptionParser()
        parser.define("x", type=int, multiple=True, callback=called.append)
        parser.add_parse_callback(lambda: called.append("first"))
        parser.add_parse_callback(lambda: called.append("second"))
        with contextlib.suppress(module.Error):
            parser.parse_command_line(["prog", *args], final=final)
        parser.x = [9]
        parser["x"] = [10]
        parser.run_parse_callbacks()
        return called

    both(ask)


# Attributes


def some_options(module: Any) -> Any:
    parser = module.OptionParser()
    parser.define("foo_bar", default=1, type=int)
    parser.define("b-c", default="x", group="G")
    parser.define("m", type=int, multiple=True, group="G")
    parser.define("_p", default=2)
    return parser


ASKING: dict[str, Callable[[Any], Any]] = {
    "spellings": lambda p: (p["foo-bar"], p["foo_bar"], p.foo_bar, p.b_c, p["b-c"]),
    "underscore first": lambda p: p._p,
    "unknown attribute": lambda p: p.no_pe,
    "unknown item": lambda p: p["no_pe"],
    "unknown attribute set": lambda p: setattr(p, "no_pe", 1),
    "unknown item set": lambda p: p.__setitem__("no_pe", 1),
    "hasattr": lambda p: (hasattr(p, "nope"), hasattr(p, "b_c")),
    "in": lambda p: ["foo-bar" in p, "foo_bar" in p, "nope" in p, "help" in p],
    "iteration": list,
    "items": lambda p: p.items(),
    "as_dict": lambda p: p.as_dict(),
    "group": lambda p: p.group_dict("G"),
    "all groups": lambda p: p.group_dict(""),
    "unknown group": lambda p: p.group_dict("nope"),
    "groups": lambda p: p.groups(),
    "defined twice": lambda p: p.define("foo-bar"),
    "returns": lambda p: (p.define("n"), p.add_parse_callback(print)),
}


@pytest.mark.parametrize("ask", ASKING.values(), ids=list(ASKING))
def test_options_are_read_as_on_tornado(ask: Callable[[Any], Any]) -> None:
    both(lambda module: ask(some_options(module)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("foo_bar", value) for value in (5, "5", None, True, 1.5, [1])),
        *(("b_c", value) for value in ("y", b"y", 1, None)),
        *(("m", value) for value in ([5], [], 5, None, (5,), ["5"], [None, 1], "5")),
    ],
    ids=str,
)
def test_values_are_taken_and_refused_as_on_tornado(name: str, value: Any) -> None:
    def ask(module: Any) -> Any:
        parser = some_options(module)
        setattr(parser, name, value)
        return parser.as_dict()

    both(ask)


def test_mockable_options_come_back_as_on_tornado() -> None:
    def ask(module: Any) -> Any:
        called: list[Any] = []
        parser = module.OptionParser()
        parser.define("x", 1, callback=called.append)
        with mock.patch.object(parser.mockable(), "x", 2):
            called.append(("within", parser.x))
        return called, parser.x

    both(ask)


# Files


@pytest.mark.parametrize(
    "text",
    [
        *("port=1", "port='1'", "port=1.5", "port=True", "port=None", "name=1"),
        *("name='1'", "name=b'x'", "name=None", "m=[1,2]", "m='1:3,5'", "m='1'"),
        *("m=1", "m=(1,2)", "m=None", "m=['1']", "names='a,b'", "names=['a']"),
        *("day='2020-01-02'", "wait='1h'", "wait=5", "flag=True", "flag='false'"),
        *("flag=1", "rate=1", "rate='1'", "a_b=3", "globals()['a-b']=4", "nope=1", ""),
        "import datetime\nday=datetime.datetime(2020,1,1)",
        "import os\nname=os.path.basename(__file__)",
        "port=5\nrate=port+0.5",
        "from __future__ import annotations\nname='z'",
        "def name(): pass",
        *("help=1", "help=True", "raise KeyError(5)", "letters='ab'", "letters=['z']"),
    ],
    ids=lambda text: text.replace("\n", ";"),
)
@pytest.mark.parametrize("final", [True, False])
def test_file_means_what_it_means_on_tornado(
    text: str, final: bool, tmp_path: Path
) -> None:
    path = tmp_path / "program.conf"
    path.write_text(text, encoding="utf-8")

    def ask(module: Any) -> Any:
        called: list[Any] = []
        parser = module.OptionParser()
        parser.define("port", default=80, callback=called.append)
        parser.define("name")
        parser.define("m", type=int, multiple=True)
        parser.define("names", multiple=True)
        parser.define("day", type=DATE)
        parser.define("wait", type=DURATION)
        parser.define("flag", type=bool)
        parser.define("rate", type=float)
        parser.define("letters", type=list)
        parser.define("a-b", default=1)
        parser.add_parse_callback(lambda: called.append("parsed"))
        parser.parse_config_file(str(path), final=final)
        return parser.as_dict(), called

    both(ask)


def test_missing_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    path = str(tmp_path / "missing")
    both(lambda module: module.OptionParser().parse_config_file(path))


# Help


def test_help_has_the_facts_of_tornado() -> None:
    def ask(module: Any) -> Any:
        parser = module.OptionParser()
        parser.define("port", 80, help="the port", metavar="N", group="Net")
        parser.define("address", "", help="where", group="Net")
        parser.define("flag", False, help="a flag", group="Net")
        parser.define("a_long_name_for_a_small_option", help="w " * 60, group="More")
        parser.define("wait", DURATION(hours=1), group="More")
        output = io.StringIO()
        parser.print_help(output)
        # The words in their order, but for those about --help itself.
        text = output.getvalue()
        for own in ("show this help information", "show this help and exit"):
            text = text.replace(own, "")
        return text.split()

    both(ask)
