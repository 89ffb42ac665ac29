"""The application: which handler answers what, and the settings of all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from examples.chat import handlers
from examples.chat.history import History, find_secret
from examples.chat.room import KEPT, Room
from wsgitornado.web import Application, url

HERE = Path(__file__).resolve().parent


def make_app(
    data_dir: str | os.PathLike[str] | None = None, **settings: Any
) -> Application:
    """Make the room whose data lies in a folder, made here when it is missing."""
    folder = Path(data_dir or os.environ.get("CHAT_DATA") or "chat-data")
    folder.mkdir(parents=True, exist_ok=True)
    settings.setdefault("room", Room(History(folder / "messages.jsonl", KEPT)))
    application = Application(
        [
            url(r"/", handlers.RoomHandler, name="room"),
            url(r"/join", handlers.JoinHandler, name="join"),
            url(r"/leave", handlers.LeaveHandler, name="leave"),
            url(r"/messages", handlers.MessagesHandler, name="messages"),
            url(r"/poll", handlers.PollHandler, name="poll"),
            url(r"/stream", handlers.StreamHandler, name="stream"),
        ],
        default_handler_class=handlers.NotFoundHandler,
        template_path=str(HERE / "templates"),
        static_path=str(HERE / "static"),
        cookie_secret=find_secret(folder / "secret"),
        xsrf_cookies=True,
        xsrf_cookie_kwargs={"httponly": True, "samesite": "Lax"},
        **settings,
    )
    application.add_drain_callback(settings["room"].release)
    return application


app = make_app()
