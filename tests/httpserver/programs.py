"""What small programs that serve have in common."""

from __future__ import annotations

from tests.live.client import Client
from wsgitornado.httpserver import HTTPServer
from wsgitornado.web import Application, RequestHandler

__all__ = ["application", "ask"]


class _Show(RequestHandler):
    def get(self) -> None:
        self.write(self.request.path)


application = Application([("/.*", _Show)])


def ask(server: HTTPServer) -> str:
    """Ask this process: others may listen on the same port."""
    with Client(server.sockets[0].getsockname()[1]) as client:
        answer = client.request("/a")
    return f"{answer.status_code} {answer.text}"
