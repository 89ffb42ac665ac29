"""Options: defining, reading and setting them, from a command line and from a file."""

from __future__ import annotations

import copy
import datetime
import enum
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.loops import run_program
from wsgitornado import options as options_module
from wsgitornado.options import Error, OptionParser

HOUR = datetime.timedelta(hours=1)


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


def parser_with(name: str = "x", **kwargs: Any) -> OptionParser:
    parser = OptionParser()
    parser.define(name, **kwargs)
    return parser


def parsed(*args: str, **kwargs: Any) -> Any:
    """The value of an option ``x`` after a command line."""
    parser = parser_with(**kwargs)
    parser.parse_command_line(["prog", *args])
    return parser.x


@pytest.fixture
def write_file(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        path = tmp_path / "program.conf"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


# Text: what differs from Tornado; the rest is in test_options_against_tornado.py


@pytest.mark.parametrize("text", ["no", "n", "off", "NO", "Off"])
def test_words_that_say_no_are_false(text: str) -> None:
    assert parsed(f"--x={text}", type=bool) is False


def test_several_booleans_are_booleans() -> None:
    assert parsed("--x=1,0,t", type=bool, multiple=True) == [True, False, True]
    assert type(parsed("--x=1", type=bool, multiple=True)[0]) is bool


@pytest.mark.parametrize(
    "text", ["2020-01-02T03:04:05", "20200102T03:04:05", "2020-01-02 03:04:05"]
)
def test_date_and_time_of_iso_8601_are_read(text: str) -> None:
    value = parsed(f"--x={text}", type=datetime.datetime)
    assert value == datetime.datetime(2020, 1, 2, 3, 4, 5)


def test_parts_of_a_duration_need_no_space() -> None:
    assert parsed("--x=1h30m", type=datetime.timedelta) == 1.5 * HOUR


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1 week", "no unit of time: 'week', but us, ms, s, m, h, d and w are"),
        ("1h, 2m", "no duration such as '1h 30m': '1h, 2m'"),
        ("soon", "no duration such as '1h 30m': 'soon'"),
    ],
)
def test_what_is_no_duration_is_told(text: str, reason: str) -> None:
    with pytest.raises(Error) as caught:
        parsed(f"--x={text}", type=datetime.timedelta)
    assert str(caught.value) == f"Option 'x': {reason}"


@given(st.text())
def test_text_is_a_duration_or_an_error(text: str) -> None:
    try:
        value = parsed(f"--x={text}", type=datetime.timedelta)
    except Error:
        return
    assert isinstance(value, datetime.timedelta)


@given(
    st.lists(
        st.tuples(
            st.integers(-10_000, 10_000),
            st.sampled_from(["weeks", "days", "hours", "minutes", "seconds"]),
            st.sampled_from(["", " "]),
        )
    )
)
def test_durations_add_up(parts: list[tuple[int, str, str]]) -> None:
    text = " ".join(f"{number}{space}{unit}" for number, unit, space in parts)
    total = sum(
        (datetime.timedelta(**{unit: number}) for number, unit, _ in parts),
        datetime.timedelta(),
    )
    assert parsed(f"--x={text}", type=datetime.timedelta) == total


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (int, "ten"),
        (float, ""),
        (datetime.datetime, "tomorrow"),
        (datetime.timedelta, "1x"),
        (datetime.timedelta, "1e300d"),
        (Color, "green"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_text_of_another_type_is_an_error_that_names_the_option(
    kind: type, text: str
) -> None:
    with pytest.raises(Error, match=r"^Option 'x': .") as caught:
        parsed(f"--x={text}", type=kind)
    # As Tornado's for numbers.
    assert isinstance(caught.value, ValueError)
    assert caught.value.__cause__ is not None


def test_text_that_is_wrong_changes_nothing() -> None:
    parser = parser_with(type=int, multiple=True, default=[1])
    with pytest.raises(Error):
        parser.parse_command_line(["prog", "--x=2,three"])
    assert parser.x == [1]


def test_a_type_may_be_any_function_of_text() -> None:
    assert parsed("--x=a,b", type=str.upper, multiple=True) == ["A", "B"]
    parser = parser_with(type=lambda text: text.split("/"))
    parser.x = 5
    assert parser.x == 5
    parser.parse_command_line(["prog", "--x=a/b"])
    assert parser.x == ["a", "b"]


def test_what_the_function_of_a_type_fails_with_comes_out() -> None:
    def fail(text: str) -> None:
        raise LookupError(text)

    with pytest.raises(LookupError):
        parsed("--x=a", type=fail)


def test_arguments_are_by_default_those_of_the_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["prog", "--x=1", "rest"])
    parser = parser_with(type=int)
    assert parser.parse_command_line() == ["rest"]
    assert parser.x == 1


# Definitions


def test_a_second_definition_is_told_where_the_first_is() -> None:
    parser = parser_with("data-dir")
    with pytest.raises(Error) as caught:
        parser.define("data_dir")
    assert str(caught.value) == f"Option 'data-dir' already defined in {__file__}"


def test_help_is_defined_here() -> None:
    with pytest.raises(Error) as caught:
        OptionParser().define("help")
    assert str(caught.value).endswith(f" already defined in {options_module.__file__}")


def test_group_is_by_default_the_file_that_defines(tmp_path: Path) -> None:
    parser = parser_with()
    other = str(tmp_path / "other.py")
    namespace = {"parser": parser}
    exec(compile("parser.define('y', 1)", other, "exec"), namespace)
    parser.define("z", 2, group="more")
    assert parser.groups() == {"", __file__, other, "more"}
    assert parser.group_dict(other) == {"y": 1}


def test_module_functions_are_about_the_options_of_the_program(
    monkeypatch: pytest.MonkeyPatch, write_file: Callable[[str], str]
) -> None:
    parser = OptionParser()
    monkeypatch.setattr(options_module, "options", parser)
    called = []
    options_module.define("port", 80, help="where to listen")
    options_module.define("name", type=str)
    options_module.add_parse_callback(lambda: called.append(parser.as_dict()))
    assert parser.group_dict(__file__) == {"port": 80, "name": None}
    assert options_module.parse_command_line(["prog", "--port=1", "a"], False) == ["a"]
    assert called == []
    options_module.parse_config_file(write_file("name = 'n'"))
    assert called == [{"help": None, "port": 1, "name": "n"}]
    output = io.StringIO()
    options_module.print_help(output)
    assert "where to listen (default 80)" in output.getvalue()


def test_options_of_the_program_have_those_of_logging() -> None:
    # Whatever other tests have defined beside them.
    names = options_module.options.group_dict("Logging")
    assert list(names) == [
        "logging",
        "log_to_stderr",
        "log_file_prefix",
        "log_file_max_size",
        "log_file_num_backups",
        "log_rotate_when",
        "log_rotate_interval",
        "log_rotate_mode",
    ]


# Reading and setting


def test_a_misspelled_name_is_guessed() -> None:
    # Python itself does, for uncaught errors, from what it finds here.
    parser = parser_with("data-dir")
    assert "data_dir" in dir(parser)
    assert "as_dict" in dir(parser)
    with pytest.raises(AttributeError) as caught:
        _ = parser.data_dri
    assert (caught.value.name, caught.value.obj) == ("data_dri", parser)


def test_an_option_called_like_a_method_is_read_by_subscription() -> None:
    parser = parser_with("items", default="a")
    parser["items"] = "b"
    assert parser["items"] == "b"
    assert callable(parser.items)


@pytest.mark.parametrize("make_copy", [copy.copy, copy.deepcopy])
def test_options_can_be_copied(make_copy: Callable[[Any], Any]) -> None:
    parser = parser_with(type=int)
    parser.define("y", 7)
    parser.x = 5
    assert make_copy(parser).as_dict() == {"help": None, "x": 5, "y": 7}


# Files


def test_file_may_be_a_path_and_knows_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "program.conf"
    path.write_text("import os\nx = os.path.dirname(__file__)")
    parser = parser_with(type=str)
    parser.parse_config_file(path)
    assert parser.x == str(tmp_path)


def test_mistake_in_a_file_is_shown_with_its_line(
    write_file: Callable[[str], str],
) -> None:
    path = write_file("x = 1\n)")
    with pytest.raises(SyntaxError) as caught:
        OptionParser().parse_config_file(path)
    assert (caught.value.filename, caught.value.lineno) == (path, 2)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("\ufeffx = 'é'".encode(), id="with a mark of UTF-8"),
        pytest.param("# coding: latin-1\nx = 'é'".encode("latin-1"), id="latin-1"),
    ],
)
def test_encodings_of_a_file_are_those_of_python(
    content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "program.conf"
    path.write_bytes(content)
    parser = parser_with(type=str)
    parser.parse_config_file(str(path))
    assert parser.x == "é"


def test_a_file_that_an_option_names_counts_until_later_options(
    write_file: Callable[[str], str],
) -> None:
    path = write_file("port = 1\nname = 'from the file'")
    parser = OptionParser()
    parsed_once = mock.Mock()
    parser.add_parse_callback(parsed_once)
    parser.define("port", 80)
    parser.define("name", "default")
    parser.define("config", callback=lambda path: parser.parse_config_file(path, False))
    parser.parse_command_line(["prog", "--name=x", f"--config={path}", "--port=2"])
    assert (parser.port, parser.name) == (2, "from the file")
    parsed_once.assert_called_once_with()


# Help


def help_of(parser: OptionParser) -> str:
    output = io.StringIO()
    parser.print_help(output)
    return output.getvalue()


def test_help_shows_groups_names_values_and_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/prog"])
    parser = OptionParser()
    parser.define("port", 80, help="where to listen", group="Net")
    parser.define("bind_address", "", help="on which\n address", group="Net")
    parser.define("hosts", multiple=True, metavar="A,B", group="Net")
    parser.define("the_longest_name_that_anybody_has", 1, help="one", group="Old")
    parser.define("y", help="word " * 15, group="Old")
    assert (
        help_of(parser)
        == f"""\
Usage: /usr/bin/prog [OPTIONS]

Options:

  --help                           show this help and exit

Net options:

  --bind-address                   on which  address
  --hosts=A,B
  --port                           where to listen (default 80)

Old options:

  --the-longest-name-that-anybody-has
{"":35}one (default 1)
  --y{"":30}word word word word word word word word word
{"":35}word word word word word word

"""
    )


def test_a_path_in_the_help_is_not_broken() -> None:
    path = "/very/long/path/" + "to-some-where/" * 6
    assert f"\n{'':35}{path})\n" in help_of(parser_with(default=path, help="a path"))


def test_help_goes_to_the_standard_error_and_ends_the_program_with_zero() -> None:
    done = run_program(
        """
        import sys
        from wsgitornado.options import define, parse_command_line
        define("port", 80, help="where to listen")
        sys.argv = ["prog", "--port=1", "--help"]
        parse_command_line()
        print("not reached")
        """
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert "Usage: prog [OPTIONS]" in done.stderr
    assert "where to listen (default 80)" in done.stderr
    assert "--log-file-prefix=PATH" in done.stderr


# Tests of programs


def test_patches_may_be_nested() -> None:
    parser = parser_with(default=1)
    mockable = parser.mockable()
    with mock.patch.object(mockable, "x", 2):
        with mock.patch.object(mockable, "x", 3):
            assert (parser.x, mockable.x) == (3, 3)
        assert parser.x == 2
    assert parser.x == 1


def test_a_default_of_another_type_comes_back_after_a_patch() -> None:
    parser = parser_with(default="none", type=int)
    with mock.patch.object(parser.mockable(), "x", 2):
        assert parser.x == 2
    assert parser.x == "none"


def test_a_patch_that_fails_leaves_the_value() -> None:
    parser = parser_with(default=1)
    patch = mock.patch.object(parser.mockable(), "x", "one")
    with pytest.raises(Error, match="is required to be a int"), patch:
        pass
    assert parser.x == 1


def test_only_what_was_patched_can_be_put_back() -> None:
    with pytest.raises(AttributeError, match="Option 'x' is not patched"):
        del parser_with().mockable().x
