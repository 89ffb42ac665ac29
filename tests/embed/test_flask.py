"""Flask among our handlers, and we below Flask."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from wsgiref.util import FileWrapper

import flask
import pytest
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from tests.embed.visitor import Visitor
from tests.support import call
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, FallbackHandler, RequestHandler, url

FILE = bytes(range(256)) * 1000


class Hello(RequestHandler):
    def get(self) -> None:
        self.write(f"hello from {self.reverse_url('hello')}")


class Echo(RequestHandler):
    def post(self) -> None:
        self.write(self.reverse_url("echo"))
        self.flush()
        self.write(self.request.body)


def below_a_view() -> Application:
    return Application([url(r"/echo", Echo, name="echo")])


pages = flask.Blueprint("pages", __name__)


@pages.teardown_app_request
def note_end(error: BaseException | None) -> None:
    flask.current_app.config["ENDS"].append("flask")


@pages.get("/flask/<name>")
def greet(name: str) -> str:
    return f"{name} at {flask.url_for('.greet', name=name)}"


@pages.get("/login")
def log_in() -> Any:
    flask.session["user"] = "ada"
    return flask.redirect(flask.url_for(".who"))


@pages.get("/who")
def who() -> Any:
    return {"user": flask.session.get("user")}


@pages.post("/upload")
def upload() -> str:
    sent = flask.request.files["file"]
    return f"{sent.filename} {sha256(sent.read()).hexdigest()}"


@pages.get("/stream/<int:failing>")
def stream(failing: int) -> Any:
    ends = flask.current_app.config["ENDS"]

    def numbers() -> Iterator[str]:
        try:
            for number in range(3):
                if number == failing:
                    raise ZeroDivisionError("streamed view failed")
                yield f"{flask.request.path[:7]} {number};"
        finally:
            ends.append("generator")

    return flask.stream_with_context(numbers())


@pages.get("/fails")
def fail() -> Any:
    raise ZeroDivisionError("view failed")


@pages.route("/via/<path:path>", methods=["GET", "POST"])
def hand_over(path: str) -> Any:
    """Let an application of ours answer below a view."""
    environ = flask.request.environ
    below = {
        **environ,
        "SCRIPT_NAME": environ["SCRIPT_NAME"] + "/via",
        "PATH_INFO": f"/{path}",
    }
    return flask.Response.from_app(flask.current_app.config["OURS"], below)


@pytest.fixture
def ends() -> list[str]:
    """What has ended, in the order of ending."""
    return []


@pytest.fixture
def site(ends: list[str], tmp_path: Path) -> flask.Flask:
    (tmp_path / "file.bin").write_bytes(FILE)
    site = flask.Flask(__name__, static_folder=str(tmp_path), static_url_path="/files")
    site.config.update(ENDS=ends, OURS=below_a_view(), SECRET_KEY="of the tests")
    site.register_blueprint(pages)
    return site


@pytest.fixture
def app(site: flask.Flask, ends: list[str]) -> Application:
    """Our handler first, Flask for the rest."""

    class Fallback(FallbackHandler):
        def on_finish(self) -> None:
            ends.append("handler")

    def log(handler: RequestHandler) -> None:
        ends.append(str(handler.get_status()))

    return Application(
        [
            url(r"/hello", Hello, name="hello"),
            (r".*", Fallback, {"fallback": site}),
        ],
        log_function=log,
    )


@pytest.mark.parametrize("prefix", ["", "/below"])
def test_both_answer_and_know_their_addresses(app: Application, prefix: str) -> None:
    answer = call(app, "/hello", SCRIPT_NAME=prefix)
    assert answer.text == f"hello from {prefix}/hello"
    answer = call(app, "/flask/ada", SCRIPT_NAME=prefix)
    assert answer.text == f"ada at {prefix}/flask/ada"


def test_session_of_flask_lives_in_its_cookie(app: Application) -> None:
    visitor = Visitor(app)
    answer = visitor.ask("/login")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/who")
    assert '"user":"ada"' in visitor.ask("/who").text


@pytest.mark.parametrize("size", [10, 3 << 20])
def test_upload_through_us_arrives_whole(app: Application, size: int) -> None:
    content = FILE * (size // len(FILE)) + b"--a-boundary"
    answer = Visitor(app).send_form("/upload", {}, {"file": ("a.bin", content)})
    assert answer.text == f"a.bin {sha256(content).hexdigest()}"


def test_streamed_view_keeps_its_request_until_its_end(
    app: Application, ends: list[str]
) -> None:
    answer = call(app, "/stream/9")
    assert answer.chunks == [b"/stream 0;", b"/stream 1;", b"/stream 2;"]
    # Flask tears down for its view, and again for the stream.
    assert ends == ["flask", "generator", "flask", "200", "handler"]


def test_streamed_view_that_fails_later_breaks_off_visibly(
    app: Application, ends: list[str]
) -> None:
    with (
        ExpectLog("wsgitornado.application", "Uncaught exception") as log,
        pytest.raises(ZeroDivisionError),
    ):
        call(app, "/stream/1")
    assert log.logged_stack
    assert ends == ["flask", "generator", "flask", "200", "handler"]


@pytest.mark.parametrize("wrapper", [None, FileWrapper])
def test_file_comes_whole_through_the_wrapper_of_the_server(
    app: Application, ends: list[str], wrapper: Any
) -> None:
    answer = call(app, "/files/file.bin", **{"wsgi.file_wrapper": wrapper})
    assert answer.body == FILE
    assert answer.headers["Content-Length"] == str(len(FILE))
    assert ends.count("handler") == ends.count("200") == 1
    ranged = [("Range", "bytes=10-19")]
    assert call(app, "/files/file.bin", headers=ranged).body == FILE[10:20]


def test_head_and_options_are_those_of_flask(app: Application) -> None:
    answer = call(app, "/flask/ada", "HEAD")
    assert (answer.body, answer.headers["Content-Length"]) == (b"", "17")
    answer = call(app, "/flask/ada", "OPTIONS")
    assert sorted(answer.headers["Allow"].split(", ")) == ["GET", "HEAD", "OPTIONS"]


def test_view_that_fails_is_answered_by_flask(
    app: Application, ends: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    answer = call(app, "/fails")
    assert (answer.status_code, "X-Own" in answer.headers) == (500, False)
    assert "Internal Server Error" in answer.text
    assert sorted(ends) == ["500", "flask", "handler"]
    assert [r.name for r in caplog.records if r.exc_info] == [__name__]


def test_exception_that_flask_lets_through_is_answered_by_us(
    app: Application, site: flask.Flask, ends: list[str]
) -> None:
    site.config["PROPAGATE_EXCEPTIONS"] = True
    with ExpectLog("wsgitornado.application", "Uncaught exception") as log:
        answer = call(app, "/fails")
    assert log.logged_stack
    assert (answer.status_code, "500: Internal" in answer.text) == (500, True)
    assert sorted(ends) == ["500", "flask", "handler"]


def test_unknown_address_is_the_404_of_flask(app: Application, ends: list[str]) -> None:
    answer = call(app, "/nowhere")
    assert (answer.status_code, "not found on the server" in answer.text) == (404, True)
    assert sorted(ends) == ["404", "flask", "handler"]


def test_we_answer_below_a_prefix_of_flask(
    site: flask.Flask, app: Application, ends: list[str]
) -> None:
    site.wsgi_app = DispatcherMiddleware(site.wsgi_app, {"/ours": app})  # type: ignore[method-assign]  # as Flask's documentation has it
    assert call(site, "/ours/hello").text == "hello from /ours/hello"
    assert call(site, "/flask/ada").text == "ada at /flask/ada"
    assert ends == ["200", "flask"]


def test_view_of_flask_may_hand_its_request_to_us(app: Application) -> None:
    answer = call(app, "/via/echo", "POST", body=FILE, SCRIPT_NAME="/below")
    assert answer.body == b"/below/via/echo" + FILE
