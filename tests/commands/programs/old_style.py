"""A program of the old kind: options, coroutines, IOLoop.instance()."""

from __future__ import annotations

import logging
from collections.abc import Generator
from typing import Any

import tornado.httpserver
import tornado.ioloop
import tornado.options
import tornado.web
from tornado import gen, netutil
from tornado.options import define, options

define("port", default=8888, type=int)
define("greeting", default="hello")

lines: list[str] = []


class Collected(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        lines.append(f"{record.name} {record.levelname}")


class Main(tornado.web.RequestHandler):
    @gen.coroutine
    def get(self) -> Generator[Any, Any, None]:
        yield gen.moment
        self.write(f"{options.greeting} {self.get_argument('name', 'you')}")


class Missing(tornado.web.RequestHandler):
    def get(self) -> None:
        raise tornado.web.HTTPError(404)


class Lines(tornado.web.RequestHandler):
    def get(self) -> None:
        self.write({"lines": lines})


def main() -> None:
    rest = tornado.options.parse_command_line()
    logger = logging.getLogger("tornado.access")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(Collected())
    rules = [(r"/", Main), (r"/missing", Missing), (r"/lines", Lines)]
    server = tornado.httpserver.HTTPServer(tornado.web.Application(rules))
    sockets = netutil.bind_sockets(options.port, "127.0.0.1")
    server.add_sockets(sockets)
    loop = tornado.ioloop.IOLoop.instance()
    loop.add_callback(print, sockets[0].getsockname()[1], *rest, flush=True)
    loop.start()


if __name__ == "__main__":
    main()
