"""Our handlers: the board, over Django's models, templates and sessions."""

from __future__ import annotations

from typing import Any

from django.conf import settings  # type: ignore[import-untyped]  # it has no annotations
from django.contrib.auth import get_user  # type: ignore[import-untyped]  # as above
from django.contrib.sessions.backends.db import SessionStore  # type: ignore[import-untyped]  # as above
from django.core.handlers.wsgi import get_script_name  # type: ignore[import-untyped]  # as above
from django.db import close_old_connections  # type: ignore[import-untyped]  # as above
from django.http import HttpRequest  # type: ignore[import-untyped]  # as above
from django.template.loader import render_to_string  # type: ignore[import-untyped]  # as above
from django.urls import set_script_prefix  # type: ignore[import-untyped]  # as above

from examples.django_inside.models import Notice
from wsgitornado.web import RequestHandler, authenticated


class BoardBase(RequestHandler):
    """Does for our requests what Django does for its own."""

    def prepare(self) -> None:
        close_old_connections()
        # For ``{% url %}`` and ``{% static %}`` in the templates.
        set_script_prefix(get_script_name(self.request.environ))

    def on_finish(self) -> None:
        close_old_connections()

    def get_current_user(self) -> Any:
        """Whoever has logged in at Django's admin: its session is ours too."""
        request = HttpRequest()
        request.session = SessionStore(self.get_cookie(settings.SESSION_COOKIE_NAME))
        user = get_user(request)
        return user if user.is_authenticated else None

    def show(self, template: str, **values: Any) -> None:
        """Write a page, made by one of Django's templates."""
        values["user"] = self.current_user
        for name in ("board", "drafts"):
            values[f"{name}_url"] = self.reverse_url(name)
        self.write(render_to_string(template, values))


class BoardHandler(BoardBase):
    """What is on the board."""

    def get(self) -> None:
        notices = Notice.objects.filter(is_published=True)
        self.show("board/board.html", title="Notice board", notices=notices)


class DraftsHandler(BoardBase):
    """What is not published yet: for those who are logged in."""

    @authenticated
    def get(self) -> None:
        notices = Notice.objects.filter(is_published=False)
        self.show("board/board.html", title="Drafts", notices=notices)


class NoticesJSONHandler(BoardBase):
    """The board for programs."""

    def get(self) -> None:
        notices = Notice.objects.filter(is_published=True)
        self.write({"notices": list(notices.values("id", "title", "text"))})
