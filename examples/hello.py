"""The smallest program: one handler and one route.

Serve it with ``python -m wsgitornado serve examples.hello:app``, or give ``app``, a
plain WSGI callable, to any other server: ``gunicorn examples.hello:app``.
"""

from __future__ import annotations

from wsgitornado.web import Application, RequestHandler


class HelloHandler(RequestHandler):
    def get(self) -> None:
        self.write("Hello, world")


app = Application([(r"/", HelloHandler)])
