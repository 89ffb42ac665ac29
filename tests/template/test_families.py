"""Whatever files make of each other, names and blocks are those of Tornado."""

from __future__ import annotations

from typing import Any

import pytest
import tornado.template
from hypothesis import given
from hypothesis import strategies as st

from wsgitornado import template

VARIABLES = ["x", "y", "z"]

names = st.sampled_from(VARIABLES)
leaves = (
    st.sampled_from(["text", " ", "{% set x += 1 %}", "{{ [y for y in 'ab'] }}"])
    | names.map("{{{{ {0} }}}}".format)
    | names.map("{{% raw {0} %}}".format)
    | st.tuples(names, st.integers(0, 3)).map("{{% set {0[0]} = {0[1]} %}}".format)
    | names.map("{{{{ ({0} := 7) }}}}".format)
    | names.map("{{% from math import pi as {0} %}}".format)
)


def around(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    body = st.lists(inner, max_size=3).map("".join)
    return (
        st.tuples(names, body, body).map(
            "{{% if {0[0]} %}}{0[1]}{{% else %}}{0[2]}{{% end %}}".format
        )
        | st.tuples(names, body).map(
            "{{% for {0[0]} in 'ab' %}}{0[1]}{{% end %}}".format
        )
        | body.map("{{% apply f %}}{0}{{% end %}}".format)
        | st.tuples(body, names).map(
            "{{% try %}}{0[0]}{{% except NameError as {0[1]} %}}!{{% end %}}".format
        )
        | st.tuples(st.sampled_from("abc"), body).map(
            "{{% block {0[0]} %}}{0[1]}{{% end %}}".format
        )
    )


def bodies(*more: str) -> st.SearchStrategy[str]:
    items = st.recursive(leaves | st.sampled_from([" ", *more]), around, max_leaves=8)
    return st.lists(items, max_size=5).map("".join)


files = st.fixed_dictionaries(
    {
        "part": bodies(),
        "base": bodies("{% include part %}", "{% block a %}{% end %}"),
        "main": bodies("{% include part %}").map("{{% extends base %}}{0}".format),
    }
)


def outcome(module: Any, texts: dict[str, str]) -> object:
    loader = module.DictLoader(texts)
    main = loader.load("main")
    try:
        return main.generate(x=0, z="<", f=lambda text: b"[" + text + b"]")
    except NameError:
        # UnboundLocalError is one, too.
        return NameError
    except Exception as e:
        return type(e)


@given(texts=files)
def test_files_share_names_and_blocks_as_in_tornado(texts: dict[str, str]) -> None:
    assert outcome(template, texts) == outcome(tornado.template, texts)


@pytest.mark.parametrize("name", VARIABLES)
def test_name_of_an_inner_file_is_found_in_all_others(name: str) -> None:
    texts = {
        "base": f"{{% set {name} = 1 %}}{{% block a %}}{{% end %}}{{{{ {name} }}}}",
        "main": "{% extends base %}{% block a %}{% include part %}{% end %}",
        "part": f"{{{{ {name} }}}}{{% set {name} = 2 %}}",
    }
    assert outcome(template, texts) == b"12"
