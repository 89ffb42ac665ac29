"""A Django project among our handlers: one process, one database, one session."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.apps import apps  # type: ignore[import-untyped]  # it has no annotations
from django.contrib.auth import get_user_model  # type: ignore[import-untyped]  # as above
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest  # type: ignore[import-untyped]  # as above
from django.core.management import call_command  # type: ignore[import-untyped]  # as above
from django.core.signals import request_finished  # type: ignore[import-untyped]  # as above
from django.db import connection  # type: ignore[import-untyped]  # as above
from django.http import HttpResponse, StreamingHttpResponse  # type: ignore[import-untyped]  # as above
from django.test import override_settings  # type: ignore[import-untyped]  # as above
from django.urls import path  # type: ignore[import-untyped]  # as above

from tests.embed.visitor import Visitor
from tests.support import call, make_environ
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, FallbackHandler, RequestHandler

PASSWORD = "correct horse"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 100


@pytest.fixture
def app(project: ModuleType, notices: Any) -> Any:
    return project.make_app()


@pytest.fixture
def visitor(app: Any) -> Visitor:
    return Visitor(app)


@pytest.fixture
def editor(visitor: Visitor) -> Iterator[Visitor]:
    """A visitor who has logged in at the admin."""
    users = get_user_model().objects
    users.create_superuser("ada", password=PASSWORD)
    log_in(visitor, "/admin/login/?next=/drafts")
    yield visitor
    users.all().delete()
    apps.get_model("sessions", "Session").objects.all().delete()


def log_in(visitor: Visitor, target: str) -> Any:
    visitor.ask(target)
    answer = visitor.send_form(target, {"username": "ada", "password": PASSWORD})
    assert answer.status_code == 302
    return answer


# --- One process, one database ----------------------------------------------------


def test_empty_board_is_shown_by_our_handler(visitor: Visitor) -> None:
    answer = visitor.ask("/")
    assert "There is nothing here yet." in answer.text
    assert "Etag" in answer.headers


def test_notice_of_the_orm_is_on_our_page_and_in_our_json(
    visitor: Visitor, notices: Any
) -> None:
    notice = notices.create(title="Bake <b>sale</b>", text="Saturday\nat noon")
    notices.create(title="Not yet", is_published=False)
    page = visitor.ask("/").text
    assert "Bake &lt;b&gt;sale&lt;/b&gt;" in page
    assert "Saturday<br>at noon" in page
    assert "Not yet" not in page
    assert json.loads(visitor.ask("/notices.json").body) == {
        "notices": [
            {"id": notice.id, "title": "Bake <b>sale</b>", "text": "Saturday\nat noon"}
        ]
    }


def test_notice_added_in_the_admin_is_on_our_page(editor: Visitor) -> None:
    form = editor.ask("/admin/django_inside/notice/add/")
    assert "Notice board" in form.text
    answer = editor.send_form(
        "/admin/django_inside/notice/add/",
        {"title": "From the admin", "text": "Hello", "is_published": "on"},
    )
    assert answer.headers["Location"] == "/admin/django_inside/notice/"
    assert "From the admin" in editor.ask("/").text
    assert "was added successfully" in editor.ask("/admin/django_inside/notice/").text


def test_form_of_the_admin_without_its_token_is_refused_by_django(
    editor: Visitor, notices: Any
) -> None:
    answer = editor.send_form(
        "/admin/django_inside/notice/add/",
        {"title": "Forged", "text": "x", "csrfmiddlewaretoken": "x" * 32},
    )
    assert answer.status_code == 403
    assert not notices.exists()


@pytest.mark.parametrize(
    "target", ["/", "/drafts", "/notices.json", "/export.csv", "/admin/login/"]
)
def test_no_database_connection_outlives_its_request(
    visitor: Visitor, target: str
) -> None:
    connection.close()
    visitor.ask(target)
    assert connection.connection is None


# --- Sessions ---------------------------------------------------------------------


def test_drafts_send_a_stranger_to_the_login_of_django_and_back(
    editor: Visitor, notices: Any
) -> None:
    notices.create(title="Half done", text="x", is_published=False)
    editor.cookies.clear()
    login = editor.ask("/drafts").headers["Location"]
    assert login == "/admin/login/?next=%2Fdrafts"
    assert log_in(editor, login).headers["Location"] == "/drafts"
    page = editor.ask("/drafts").text
    assert "Half done" in page
    assert "ada is logged in" in page


def test_logout_in_the_admin_ends_our_session_too(editor: Visitor) -> None:
    assert editor.ask("/drafts").status_code == 200
    assert editor.send_form("/admin/logout/", {}).status_code == 200
    assert editor.ask("/drafts").status_code == 302


@pytest.mark.parametrize("key", ["unknown" * 4, "../../etc/passwd", "\"'", "%00"])
def test_session_cookie_that_django_has_not_made_is_nobodys(
    visitor: Visitor, key: str
) -> None:
    visitor.cookies["sessionid"] = key
    assert visitor.ask("/drafts").status_code == 302


# --- What Django sends and takes --------------------------------------------------


def test_export_is_streamed_line_by_line(visitor: Visitor, notices: Any) -> None:
    notices.create(title="One", text='with "quotes"')
    notices.create(title="Zoë", text="and\nlines")
    answer = visitor.ask("/export.csv")
    lines = [b"title,text\r\n", 'Zoë,"and\nlines"\r\n'.encode()]
    assert answer.chunks == [*lines, b'One,"with ""quotes"""\r\n']
    assert "Content-Length" not in answer.headers
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"


def test_export_comes_back_as_drafts_by_upload(editor: Visitor, notices: Any) -> None:
    notices.create(title="One", text='with "quotes"')
    notices.create(title="Zoë", text="and\nlines")
    exported = editor.ask("/export.csv").body
    notices.all().delete()
    answer = editor.send_form("/import", {}, {"file": ("notices.csv", exported)})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/drafts")
    imported = set(notices.values_list("title", "text", "is_published"))
    assert imported == {
        ("One", 'with "quotes"', False),
        ("Zoë", "and\nlines", False),
    }


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (PNG, "not a CSV file"),
        (b"name,price\r\na,b\r\n", "not a CSV file"),
        (b"title,text\r\n", "no notices"),
        (b"title,text\r\n" + b"x" * 101 + b",y\r\n", "at most 100 characters"),
        (b"", "empty"),
    ],
    ids=["a picture", "other columns", "no rows", "a title too long", "an empty file"],
)
def test_upload_that_holds_no_notices_is_refused(
    editor: Visitor, notices: Any, content: bytes, problem: str
) -> None:
    answer = editor.send_form("/import", {}, {"file": ("notices.csv", content)})
    assert answer.status_code == 422
    assert problem in answer.text
    assert not notices.exists()


def test_upload_beyond_the_memory_of_django_arrives_whole(
    editor: Visitor, notices: Any
) -> None:
    # 2.5 MB is what Django keeps in memory, and 1 MB what we would.
    texts = [f"{number}" + "x" * 100_000 for number in range(30)]
    content = "title,text\r\n" + "".join(f"Long,{text}\r\n" for text in texts)
    files = {"file": ("notices.csv", content.encode())}
    assert editor.send_form("/import", {}, files).status_code == 302
    assert set(notices.values_list("text", flat=True)) == set(texts)


@pytest.mark.parametrize(
    ("target", "content_type"),
    [
        ("/static/board/board.css", 'text/css; charset="utf-8"'),
        ("/static/admin/css/base.css", 'text/css; charset="utf-8"'),
        ("/static/admin/js/core.js", 'text/javascript; charset="utf-8"'),
    ],
)
def test_static_files_are_served_by_django(
    visitor: Visitor, target: str, content_type: str
) -> None:
    answer = visitor.ask(target)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == content_type
    not_changed = [("If-None-Match", answer.headers["Etag"])]
    assert visitor.ask(target, headers=not_changed).status_code == 304
    head = visitor.ask(target, "HEAD")
    assert head.headers["Content-Length"] == str(len(answer.body))
    assert head.body == b""


def test_every_link_of_the_login_page_leads_somewhere(visitor: Visitor) -> None:
    page = visitor.ask("/admin/login/").text
    links = re.findall(r'(?:href|src)="(/[^"]+)"', page)
    assert len(links) > 5
    found = {link: visitor.ask(link).status_code for link in links}
    assert set(found.values()) <= {200, 302}


# --- Failures of Django -----------------------------------------------------------


class Ends:
    """What has ended, in the order of ending."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def note(self, name: str) -> Any:
        def noted(*args: Any, **kwargs: Any) -> None:
            self.seen.append(name)

        return noted


@pytest.fixture
def ends(project: ModuleType) -> Iterator[Ends]:
    """Notes the end of Django's request, of our handler and of the access log."""
    ends = Ends()
    django_ends = ends.note("django")
    request_finished.connect(django_ends)
    yield ends
    request_finished.disconnect(django_ends)


def beside_django(ends: Ends, view: Any) -> Application:
    """One Django view under a FallbackHandler whose end is noted."""

    class Fallback(FallbackHandler):
        def on_finish(self) -> None:
            ends.seen.append("handler")

    def log(handler: RequestHandler) -> None:
        ends.seen.append(str(handler.get_status()))

    routes = ModuleType("routes")
    vars(routes)["urlpatterns"] = [path("view", view)]
    django = WSGIHandler()
    django.request_class = type("Request", (WSGIRequest,), {"urlconf": routes})
    rules = [(r".*", Fallback, {"fallback": django})]
    return Application(rules, log_function=log)


def numbers(ends: Ends, failing_at: int | None = None) -> Iterator[str]:
    try:
        for number in range(3):
            if number == failing_at:
                raise ZeroDivisionError("streamed view failed")
            yield f"{number};"
    finally:
        ends.seen.append("generator")


def test_streaming_view_is_not_gathered_and_ends_once(ends: Ends) -> None:
    app = beside_django(ends, lambda request: StreamingHttpResponse(numbers(ends)))
    assert call(app, "/view").chunks == [b"0;", b"1;", b"2;"]
    assert sorted(ends.seen) == ["200", "django", "generator", "handler"]


def test_streaming_view_of_a_client_that_leaves_ends_once(ends: Ends) -> None:
    app = beside_django(ends, lambda request: StreamingHttpResponse(numbers(ends)))
    body: Any = app(make_environ("/view"), lambda *args: lambda data: None)
    assert next(iter(body)) == b"0;"
    assert ends.seen == []
    body.close()
    body.close()
    assert sorted(ends.seen) == ["200", "django", "generator", "handler"]


def test_streaming_view_that_fails_before_its_first_chunk_is_a_500(ends: Ends) -> None:
    app = beside_django(
        ends, lambda request: StreamingHttpResponse(numbers(ends, failing_at=0))
    )
    with ExpectLog("wsgitornado.application", "Uncaught exception") as log:
        answer = call(app, "/view")
    assert answer.status_code == 500
    assert log.logged_stack
    assert sorted(ends.seen) == ["500", "django", "generator", "handler"]


def test_streaming_view_that_fails_later_breaks_off_visibly(ends: Ends) -> None:
    app = beside_django(
        ends, lambda request: StreamingHttpResponse(numbers(ends, failing_at=2))
    )
    with (
        ExpectLog("wsgitornado.application", "Uncaught exception") as log,
        pytest.raises(ZeroDivisionError),
    ):
        call(app, "/view")
    assert log.logged_stack
    assert sorted(ends.seen) == ["200", "django", "generator", "handler"]


def test_view_that_raises_is_answered_by_django(
    ends: Ends, caplog: pytest.LogCaptureFixture
) -> None:
    app = beside_django(ends, lambda request: HttpResponse(status=1 // 0))
    answer = call(app, "/view")
    assert (answer.status_code, "Server Error (500)" in answer.text) == (500, True)
    assert sorted(ends.seen) == ["500", "django", "handler"]
    assert [r.name for r in caplog.records if r.exc_info] == ["django.request"]


def test_exception_that_django_lets_through_is_answered_by_us(
    ends: Ends, caplog: pytest.LogCaptureFixture
) -> None:
    app = beside_django(ends, lambda request: HttpResponse(status=1 // 0))
    with (
        override_settings(DEBUG_PROPAGATE_EXCEPTIONS=True),
        ExpectLog("wsgitornado.application", "Uncaught exception") as log,
    ):
        answer = call(app, "/view")
    assert (answer.status_code, answer.headers.get("Content-Type")) == (
        500,
        "text/html; charset=UTF-8",
    )
    assert log.logged_stack
    assert "500" in ends.seen
    assert ends.seen.count("handler") == 1


@pytest.mark.parametrize("kind", ["complete", "streamed"])
def test_head_gets_the_headers_of_a_view_and_no_body(ends: Ends, kind: str) -> None:
    def view(request: Any) -> Any:
        if kind == "streamed":
            return StreamingHttpResponse(numbers(ends), headers={"X-Of": "Django"})
        return HttpResponse("whole", headers={"X-Of": "Django", "Content-Length": "5"})

    answer = call(beside_django(ends, view), "/view", "HEAD")
    assert (answer.status_code, answer.body) == (200, b"")
    assert answer.headers["X-Of"] == "Django"
    assert answer.headers.get("Content-Length") == ("5" if kind == "complete" else None)
    assert ends.seen.count("django") == ends.seen.count("handler") == 1


# --- The example by itself --------------------------------------------------------


def test_address_that_nobody_knows_is_the_404_of_django(visitor: Visitor) -> None:
    answer = visitor.ask("/nowhere")
    assert answer.status_code == 404
    assert "X-Frame-Options" in answer.headers


def test_host_that_is_not_ours_is_refused_by_django(
    visitor: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    visitor.environ_extra["HTTP_HOST"] = "evil.example"
    assert visitor.ask("/admin/login/").status_code == 400
    assert "evil.example" in caplog.text


def test_app_of_the_module_is_made_when_it_is_asked_for(project: ModuleType) -> None:
    package = importlib.import_module("examples.django_inside")
    assert package.app is project.app
    with pytest.raises(AttributeError, match="has no attribute 'application_'"):
        package.application_  # noqa: B018  # asked for


def test_secret_key_is_made_once_for_its_owner_alone(
    project: ModuleType, tmp_path: Path
) -> None:
    settings = importlib.import_module("examples.django_inside.settings")
    key = settings.read_secret_key(tmp_path / "key")
    assert len(key) > 50
    assert settings.read_secret_key(tmp_path / "key") == key
    assert [file.name for file in tmp_path.iterdir()] == ["key"]
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0


def test_migrations_are_those_of_the_models(project: ModuleType) -> None:
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)
