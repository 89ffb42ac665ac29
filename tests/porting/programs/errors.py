"""Exceptions that end a request, their pages, and what the log says of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from tornado import httputil, web
from tornado.web import Finish, HTTPError, MissingArgumentError

from tests.porting.raw import form, get, head, post


class OwnError(HTTPError):
    def __init__(self) -> None:
        super().__init__(402, "own %s", "message", reason="Pay First")


#: What a handler raises, by the last part of the path.
RAISED: dict[str, Callable[[], BaseException]] = {
    "error": HTTPError,
    "error_400": lambda: HTTPError(400),
    "error_404": lambda: HTTPError(404),
    "error_304": lambda: HTTPError(304),
    "error_204": lambda: HTTPError(204),
    "error_200": lambda: HTTPError(200),
    "error_302": lambda: HTTPError(302),
    "error_503": lambda: HTTPError(503, "down"),
    "error_444": lambda: HTTPError(444),
    "error_799": lambda: HTTPError(799),
    "message": lambda: HTTPError(403, "secret"),
    "message_with_argument": lambda: HTTPError(403, "secret %s %d", "x", 5),
    "message_with_percent": lambda: HTTPError(400, "100% sure"),
    "message_with_too_few": lambda: HTTPError(400, "%s %s", "x"),
    "message_with_line_end": lambda: HTTPError(400, "a\nb"),
    "message_with_markup": lambda: HTTPError(400, "<script>"),
    "message_empty": lambda: HTTPError(400, ""),
    "reason": lambda: HTTPError(404, reason="Not Anywhere"),
    "reason_of_unknown": lambda: HTTPError(444, reason="Own Number"),
    "reason_with_quotes": lambda: HTTPError(404, reason='O\'k & "x"'),
    "reason_with_markup": lambda: HTTPError(404, reason="<b>"),
    "reason_with_crlf": lambda: HTTPError(404, reason="a\r\nX-B: c"),
    "reason_empty": lambda: HTTPError(404, reason=""),
    "reason_and_message": lambda: HTTPError(409, "why", reason="Because"),
    "own_error": OwnError,
    "missing_argument": lambda: MissingArgumentError("a"),
    "missing_argument_with_percent": lambda: MissingArgumentError("%s"),
    "key_error": lambda: KeyError("secret"),
    "unicode_error": lambda: UnicodeEncodeError("ascii", "é", 0, 1, "secret"),
    "assertion": AssertionError,
    "input_error": lambda: httputil.HTTPInputError("bad input"),
    "output_error": lambda: httputil.HTTPOutputError("bad output"),
    "os_error": lambda: OSError(2, "secret"),
    "stop": Finish,
    "stop_with_text": lambda: Finish("done"),
    "stop_with_dict": lambda: Finish({"a": 1}),
    "stop_with_none": lambda: Finish(None),
}


def raise_it(name: str) -> NoReturn:
    raise RAISED[name]()


class Raise(web.RequestHandler):
    def get(self, name: str) -> None:
        self.set_header("X-Before", "1")
        self.set_cookie("before", "1")
        self.write("before")
        raise_it(name)

    head = post = get


class Converted(web.RequestHandler):
    """A status of the handler's own before it fails."""

    def get(self) -> None:
        self.set_status(202, "Own")
        raise KeyError("secret")


class Described(web.RequestHandler):
    """The exceptions as a program may read them."""

    def get(self) -> None:
        for name, make in RAISED.items():
            error = make()
            if isinstance(error, HTTPError) and name != "message_with_too_few":
                message = (error.log_message, error.get_message())
                described = (error.status_code, error.args, error.reason, *message)
                self.write(f"{name} {error} {described!r}\n")
        self.write(f"{Finish('a', 1).args} {issubclass(Finish, HTTPError)}\n")
        self.write(f"{issubclass(MissingArgumentError, HTTPError)}\n")


class OwnPage(web.RequestHandler):
    """A page that shows what write_error is given."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        exc_info = kwargs.get("exc_info")
        kind = exc_info[0].__name__ if exc_info else None
        self.write(f"{status_code} {self.get_status()} {self._reason} {kind} ")
        self.write(str(sorted(kwargs)))

    def get(self, name: str) -> None:
        if name == "send_error":
            self.send_error(409, reason="Huh", extra=1)
        elif name == "send_error_304":
            self.send_error(304)
        else:
            raise_it(name)


class Late(web.RequestHandler):
    """A page that finishes by itself, in JSON."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.finish({"error": status_code})

    def get(self) -> None:
        raise HTTPError(404)


class Restated(web.RequestHandler):
    """A page under another status."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.set_status(418)
        self.redirect("/elsewhere", status=303)

    def get(self) -> None:
        raise HTTPError(404)


class NoPage(web.RequestHandler):
    """A page that fails itself."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.set_header("X-Half", "done")
        self.write("half a page")
        raise RuntimeError("no page")

    def get(self) -> None:
        raise HTTPError(404)


def make_app() -> web.Application:
    rules: list[Any] = [
        (r"/raise/(.*)", Raise),
        (r"/converted", Converted),
        (r"/described", Described),
        (r"/own_page/(.*)", OwnPage),
        (r"/late", Late),
        (r"/restated", Restated),
        (r"/no_page", NoPage),
    ]
    return web.Application(rules)


REQUESTS = {
    **{name: get(f"/raise/{name}") for name in RAISED},
    **{
        f"own_page_{name}": get(f"/own_page/{name}")
        for name in (
            "send_error",
            "send_error_304",
            "error",
            "error_404",
            "error_304",
            "reason",
            "reason_with_markup",
            "missing_argument",
            "key_error",
            "stop_with_text",
        )
    },
    "head": head("/raise/error_404"),
    "head_key_error": head("/raise/key_error"),
    "post": post("/raise/error_404", b"a=b"),
    "post_missing": form("/raise/missing_argument", "a=b"),
    "head_of_a_stop": head("/raise/stop_with_text"),
    "converted": get("/converted"),
    "described": get("/described"),
    "finished_page": get("/late"),
    "page_with_other_status": get("/restated"),
    "page_that_fails": get("/no_page"),
    "line_end_in_the_path": get("/raise/error_404%0Ax"),
    "argument_with_markup": get("/raise/%3Cb%3E"),
    "not_found": get("/nowhere"),
}
