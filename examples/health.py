"""Two addresses for what watches a program: does it live, and may it get requests?

Serve it with ``python -m wsgitornado serve examples.health:app --server loop``.
"""

from __future__ import annotations

import sqlite3
from threading import Event

from wsgitornado.web import Application, RequestHandler


class LiveHandler(RequestHandler):
    """Answers as long as the process does: where it does not, start another."""

    def get(self) -> None:
        self.set_header("Cache-Control", "no-store")
        self.write({"status": "live"})

    def _log(self) -> None:
        """Every few seconds a line that says nothing new would be too many."""


class ReadyHandler(LiveHandler):
    """Says whether this process should get requests of visitors now."""

    def initialize(self, database: str, is_draining: Event) -> None:  # type: ignore[override]  # each handler takes its own
        self.database = database
        self.is_draining = is_draining

    def get(self) -> None:
        self.set_header("Cache-Control", "no-store")
        problem = "draining" if self.is_draining.is_set() else self.problem()
        if problem:
            self.set_status(503)
        self.write({"status": problem or "ready"})

    def problem(self) -> str | None:
        """What keeps us from answering visitors; to be found out quickly."""
        try:
            connection = sqlite3.connect(self.database, timeout=1)
            try:
                connection.execute("SELECT 1")
            finally:
                connection.close()
        except sqlite3.Error:
            # The details are for the log, not for everybody who asks.
            return "no database"
        return None


def make_app(database: str = ":memory:") -> Application:
    is_draining = Event()
    ready = {"database": database, "is_draining": is_draining}
    app = Application([("/live", LiveHandler), ("/ready", ReadyHandler, ready)])
    app.add_drain_callback(is_draining.set)
    return app


app = make_app()
