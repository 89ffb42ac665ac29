"""The application: its rules, its settings, its log, and what may be its target."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import call, make_environ
from wsgitornado.httputil import HTTPServerRequest
from wsgitornado.routing import (
    PathMatches,
    Rule,
)
from wsgitornado.testing import ExpectLog
from wsgitornado.web import (
    Application,
    ErrorHandler,
    HTTPError,
    OutputTransform,
    RequestHandler,
    URLSpec,
    url,
)

NOT_FOUND = "<html><title>404: Not Found</title><body>404: Not Found</body></html>"


class Named(RequestHandler):
    """Answers with its name, and whose it is."""

    def initialize(self, name: str = "") -> None:
        self.name = name

    def get(self, *args: str, **kwargs: str) -> None:
        whose = self.settings.get("title", "")
        self.write(" ".join([self.name, *args, *kwargs.values(), whose]).strip())


def named(name: str) -> dict[str, Any]:
    return {"name": name}


def text(application: Application, target: str = "/", **extra: Any) -> str:
    return call(application, target, **extra).text


# -- Rules


@pytest.mark.parametrize(
    "rule",
    [
        ("/x", Named),
        ["/x", Named],
        ("/x", Named, None),
        ("/x", Named, {}, "name"),
        ("/x", f"{__name__}.Named"),
        URLSpec("/x", Named),
        url("/x", handler=Named),
        url("/x", handler_class=Named),
        Rule(PathMatches("/x"), Named),
        (PathMatches("/x"), Named),
    ],
    ids=lambda rule: type(rule).__name__ + str(len(getattr(rule, "args", ()))),
)
def test_rule_is_written_in_many_ways(rule: Any) -> None:
    application = Application([rule])
    assert call(application, "/x").status_code == 200
    assert call(application, "/xx").status_code == 404


def test_first_rule_that_matches_wins() -> None:
    application = Application(
        [
            ("/a", Named, named("1")),
            ("/.*", Named, named("2")),
            ("/b", Named, named("3")),
        ]
    )
    assert [text(application, "/a"), text(application, "/b")] == ["1", "2"]


@pytest.mark.parametrize("handlers", [None, []], ids=["None", "empty"])
def test_application_without_rules_answers_404(handlers: list[Any] | None) -> None:
    answer = call(Application(handlers), "/")
    assert (answer.status_code, answer.text) == (404, NOT_FOUND)


def test_handler_found_for_a_request_can_be_asked_for() -> None:
    application = Application([("/(.*)", Named, named("x"))])
    match = application.find_handler(HTTPServerRequest(make_environ("/a%20b")))
    assert match.target is Named
    assert (match.target_kwargs, match.path_args) == (named("x"), (b"a b",))


def test_handler_is_found_for_a_request_that_no_rule_takes() -> None:
    match = Application().find_handler(HTTPServerRequest(make_environ()))
    assert (match.target, match.target_kwargs) == (ErrorHandler, {"status_code": 404})


class Missing(RequestHandler):
    def initialize(self, text: str = "nothing") -> None:
        self.text = text

    def prepare(self) -> None:
        self.set_status(410)
        self.finish(self.text)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({}, "nothing"), ({"default_handler_args": {"text": "gone"}}, "gone")],
    ids=["alone", "with arguments"],
)
def test_what_no_rule_takes_is_for_the_default_handler(
    settings: dict[str, Any], expected: str
) -> None:
    application = Application(
        [("/x", Named)], default_handler_class=Missing, **settings
    )
    answer = call(application, "/y", "POST", body=b"")
    assert (answer.status_code, answer.text) == (410, expected)
    assert call(application, "/x").status_code == 200


def test_delegates_of_tornado_are_refused_with_what_to_do() -> None:
    with pytest.raises(NotImplementedError, match="return RouteMatch"):
        Application().get_handler_delegate(None, Named)


def test_failing_matcher_is_answered() -> None:
    class Failing(PathMatches):
        def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
            raise LookupError("secret")

    with ExpectLog("wsgitornado.application", "Uncaught exception GET /") as log:
        answer = call(Application([(Failing("/"), Named)]))
    assert log.logged_stack
    assert answer.status_code == 500
    assert "secret" not in answer.text


# -- Hosts


def hosts(default_host: str | None = None) -> Application:
    application = Application([("/(both|wild)", Named, named("wild"))], default_host)
    application.add_handlers(
        r".*\.example\.com", [("/(both|one)", Named, named("one"))]
    )
    application.add_handlers(
        r"www\.example\.com", iter([("/(both|two)", Named, named("two"))])
    )
    return application


@pytest.mark.parametrize(
    ("host", "target", "expected"),
    [
        ("elsewhere.org", "/both", "wild both"),
        ("elsewhere.org", "/one", NOT_FOUND),
        ("www.example.com", "/both", "one both"),
        ("www.example.com", "/two", "two two"),
        ("www.example.com", "/wild", "wild wild"),
        ("a.example.com", "/two", NOT_FOUND),
        ("WWW.Example.com:8080", "/two", "two two"),
        ("www.example.com.evil.org", "/two", NOT_FOUND),
        (None, "/both", "wild both"),
    ],
)
def test_rules_of_a_host_come_first_in_the_order_of_the_calls(
    host: str | None, target: str, expected: str
) -> None:
    assert text(hosts(), target, HTTP_HOST=host) == expected


@pytest.mark.parametrize(
    ("default_host", "target", "expected"),
    [
        (None, "/one", NOT_FOUND),
        ("", "/one", NOT_FOUND),
        ("www.example.com", "/one", "one one"),
        ("www.example.com", "/two", "two two"),
        ("a.example.com", "/two", NOT_FOUND),
        # The rules without a host are asked before.
        ("www.example.com", "/both", "wild both"),
    ],
)
def test_requests_that_no_rule_took_are_for_the_default_host(
    default_host: str | None, target: str, expected: str
) -> None:
    application = hosts(default_host)
    assert application.default_host == (default_host or None)
    assert text(application, target, HTTP_HOST="elsewhere.org") == expected


def test_rules_of_hosts_have_names_too() -> None:
    application = Application([("/a", Named, {}, "a")])
    application.add_handlers(".*", [("/b/(.*)", Named, {}, "b")])
    assert application.reverse_url("a") == "/a"
    assert application.reverse_url("b", "x y") == "/b/x%20y"


# -- reverse_url


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((5, "x"), "/user/5/x"),
        (("a/b", "é ?"), "/user/a/b/%C3%A9%20%3F"),
        ((b"a%", "+"), "/user/a%25/%2B"),
    ],
)
def test_url_is_made_from_a_name(arguments: tuple[Any, ...], expected: str) -> None:
    application = Application([(r"/user/(\d+)/(.*)", Named, {}, "user")])
    assert application.reverse_url("user", *arguments) == expected


def test_url_of_an_unknown_name_or_with_too_few_arguments_is_refused() -> None:
    application = Application([("/user/(.*)", Named, {}, "user")])
    with pytest.raises(KeyError, match="other not found in named urls"):
        application.reverse_url("other")
    with pytest.raises(AssertionError, match="number of arguments"):
        application.reverse_url("user")


# -- Settings

DEBUG = {
    "autoreload": True,
    "compiled_template_cache": False,
    "static_hash_cache": False,
    "serve_traceback": True,
}


def test_settings_are_the_programs_own_too() -> None:
    application = Application(title="Ours", static_path=None)
    assert application.settings == {"title": "Ours", "static_path": None}


def test_debug_stands_for_four_settings() -> None:
    assert Application(debug=True).settings == {"debug": True, **DEBUG}
    assert Application(debug=False).settings == {"debug": False}


@pytest.mark.parametrize("name", DEBUG)
def test_setting_that_is_given_wins_over_debug(name: str) -> None:
    settings: dict[str, Any] = {name: not DEBUG[name]}
    changed = {"debug": True, **DEBUG, **settings}
    assert Application(debug=True, **settings).settings == changed


@pytest.mark.parametrize("wsgi", [True, False])
def test_wsgi_is_accepted_and_no_setting(wsgi: bool) -> None:
    application = Application([("/", Named)], wsgi=wsgi)
    assert call(application).status_code == 200
    assert application.settings == {}


def test_limit_that_is_none_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="max_body_size must be a number"):
        Application(max_body_size="1 MB")


class Raising(RequestHandler):
    def get(self) -> None:
        raise HTTPError(403, "for the log <only>")

    def post(self) -> None:
        raise LookupError("for the log <only>")


@pytest.mark.parametrize("settings", [{}, {"debug": True}, {"serve_traceback": True}])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_traceback_reaches_the_client_only_by_a_setting(
    settings: dict[str, Any], method: str
) -> None:
    application = Application([("/", Raising)], **settings)
    with ExpectLog("wsgitornado", ".*", required=False):
        answer = call(application, method=method)
    if settings:
        assert answer.headers["Content-Type"] == "text/plain; charset=UTF-8"
        assert answer.text.startswith("Traceback (most recent call last):\n")
        assert "for the log <only>" in answer.text
    else:
        assert answer.headers["Content-Type"] == "text/html; charset=UTF-8"
        assert "for the log" not in answer.text


class Loud(OutputTransform):
    def transform_first_chunk(
        self, status_code: int, headers: Any, chunk: bytes, finishing: bool
    ) -> tuple[int, Any, bytes]:
        return status_code, headers, chunk.upper()


def test_transforms_change_every_answer() -> None:
    rules: list[Any] = [("/", Named, named("quiet"))]
    later = Application(rules)
    later.add_transform(Loud)
    assert text(later) == "QUIET"
    application = Application(rules, transforms=[Loud])
    assert text(application) == "QUIET"
    assert text(application, "/missing") == NOT_FOUND.upper()


@pytest.mark.parametrize("name", ["compress_response", "gzip"])
def test_answers_are_compressed_where_a_setting_asks_for_it(name: str) -> None:
    headers = [("Accept-Encoding", "gzip")]
    settings: dict[str, Any] = {name: True}
    application = Application([("/", Named, named("x" * 2000))], **settings)
    answer = call(application, headers=headers)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.body) == b"x" * 2000
    plain = call(Application([("/", Named, named("x" * 2000))]), headers=headers)
    assert "Content-Encoding" not in plain.headers


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({}, "127.0.0.1"), ({"xheaders": True}, "9.9.9.9")],
    ids=["by default", "xheaders"],
)
def test_proxy_is_believed_only_by_a_setting(
    settings: dict[str, Any], expected: str
) -> None:
    class Address(RequestHandler):
        def get(self) -> None:
            self.write(self.request.remote_ip)

    application = Application([("/", Address)], **settings)
    assert text(application, headers=[("X-Real-Ip", "9.9.9.9")]) == expected


# -- The log


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What is logged of requests: the level and the line, but for the time."""
    found: list[str] = []
    logger = logging.getLogger("wsgitornado.access")
    handler = logging.Handler()

    def emit(record: logging.LogRecord) -> None:
        words = record.getMessage().rsplit(" ", 1)
        assert float(words[1].removesuffix("ms")) >= 0
        found.append(f"{record.levelname} {words[0]}")

    handler.emit = emit  # type: ignore[method-assign]  # the shortest handler
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.INFO)
    yield found
    logger.setLevel(level)
    logger.removeHandler(handler)


@pytest.mark.parametrize(
    ("status_code", "level"),
    [
        (200, "INFO"),
        (302, "INFO"),
        (399, "INFO"),
        (400, "WARNING"),
        (499, "WARNING"),
        (500, "ERROR"),
        (999, "ERROR"),
    ],
)
def test_each_request_has_one_line_whose_level_tells_how_it_went(
    status_code: int, level: str, lines: list[str]
) -> None:
    class Status(RequestHandler):
        def get(self) -> None:
            self.set_status(status_code)

    call(Application([("/.*", Status)]), "/a%20b?c=d")
    assert lines == [f"{level} {status_code} GET /a%20b?c=d (127.0.0.1)"]


def test_line_that_nobody_wants_is_not_made(lines: list[str]) -> None:
    logging.getLogger("wsgitornado.access").setLevel(logging.WARNING)
    call(Application([("/", Named)]))
    assert lines == []


def test_method_of_a_client_cannot_begin_a_line(lines: list[str]) -> None:
    call(Application(), method="A\nB", is_validated=False)
    assert lines == ["WARNING 405 A\\x0aB / (127.0.0.1)"]


def test_log_function_takes_the_place_of_the_line(lines: list[str]) -> None:
    seen: list[Any] = []
    application = Application([("/", Named)], log_function=seen.append)
    call(application)
    call(application, "/missing")
    assert [(type(h), h.get_status()) for h in seen] == [
        (Named, 200),
        (ErrorHandler, 404),
    ]
    assert lines == []


def test_log_may_be_overridden(lines: list[str]) -> None:
    class Quiet(Application):
        def log_request(self, handler: RequestHandler) -> None:
            if handler.get_status() >= 400:
                super().log_request(handler)

    application = Quiet([("/", Named)])
    call(application)
    call(application, "/missing")
    assert lines == ["WARNING 404 GET /missing (127.0.0.1)"]


# -- Anything


@given(
    path=st.text(st.characters(max_codepoint=255), max_size=20),
    query=st.text(st.characters(max_codepoint=255), max_size=20),
    headers=st.dictionaries(
        st.sampled_from(
            ["HOST", "COOKIE", "RANGE", "IF_NONE_MATCH", "ACCEPT_LANGUAGE"]
        ),
        st.text(st.characters(max_codepoint=255), max_size=20),
    ),
    method=st.sampled_from(["GET", "POST", "BREW"]),
)
def test_nothing_that_a_client_sends_is_a_server_error(
    path: str, query: str, headers: dict[str, str], method: str
) -> None:
    class Reading(RequestHandler):
        def get(self, group: str) -> None:
            self.write({"group": group, "q": self.get_argument("q", None)})
            self.write(repr((self.request, self.request.cookies, self.current_user)))

        post = get

    extra: dict[str, Any] = {f"HTTP_{k}": v for k, v in headers.items()}
    extra |= {"PATH_INFO": path, "QUERY_STRING": query}
    with ExpectLog("wsgitornado.general", "400 ", required=False) as log:
        answer = call(
            Application([("(.*)", Reading)]), method=method, is_validated=False, **extra
        )
    assert answer.status_code < 500
    assert not log.logged_stack
