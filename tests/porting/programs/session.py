"""A sign-in: cookies that another server with the same secrets has to take."""

from __future__ import annotations

from typing import Any

from tornado import web

from tests.porting.raw import form, get


class SignIn(web.RequestHandler):
    def get(self) -> None:
        # The token alone, as a script would have it; the cookie comes along.
        self.write(self.xsrf_token)

    def post(self) -> None:
        version = int(self.get_argument("version"))
        self.set_signed_cookie("user", self.get_argument("user"), version=version)
        self.write("signed in")


class Me(web.RequestHandler):
    def get_current_user(self) -> Any:
        return self.get_signed_cookie("user", min_version=1)

    def get(self) -> None:
        key = self.get_signed_cookie_key_version("user")
        self.write(f"{self.current_user!r} by key {key}")


def make_app() -> web.Application:
    return web.Application(
        [(r"/signin", SignIn), (r"/me", Me)],
        cookie_secret={1: "the first secret", 7: "the seventh secret"},
        key_version=7,
        xsrf_cookies=True,
    )


REQUESTS = {
    "nobody": get("/me"),
    "no_token": form("/signin", "user=ann&version=2"),
}
