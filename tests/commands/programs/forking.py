"""A program that forks: each child answers with its number."""

from __future__ import annotations

import asyncio
import sys

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.process import fork_processes, task_id
from tornado.web import Application, RequestHandler


class Number(RequestHandler):
    def get(self) -> None:
        self.write(f"{task_id()} {sys.argv[1]}")


async def serve() -> None:
    HTTPServer(Application([(r"/", Number)])).add_sockets(sockets)
    await asyncio.Event().wait()


sockets = bind_sockets(0, "127.0.0.1")
print(sockets[0].getsockname()[1], flush=True)
fork_processes(2)
asyncio.run(serve())
