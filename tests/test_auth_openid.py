"""Signing in by OpenID 2.0: what counts of what a browser brings."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest

from tests.auth_programs import rules
from tests.auth_stage import Page, Seen, Site, on_stage, play
from wsgitornado.testing import ExpectLog

pytest.importorskip("httpx")

FIELDS = {
    "openid.ns": "http://specs.openid.net/auth/2.0",
    "openid.mode": "id_res",
    "openid.claimed_id": "http://id.example/7",
    "openid.return_to": "http://site.example/openid",
    "openid.sig": "c2ln",
    "openid.signed": "ns,claimed_id,return_to,ns.ax,ax.type.m,ax.value.m",
    "openid.ns.ax": "http://openid.net/srv/ax/1.0",
    "openid.ax.type.m": "http://axschema.org/contact/email",
    "openid.ax.value.m": "ada@id.example",
}
VALID = {"/openid": (200, b"is_valid:true\n")}
ADA = {"name": "ada", "email": "ada@id.example", "claimed_id": "http://id.example/7"}


def come_back(answers: Any = VALID, **changed: str) -> tuple[Page, list[Seen]]:
    """The browser brings the provider's answer, some fields of it changed."""
    named = {f"openid.{name.replace('__', '.')}": v for name, v in changed.items()}
    target = f"/openid?{urlencode({**FIELDS, **named})}"
    return play(rules, target, answers=answers)


def assert_refused(page: Page, message: str) -> None:
    assert (page.status, page.text) == (400, f"AuthError: {message}")


def test_provider_is_asked_for_all_that_the_browser_has_brought() -> None:
    page, (seen,) = come_back()
    assert json.loads(page.text) == ADA
    asked = {**FIELDS, "openid.mode": "check_authentication"}
    assert (seen.method, seen.form) == ("POST", sorted(asked.items()))


def test_answer_may_come_as_a_form() -> None:
    async def act(site: Site) -> Page:
        return await site.get("/openid", method="POST", form=urlencode(FIELDS))

    def with_post(*args: Any) -> Any:
        found = dict(rules(*args))
        found["/openid"].post = found["/openid"].get
        return found.items()

    page: Page = on_stage(with_post, act, VALID)
    assert json.loads(page.text) == ADA


@pytest.mark.parametrize(
    ("signed", "user"),
    [
        ("return_to", {}),
        ("return_to,claimed_id", {"claimed_id": "http://id.example/7"}),
        ("return_to,ax.type.m,ax.value.m", {}),
        ("return_to,ns.ax,ax.type.m", {}),
        ("return_to,ns.ax,ax.value.m,unknown", {}),
    ],
    ids=["nothing", "identity", "no namespace", "no value", "no type"],
)
def test_only_what_is_signed_counts(signed: str, user: dict[str, str]) -> None:
    page, _ = come_back(signed=signed)
    assert json.loads(page.text) == user


@pytest.mark.parametrize("mode", ["cancel", "setup_needed", "checkid_setup", "error"])
def test_other_modes_sign_nobody_in(mode: str) -> None:
    with ExpectLog("wsgitornado.general", "400 GET .*signed anybody in"):
        page, seen = come_back(mode=mode)
    assert_refused(page, "the provider has not signed anybody in")
    assert seen == []


@pytest.mark.parametrize(
    "changed",
    [
        {"signed": "claimed_id"},
        {"signed": ""},
        {"return_to": "http://other.example/openid"},
        {"return_to": "http://site.example/other"},
        {"return_to": "http://site.example/openid?a=b"},
        {"return_to": "http://site.example:8080/openid"},
        {"return_to": ""},
    ],
    ids=["not signed", "nothing", "host", "path", "query", "port", "empty"],
)
def test_answer_for_another_address_is_refused(changed: dict[str, str]) -> None:
    with ExpectLog("wsgitornado.general", "400 GET .*another address"):
        page, seen = come_back(**changed)
    assert_refused(page, "the provider's answer is for another address")
    assert seen == []


def test_return_to_that_is_no_url_is_refused() -> None:
    with ExpectLog("wsgitornado.general", "400 GET .*no URL"):
        page, _ = come_back(return_to="http://[site.example/openid")
    assert_refused(page, "the provider's return_to is no URL")


@pytest.mark.parametrize(
    "return_to",
    ["https://SITE.example/openid", "http://site.example/%6fpenid?openid.sig=c2ln"],
    ids=["scheme and case", "spelling and query"],
)
def test_same_address_may_be_written_otherwise(return_to: str) -> None:
    page, _ = come_back(return_to=return_to)
    assert json.loads(page.text) == ADA


@pytest.mark.parametrize(
    "body",
    [b"is_valid:false\n", b"", b"not is_valid:true", b"x" * 1000, b"\xff"],
    ids=["false", "empty", "another line", "long", "no text"],
)
def test_answer_that_is_not_confirmed_is_refused(body: bytes) -> None:
    with ExpectLog("wsgitornado.general", "400 GET .*Invalid OpenID response"):
        page, _ = come_back({"/openid": (200, body)})
    assert_refused(page, f"Invalid OpenID response: {body[:200]!r}")


def test_bytes_that_are_no_text_are_refused() -> None:
    with ExpectLog("wsgitornado.general", "400 GET .*Invalid unicode"):
        page, seen = play(rules, "/openid?openid.mode=id_res&a=%ff", answers=VALID)
    assert (page.status, seen) == (400, [])


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"first": "Ada"}, "Ada"),
        ({"last": "Byron"}, "Byron"),
        ({"first": "Ada", "last": "Byron"}, "Ada Byron"),
        ({"": "Ada B.", "first": "Ada"}, "Ada B."),
    ],
)
def test_name_is_made_of_what_there_is(attributes: dict[str, str], name: str) -> None:
    fields = {"signed": FIELDS["openid.signed"]}
    for n, (kind, value) in enumerate(attributes.items()):
        uri = f"http://axschema.org/namePerson/{kind}".rstrip("/")
        fields |= {f"ax__type__{n}": uri, f"ax__value__{n}": value}
        fields["signed"] += f",ax.type.{n},ax.value.{n}"
    page, _ = come_back(**fields)
    assert json.loads(page.text)["name"] == name


# The question


def question(target: str) -> dict[str, str]:
    page, _ = play(
        lambda *args: [("/.*", dict(rules(*args))["/openid"])],
        target,
    )
    return dict(page.query)


@pytest.mark.parametrize(
    "target", ["//evil.example/x", "/%5Cevil.example/", "///evil.example"]
)
def test_path_is_never_taken_for_a_host(target: str) -> None:
    asked = question(target)
    assert asked["openid.return_to"].startswith("http://site.example/")
    assert asked["openid.realm"] == "http://site.example/"


@pytest.mark.parametrize("given", ["//evil.example/x", "/\\evil.example"])
def test_callback_without_a_scheme_is_ours(given: str) -> None:
    arguments = quote(json.dumps({"callback_uri": given}))
    asked = question(f"/x?arguments={arguments}")
    assert asked["openid.return_to"] == "http://site.example" + given
    assert asked["openid.realm"] == "http://site.example/"


def test_endpoint_may_have_a_query() -> None:
    def with_query(*args: Any) -> Any:
        found = dict(rules(*args))
        found["/openid"]._OPENID_ENDPOINT += "?a=b"
        return found.items()

    page, _ = play(with_query, "/openid")
    assert {("a", "b"), ("openid.mode", "checkid_setup")} <= set(page.query)


def test_unknown_attribute_is_the_mistake_of_the_program() -> None:
    arguments = quote(json.dumps({"ax_attrs": ["name", "age"]}))
    with ExpectLog("wsgitornado.application", "Uncaught exception"):
        page, _ = play(rules, f"/openid?arguments={arguments}")
    expected = "ValueError: ax_attrs are name, email, language, username: got 'age'"
    assert (page.status, page.text) == (500, expected)


def test_scope_of_oauth_may_be_asked_for_along() -> None:
    def get(self: Any) -> None:
        fields = self._openid_args("/x", [], oauth_scope="a b")
        self.write(urlencode(fields))

    def with_scope(*args: Any) -> Any:
        found = dict(rules(*args))
        found["/openid"].get = get
        return found.items()

    page, _ = play(with_scope, "/openid")
    asked = dict(parse_qsl(page.text))
    assert asked["openid.ns.oauth"] == "http://specs.openid.net/extensions/oauth/1.0"
    assert asked["openid.oauth.consumer"] == "site.example"
    assert asked["openid.oauth.scope"] == "a b"
