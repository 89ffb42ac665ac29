"""The webtest client: XSRF tokens and signed cookies in one line."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

import pytest

from tests.loops import run_program
from wsgitornado import testing
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, RequestHandler

webtest = pytest.importorskip("webtest")

client = testing.client  # needs webtest


class Handler(RequestHandler):
    def get(self) -> None:
        self.write(self.get_signed_cookie("user") or b"nobody")

    async def post(self) -> None:
        await asyncio.sleep(0)
        self.set_signed_cookie("seen", self.get_argument("text", "nothing"))
        self.write("posted")

    def delete(self) -> None:
        self.write("deleted")


class Form(RequestHandler):
    def get(self) -> None:
        self.write(f"<form method=post action=/>{self.xsrf_form_html()}</form>")


def make_app(**settings: Any) -> Application:
    settings = {"cookie_secret": "secret", "xsrf_cookies": True, **settings}
    return Application([("/", Handler), ("/form", Form)], **settings)


def refused() -> ExpectLog:
    return ExpectLog("wsgitornado.general", "403 POST / .*XSRF|.*_xsrf")


def test_client_is_webtests() -> None:
    assert isinstance(client(make_app()), webtest.TestApp)
    assert client(make_app()).get("/").text == "nobody"


# XSRF


def test_request_without_token_is_refused() -> None:
    with refused():
        client(make_app()).post("/", status=403)


def test_headers_carry_the_token_once() -> None:
    visitor = client(make_app())
    assert visitor.post("/", headers=visitor.xsrf_headers()).text == "posted"
    with refused():
        visitor.post("/", status=403)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("name", ["_xsrf", "__Host-token"])
def test_client_sends_the_token_by_itself(version: int, name: str) -> None:
    app = make_app(xsrf_cookie_version=version, xsrf_cookie_name=name)
    visitor = client(app, xsrf=True)
    assert visitor.post("/", {"text": "a"}).text == "posted"
    assert visitor.delete("/").text == "deleted"
    assert visitor.post_json("/", {"text": "a"}).text == "posted"
    assert name in visitor.cookies


def test_reading_needs_no_token() -> None:
    visitor = client(make_app(), xsrf=True)
    visitor.get("/")
    assert visitor.cookies == {}


def test_token_of_ones_own_is_sent_as_it_is() -> None:
    visitor = client(make_app(), xsrf=True)
    with refused():
        visitor.post("/", headers={"X-Xsrftoken": "00ff"}, status=403)


def test_token_is_that_of_the_page_before() -> None:
    visitor = client(make_app())
    page = visitor.get("/form")
    cookie = visitor.cookies["_xsrf"]
    assert visitor.post("/", headers=visitor.xsrf_headers()).text == "posted"
    assert page.form.submit().text == "posted"
    assert visitor.cookies["_xsrf"] == cookie


def test_text_of_the_token_is_another_one_each_time() -> None:
    visitor = client(make_app())
    assert visitor.xsrf_token != visitor.xsrf_token


# Signed cookies


@pytest.mark.parametrize("version", [None, 1, 2])
@pytest.mark.parametrize("value", ["Ada", "Adä ;,\"'", b"\xff\x00", ""])
def test_handler_reads_what_the_client_signs(
    version: int | None, value: str | bytes
) -> None:
    visitor = client(make_app())
    visitor.set_signed_cookie("user", value, version)
    expected = value.encode() if isinstance(value, str) else value
    assert visitor.get("/").body == (expected or b"nobody")
    assert visitor.get_signed_cookie("user") == expected


def test_client_reads_what_the_handler_signs() -> None:
    visitor = client(make_app(), xsrf=True)
    visitor.post("/", {"text": "Bö b"})
    assert visitor.get_signed_cookie("seen") == "Bö b".encode()
    assert visitor.get_signed_cookie("seen", max_age_days=-1) is None


def test_cookie_that_is_not_there_is_none() -> None:
    assert client(make_app()).get_signed_cookie("user") is None


def test_key_of_several_is_that_of_the_settings() -> None:
    visitor = client(make_app(cookie_secret={1: "old", 2: "new"}, key_version=2))
    visitor.set_signed_cookie("user", "Ada")
    assert visitor.get("/").text == "Ada"
    assert "|1:2|" in visitor.cookies["user"]


def test_old_version_may_be_refused() -> None:
    visitor = client(make_app())
    visitor.set_signed_cookie("user", "Ada", version=1)
    assert visitor.get_signed_cookie("user", min_version=2) is None


def test_without_a_secret_nothing_is_signed() -> None:
    visitor = client(make_app(cookie_secret=None))
    with pytest.raises(RuntimeError, match="need the setting cookie_secret"):
        visitor.set_signed_cookie("user", "Ada")
    with pytest.raises(RuntimeError, match="need the setting cookie_secret"):
        visitor.get_signed_cookie("user")


# Which application


def test_settings_are_passed_for_an_application_inside_another() -> None:
    app = make_app()

    def middleware(environ: Any, start_response: Any) -> Any:
        return app(environ, start_response)

    visitor = client(middleware, settings=app.settings, xsrf=True)
    visitor.set_signed_cookie("user", "Ada")
    assert visitor.get("/").text == "Ada"
    assert visitor.post("/").text == "posted"
    with pytest.raises(RuntimeError, match=r"pass those .*settings=application.settin"):
        _ = client(middleware).xsrf_token


def test_options_are_webtests() -> None:
    environ = {"REMOTE_ADDR": "10.0.0.1"}
    assert client(make_app(), extra_environ=environ).extra_environ == environ


@pytest.mark.parametrize("app", [None, "module:app", 5])
def test_what_is_no_application_is_refused(app: Any) -> None:
    with pytest.raises(TypeError, match="an application is a WSGI callable: got "):
        testing.Client(app)


@pytest.mark.parametrize("name", ["client", "Client"])
def test_without_webtest_it_says_what_to_install(name: str) -> None:
    done = run_program(
        f"""
        import sys
        sys.modules["webtest"] = None
        from wsgitornado import testing
        print(testing.ExpectLog, "{name}" in dir(testing))
        try:
            testing.{name}
        except ImportError as error:
            print(error, error.name)
        """
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "<class 'wsgitornado.testing.ExpectLog'> True",
        f"wsgitornado.testing.{name} is a client of webtest: pip install webtest "
        "webtest",
    ]


@pytest.mark.parametrize("missing", ["webtest", "bs4"])
def test_only_webtest_itself_is_explained(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    def import_module(name: str) -> None:
        if name.endswith("webtest_client"):
            raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    monkeypatch.setattr(importlib, "import_module", import_module)
    with pytest.raises(ModuleNotFoundError) as caught:
        _ = testing.client
    assert caught.value.name == missing
    assert ("pip install webtest" in str(caught.value)) == (missing == "webtest")


def test_import_of_webtest_is_silent_and_needs_no_httpx() -> None:
    done = run_program(
        """
        import sys
        sys.modules["httpx"] = None
        from wsgitornado.testing import AsyncTestCase, LiveServer, client
        """,
        "-Werror",
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_without_httpx_the_missing_package_is_named() -> None:
    done = run_program(
        """
        import sys
        sys.modules["httpx"] = None
        from wsgitornado import testing, web

        class Test(testing.AsyncHTTPTestCase):
            def get_app(self):
                return web.Application()

            def test(self):
                self.fetch("/")

        testing.main()
        """
    )
    assert "pip install 'wsgitornado[httpclient]'" in done.stderr


def test_other_names_are_missing() -> None:
    assert not hasattr(testing, "LogTrapTestCase")
    assert {*testing.__all__, "__doc__"} <= set(dir(testing))
