"""What the language has beyond Tornado's, and what a template is to its caller."""

from __future__ import annotations

import ast
import inspect

import pytest

from wsgitornado.template import DictLoader, ParseError, Template
from wsgitornado.template.names import bound_names


def generate(main: str, /, **files: str) -> str:
    return DictLoader({"main": main, **files}).load("main").generate(x="<").decode()


# super


def test_super_gives_the_block_of_the_parent() -> None:
    base = "({% block a %}base{% end %})"
    main = "{% extends base %}{% block a %}[{% super %}|{% super %}]{% end %}"
    assert generate(main, base=base) == "([base|base])"


def test_super_goes_up_level_by_level() -> None:
    base = "{% block a %}1{% end %}"
    middle = "{% extends base %}{% block a %}{% super %}2{% end %}"
    main = "{% extends middle %}{% block a %}{% super %}3{% end %}"
    assert generate(main, base=base, middle=middle) == "123"


def test_super_passes_over_levels_without_the_block() -> None:
    base = "{% block a %}1{% end %}"
    middle = "{% extends base %}{% block b %}{% end %}"
    main = "{% extends middle %}{% block a %}{% super %}3{% end %}"
    assert generate(main, base=base, middle=middle) == "13"


def test_blocks_inside_what_super_gives_are_those_of_this_template() -> None:
    base = "{% block a %}<{% block b %}base{% end %}>{% end %}"
    main = "{% extends base %}{% block a %}{% super %}!{% end %}{% block b %}b{% end %}"
    assert generate(main, base=base) == "<b>!"


def test_what_super_gives_is_escaped_as_its_file_says() -> None:
    base = "{% block a %}{{ x }}{% end %}"
    main = (
        "{% autoescape None %}{% extends base %}"
        "{% block a %}{{ x }}{% super %}{% end %}"
    )
    assert generate(main, base=base) == "<&lt;"


def test_super_stands_anywhere_in_the_block() -> None:
    base = "{% block a %}a{{ i }}{% end %}"
    main = (
        "{% extends base %}{% block a %}{% for i in 'xy' %}"
        "{% apply escape %}{% super %}{% end %}{% end %}{% end %}"
    )
    loader = DictLoader({"main": main, "base": base})
    assert loader.load("main").generate(i="global", escape=bytes.upper) == b"AXAY"


def test_super_shares_its_names() -> None:
    base = "{% block a %}{% set y = 1 %}{% end %}"
    main = "{% extends base %}{% block a %}{% super %}{{ y }}{% end %}"
    assert generate(main, base=base) == "1"


# Tags


def test_any_blank_separates_an_operator_from_its_rest() -> None:
    assert generate("{% if\tx %}a{% end %}{% set\n y = 1 %}{{ y }}") == "a1"


def test_a_function_to_apply_is_any_expression() -> None:
    assert generate("{% apply lambda text: text + b'!' %}a{% end %}") == "a!"


def test_a_function_may_be_defined() -> None:
    text = "{% set def double(x): return x * 2 %}{{ double(2) }}"
    assert generate(text) == "4"


# Names that code of another file binds


@pytest.mark.parametrize(
    ("code", "names"),
    [
        pytest.param("a = b = c", "a b", id="assignment"),
        pytest.param("a, (b, *c) = d", "a b c", id="unpacking"),
        pytest.param("a.b = c[d] = 1", "", id="attribute and item"),
        pytest.param("a += 1; del b", "a b", id="augmented and del"),
        pytest.param("import a.b, c.d as e", "a e", id="import"),
        pytest.param("from a import b, c as d", "b d", id="from"),
        pytest.param("for a in b: pass", "a", id="for"),
        pytest.param("with a as b: pass", "b", id="with"),
        pytest.param(
            "try: pass\nexcept A as b: c = 1\nexcept D: pass", "b c", id="try"
        ),
        pytest.param("[a for a in b if (c := a)]", "c", id="comprehension"),
        pytest.param("lambda a: (b := a)", "", id="lambda"),
        pytest.param("def a(b): c = 1", "a", id="def"),
        pytest.param("async def a(b): c = 1", "a", id="async def"),
        pytest.param("class A: b = 1", "A", id="class"),
        pytest.param("global a; a = b = 1", "b", id="global"),
        pytest.param("nonlocal a; a = b = 1", "b", id="nonlocal"),
    ],
)
def test_bound_names_are_those_that_python_would_make_local(
    code: str, names: str
) -> None:
    assert bound_names([ast.parse(code)]) == set(names.split())


def test_global_names_are_shared_with_what_is_included() -> None:
    # Not nonlocal: such a name must not become local outside either.
    main = "{% include part %}{{ y }}"
    assert generate(main, part="{% set global y; y = 5 %}") == "5"


# Called from Python


def test_any_name_may_be_given() -> None:
    assert Template("{{ self }}{{ kwargs }}").generate(self=1, kwargs=2) == b"12"


def test_output_is_independent_of_earlier_ones() -> None:
    template = Template("{% set global y; y = x %}{{ y }}")
    assert template.generate(x=1) == b"1"
    with pytest.raises(NameError):
        Template("{{ y }}").generate()


def test_namespace_is_looked_at_when_the_template_runs() -> None:
    loader = DictLoader({"main": "{{ x }}"}, namespace={"x": 1})
    template = loader.load("main")
    loader.namespace["x"] = 2
    assert template.generate() == b"2"


def test_namespace_of_a_loader_may_begin_empty() -> None:
    names: dict[str, object] = {}
    template = DictLoader({"main": "{{ x }}"}, namespace=names).load("main")
    names["x"] = 2
    assert template.generate() == b"2"


def test_template_tells_how_it_was_made() -> None:
    loader = DictLoader({"a": "{% autoescape None %}"}, namespace={"x": 1})
    template = loader.load("a")
    assert (template.name, template.loader, template.autoescape) == ("a", loader, None)
    assert template.namespace == {"x": 1}


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        pytest.param({}, b"a  b&lt;", id="default"),
        pytest.param({"name": "x.html"}, b"a b&lt;", id="by name"),
        pytest.param({"compress_whitespace": True}, b"a b&lt;", id="compressed"),
        pytest.param(
            {"compress_whitespace": False, "name": "x.html"}, b"a  b&lt;", id="kept"
        ),
        pytest.param({"whitespace": "oneline"}, b"a b&lt;", id="mode"),
        pytest.param({"autoescape": None}, b"a  b<", id="no autoescape"),
        pytest.param({"autoescape": "f"}, b"a  b!<!", id="other autoescape"),
        pytest.param(
            {"loader": DictLoader({}, autoescape=None, whitespace="single")},
            b"a b<",
            id="of the loader",
        ),
        pytest.param(
            {
                "loader": DictLoader({}, autoescape=None, whitespace="single"),
                "autoescape": "xhtml_escape",
                "whitespace": "all",
            },
            b"a  b&lt;",
            id="before the loader",
        ),
    ],
)
def test_arguments_say_how_text_is_taken(
    arguments: dict[str, object], output: bytes
) -> None:
    template = Template("a  b{{ x }}", **arguments)  # type: ignore[arg-type]  # a mix
    assert template.generate(x="<", f=lambda text: b"!" + text + b"!") == output


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({"whitespace": "some"}, id="unknown mode"),
        pytest.param({"whitespace": "all", "compress_whitespace": False}, id="both"),
    ],
)
def test_wrong_arguments_are_value_errors(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="whitespace"):
        Template("", **arguments)  # type: ignore[arg-type]  # a mix


def test_default_arguments_are_shown_as_unset() -> None:
    assert "= <unset>" in str(inspect.signature(Template))


def test_wrong_autoescape_is_found_with_the_first_expression() -> None:
    with pytest.raises(ParseError, match=r"invalid syntax.* at <string>:2"):
        Template("\n{{ 1 }}", autoescape="not a name")


def test_bytes_are_utf8() -> None:
    assert Template("é{{ 'é' }}".encode()).generate() == "éé".encode()


def test_byte_order_mark_is_text() -> None:
    # As in Tornado. A file that is extended or included would show it anywhere.
    assert Template(b"\xef\xbb\xbfa").generate() == b"\xef\xbb\xbfa"


def test_lone_surrogate_in_the_output_names_the_template() -> None:
    with pytest.raises(UnicodeEncodeError) as caught:
        Template("{{ x }}", name="page.html").generate(x="\udc80")
    assert caught.value.__notes__ == ["in the output of template 'page.html'"]


def test_function_that_gives_neither_text_nor_bytes_is_named_in_the_error() -> None:
    with pytest.raises(TypeError, match=r"Expected bytes or unicode.*NoneType"):
        Template("{% apply f %}{% end %}").generate(f=lambda text: None)
