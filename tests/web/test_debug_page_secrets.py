"""No secret is in a traceback that a client gets, be it a page or plain text."""

from __future__ import annotations

import base64
import html
import string
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import call
from tests.web.shown_page import BROWSER
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, HTTPError, RequestHandler

COOKIE_SECRET = "Zq-key-of-the-signatures"
SECRETS = {
    "cookie_secret": COOKIE_SECRET,
    "session": "Zq-session-of-ada",
    "bearer": "Zq-bearer-token",
    "xsrf": "Zq-xsrf-token",
    "argument": "Zq-query-password",
    "field": "Zq-form-password",
    "group": "Zq-reset-token",
    "new": "Zq-new-session",
    "signed": "Zq-user-in-signed-cookie",
}


class Leaking(RequestHandler):
    """Fails with an exception that tells all it knows."""

    spelling: Any = str
    error: Any = ValueError

    def post(self, token: str) -> None:
        self.set_cookie("session", SECRETS["new"])
        told = [
            self.settings["cookie_secret"],
            self.get_cookie("session"),
            (self.get_signed_cookie("user") or b"").decode(),
            self.request.headers["Authorization"],
            self.request.headers["X-Xsrftoken"],
            self.get_argument("password"),
            self.get_argument("new_password"),
            token,
            SECRETS["new"],
        ]
        local = self.settings["local"]  # noqa: F841  # must not be shown either
        error = self.error(*map(self.spelling, told))
        error.add_note(" ".join(map(str, told)))
        raise error

    get = post


def signed_user(application: Application) -> str:
    handler = RequestHandler(application, Any)  # type: ignore[arg-type]  # not asked
    return handler.create_signed_value("user", SECRETS["signed"]).decode()


def leak(accept: str, logger: str = "application", **attributes: Any) -> str:
    members = {name: staticmethod(value) for name, value in attributes.items()}
    handler = type("Handler", (Leaking,), members)
    application = Application(
        [(r"/reset/(?P<token>[^/]*)", handler)],
        debug=True,
        cookie_secret=COOKIE_SECRET,
        local="Zq-a-local-variable",
        name_of_the_owner="Zq-an-ordinary-setting",
    )
    headers = [
        ("Accept", accept),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Cookie", f"session={SECRETS['session']}; user={signed_user(application)}"),
        ("Authorization", f"Bearer {SECRETS['bearer']}"),
        ("X-Xsrftoken", SECRETS["xsrf"]),
    ]
    target = f"/reset/{SECRETS['group']}?password={SECRETS['argument']}&page=1"
    form = f"new_password={SECRETS['field']}".encode()
    with ExpectLog(f"wsgitornado.{logger}", "(Uncaught exception|503) POST"):
        got = call(
            application,
            target,
            "POST",
            headers,
            form,
            REMOTE_USER="Zq-an-environ-value",
        )
    assert got.status_code >= 500
    return html.unescape(got.text)


def in_list(text: str) -> list[str]:
    return [text]


@pytest.mark.parametrize("accept", ["*/*", BROWSER[1]], ids=["text", "page"])
@pytest.mark.parametrize("spelling", [str, repr, str.encode, quote, ascii, in_list])
@pytest.mark.parametrize("error", [ValueError, KeyError])
def test_no_secret_is_shown(accept: str, spelling: Any, error: Any) -> None:
    text = leak(accept, spelling=spelling, error=error)
    assert "Zq-" not in text
    assert f"{error.__name__}: (" in text
    assert text.count("[masked]") > len(SECRETS)


@pytest.mark.parametrize("accept", ["*/*", BROWSER[1]], ids=["text", "page"])
def test_no_secret_is_shown_in_a_log_message(accept: str) -> None:
    def error(*told: str) -> HTTPError:
        return HTTPError(503, "told: %s", " ".join(told))

    text = leak(accept, "general", error=error)
    assert "Zq-" not in text
    assert "HTTP 503: Service Unavailable (told: [masked]" in text


# Every character that a cookie, a header and an argument can carry; the beginning tells
# them from the words of the page.
VALUES = st.text(
    string.ascii_letters + string.digits + "!#$&'()*+-./:<>?@[]^_`{|}~="
).map("QZ-QZ-".__add__)


@given(cookie=VALUES, credentials=VALUES, secret=VALUES, argument=VALUES)
def test_no_value_of_a_secret_is_shown(
    cookie: str, credentials: str, secret: str, argument: str
) -> None:
    class Failing(RequestHandler):
        def get(self) -> None:
            told = [cookie, credentials, secret, argument]
            raise ValueError(told, *told)

    basic = base64.b64encode(f"ada:{credentials}".encode()).decode()
    application = Application([("/", Failing)], debug=True, cookie_secret=secret)
    headers = [("Cookie", f"a={cookie}"), ("Authorization", f"Basic {basic}")]
    for accept in ("*/*", BROWSER[1]):
        with ExpectLog("wsgitornado.application", "Uncaught exception"):
            got = call(
                application,
                f"/?secret={quote(argument)}",
                headers=[("Accept", accept), *headers],
            )
        assert "QZ" not in html.unescape(got.text)
        assert basic not in html.unescape(got.text)
