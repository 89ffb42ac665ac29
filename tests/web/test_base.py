"""What every handler has: its application, its request, its settings, its URLs."""

from __future__ import annotations

import pytest

from tests.support import call, make_environ
from wsgitornado.httputil import HTTPServerRequest
from wsgitornado.web import Application, RequestHandler


def handler_of(application: Application, script_name: str = "") -> RequestHandler:
    environ = make_environ("/x?y", SCRIPT_NAME=script_name)
    return RequestHandler(application, HTTPServerRequest(environ))


def test_handler_knows_its_application_and_its_settings() -> None:
    application = Application(title="Ours")
    handler = handler_of(application)
    assert handler.application is application
    assert handler.settings is application.settings
    assert handler.settings["title"] == "Ours"
    assert handler.request.uri == "/x?y"


@pytest.mark.parametrize("settings", [{}, {"secret": ""}, {"secret": None}], ids=str)
def test_setting_that_is_required_and_missing_is_named(
    settings: dict[str, object],
) -> None:
    handler = handler_of(Application(**settings))  # type: ignore[arg-type]  # settings
    with pytest.raises(RuntimeError, match=r"define the 'secret' .* this feat"):
        handler.require_setting("secret")
    with pytest.raises(RuntimeError, match=r"application to use cookies$"):
        handler.require_setting("secret", "cookies")


def test_setting_that_is_there_is_enough() -> None:
    handler_of(Application(secret="x")).require_setting("secret")


@pytest.mark.parametrize(
    ("script_name", "expected"),
    [
        ("", "/user/a%20b/c"),
        ("/app", "/app/user/a%20b/c"),
        ("/a p", "/a%20p/user/a%20b/c"),
    ],
    ids=["root", "prefix", "quoted prefix"],
)
def test_url_of_a_name_is_below_the_prefix(script_name: str, expected: str) -> None:
    application = Application([("/user/(.*)", RequestHandler, {}, "user")])
    assert handler_of(application, script_name).reverse_url("user", "a b/c") == expected


def test_url_of_a_name_that_is_unknown_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="nobody not found in named urls"):
        handler_of(Application()).reverse_url("nobody")


def test_status_can_be_asked_for() -> None:
    class Asking(RequestHandler):
        def get(self) -> None:
            before = self.get_status()
            self.set_status(404)
            self.write(f"{before} {self.get_status()}")

    assert call(Application([("/", Asking)])).text == "200 404"


def test_summary_of_a_request_is_short() -> None:
    assert handler_of(Application())._request_summary() == "GET /x?y (127.0.0.1)"
