"""The application: which handler answers what, and the settings of all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from examples.chat import handlers
from examples.chat.history import History, find_secret
from examples.chat.room import KEPT, Room
from wsgitornado.pubsub import Broker
from wsgitornado.web import Application, url

HERE = Path(__file__).resolve().parent

#: The broker that serves one process.
MEMORY = "memory://"

#: Seconds for which a room in which nobody speaks keeps what was said: a month.
EXPIRE = 30 * 86400.0


def make_app(
    data_dir: str | os.PathLike[str] | None = None,
    broker: str | None = None,
    **settings: Any,
) -> Application:
    """Make the room, whose data lies in a folder, made here when it is missing.

    :param broker: the address of the broker, that of a Redis for several processes; by
        default what the environment says, or the memory of this process.
    """
    folder = Path(data_dir or os.environ.get("CHAT_DATA") or "chat-data")
    folder.mkdir(parents=True, exist_ok=True)
    settings.setdefault("room", make_room(folder, broker or find_broker()))
    application = Application(
        [
            url(r"/", handlers.RoomHandler, name="room"),
            url(r"/join", handlers.JoinHandler, name="join"),
            url(r"/leave", handlers.LeaveHandler, name="leave"),
            url(r"/messages", handlers.MessagesHandler, name="messages"),
            url(r"/poll", handlers.PollHandler, name="poll"),
            url(r"/events", handlers.EventsHandler, name="events"),
            url(r"/socket", handlers.SocketHandler, name="socket"),
        ],
        default_handler_class=handlers.NotFoundHandler,
        template_path=str(HERE / "templates"),
        static_path=str(HERE / "static"),
        # Several machines, each with a folder of its own, are given one.
        cookie_secret=os.environ.get("CHAT_SECRET") or find_secret(folder / "secret"),
        xsrf_cookies=True,
        xsrf_cookie_kwargs={"httponly": True, "samesite": "Lax"},
        websocket_ping_interval=20,
        **settings,
    )
    application.add_drain_callback(settings["room"].release)
    return application


def find_broker() -> str:
    return os.environ.get("BROKER_URL") or MEMORY


def make_room(folder: Path, address: str) -> Room:
    broker = Broker(address, history=KEPT, expire=EXPIRE, prefix="chat")
    # A Redis keeps what was said longer than any process lives.
    is_kept = address != MEMORY
    return Room(broker, None if is_kept else History(folder / "said.jsonl", KEPT))


app = make_app()
