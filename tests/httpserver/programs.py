"""What small programs that serve have in common."""

from __future__ import annotations

from tests.live.client import Client
from wsgitornado.httpserver import HTTPServer
from wsgitornado.process import task_id
from wsgitornado.web import Application, RequestHandler

__all__ = ["application", "ask"]


class _Show(RequestHandler):
    def get(self) -> None:
        self.write(self.request.path)


class _Task(RequestHandler):
    def get(self) -> None:
        self.write(str(task_id()))


application = Application([("/task", _Task), ("/.*", _Show)])


def ask(server: HTTPServer) -> str:
    """What the first port of a server answers."""
    with Client(server.sockets[0].getsockname()[1]) as client:
        answer = client.request("/a")
    return f"{answer.status_code} {answer.text}"
