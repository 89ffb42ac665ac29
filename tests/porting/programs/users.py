"""Users: who is logged in, who must log in first, and where they go then."""

from __future__ import annotations

from typing import Any

from tornado import web

from tests.porting.raw import get, head, post, request

SECRET = "a secret"


class Base(web.RequestHandler):
    def get_current_user(self) -> Any:
        user = self.get_cookie("user")
        return user.upper() if user else None


class Guarded(Base):
    @web.authenticated
    def get(self, *args: str) -> None:
        self.write(f"hello {self.current_user} {args}")

    head = post = put = delete = get


class Coroutine(Base):
    @web.authenticated
    async def get(self) -> None:
        self.write(f"hello {self.current_user}")


class OwnLogin(Guarded):
    def get_login_url(self) -> str:
        return "/own?x=1"


class Counted(web.RequestHandler):
    """How often the user is asked for."""

    asked = 0

    def get_current_user(self) -> Any:
        self.asked += 1
        return None

    def get(self) -> None:
        self.write(f"{self.current_user} {self.current_user} {self.asked}")


class Assigned(Base):
    async def prepare(self) -> None:
        self.current_user = "assigned"

    @web.authenticated
    def get(self) -> None:
        self.write(str(self.current_user))


class Failing(web.RequestHandler):
    def get_current_user(self) -> Any:
        raise ValueError("no user")

    @web.authenticated
    def get(self) -> None:
        self.write("never")


class Default(web.RequestHandler):
    def get(self) -> None:
        self.write(repr(self.current_user))


class Signed(web.RequestHandler):
    """A login as programs do it, with a cookie of fixed attributes."""

    def get_current_user(self) -> Any:
        return self.get_signed_cookie("user")

    def get(self) -> None:
        self.write(repr(self.current_user))

    def post(self) -> None:
        self.current_user = self.get_body_argument("name")
        signed = self.create_signed_value("user", self.current_user)
        self.write(repr(self.get_signed_cookie("user", signed.decode())))

    def delete(self) -> None:
        self.clear_cookie("user")
        self.redirect("/")


RULES: list[Any] = [
    (r".*/guarded", Guarded),
    (r".*/guarded/(.*)", Guarded),
    (r"//.*", Guarded),
    (r".*/coroutine", Coroutine),
    (r".*/own_login", OwnLogin),
    (r".*/counted", Counted),
    (r".*/assigned", Assigned),
    (r".*/failing", Failing),
    (r".*/default", Default),
    (r".*/signed", Signed),
]

LOGINS = {
    "path": "/login",
    "query": "/login?a=b",
    "fragment": "/login#a",
    "other": "https://login.test/in",
    "other_query": "https://login.test/in?a=b",
    "slashes": "//login.test/in",
    "relative": "login",
}


def make_app() -> web.Application:
    """One application for each login URL."""
    rules: list[Any] = [
        (rf"/{name}/.*", web.Application(RULES, login_url=url, cookie_secret=SECRET))
        for name, url in LOGINS.items()
    ]
    return web.Application([*rules, (r"/.*", web.Application(RULES))])


USER = "Cookie: user=ada"

REQUESTS = {
    **{f"login_{name}": get(f"/{name}/guarded") for name in LOGINS},
    **{f"login_{name}_query": get(f"/{name}/guarded?x=%20y&z") for name in LOGINS},
    "login_quoted": get("/path/guarded/caf%C3%A9%20b%3F"),
    "login_crlf": get("/path/guarded/a%0D%0AX-B:%20c"),
    "login_head": head("/path/guarded"),
    "login_post": post("/path/guarded", b"a=b"),
    "login_put": request("PUT", "/path/guarded", body=b""),
    "login_options": request("OPTIONS", "/path/guarded"),
    "login_own": get("/path/own_login"),
    "login_coroutine": get("/path/coroutine"),
    "login_not_set": get("/guarded"),
    "login_not_set_post": post("/guarded", b""),
    "login_with_other_host": request("GET", "/other/guarded", host="a.test:81"),
    "user": get("/path/guarded", USER),
    "user_group": get("/path/guarded/a", USER),
    "user_head": head("/path/guarded", USER),
    "user_post": post("/path/guarded", b"", USER),
    "user_empty": get("/path/guarded", "Cookie: user="),
    "user_coroutine": get("/path/coroutine", USER),
    "user_not_set": get("/guarded", USER),
    "counted": get("/counted"),
    "assigned": get("/assigned"),
    "failing": get("/failing"),
    "default": get("/default"),
    "signed_none": get("/path/signed"),
    "signed_forged": get("/path/signed", USER),
    "signed_in": post(
        "/path/signed", b"name=ada", "Content-Type: application/x-www-form-urlencoded"
    ),
    "signed_in_without_name": post("/path/signed", b""),
    "signed_out": request("DELETE", "/path/signed"),
    "signed_without_secret": get("/signed"),
}
