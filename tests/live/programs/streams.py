"""Handlers that send piece by piece, and tell the test over a wire how it goes."""

from __future__ import annotations

import logging
import socket

from tests.live.client import HOST
from wsgitornado.web import Application, RequestHandler, StreamClosedError

logging.basicConfig(level=logging.INFO)

PIECE = bytes(64 * 1024)
PIECES = 1024


class WiredHandler(RequestHandler):
    """One that has a connection back to the test."""

    def prepare(self) -> None:
        port = int(self.get_query_argument("wire"))
        self.wire = socket.create_connection((HOST, port), timeout=15)

    def say(self, word: str) -> None:
        self.wire.sendall(f"{word}\n".encode())

    def on_connection_close(self) -> None:
        self.say("left")

    def on_finish(self) -> None:
        self.say("finished")
        self.wire.close()


class WaitHandler(WiredHandler):
    def get(self) -> None:
        self.write("first ")
        self.flush()
        self.wire.recv(1)
        self.write("second ")
        self.flush()
        self.write("third")


class FailHandler(WiredHandler):
    """Fails once its beginning is with the client."""

    def get(self, error: str) -> None:
        self.write("first ")
        self.flush()
        self.wire.recv(1)
        self.write("second ")
        if error == "program":
            raise ValueError("as a program fails")
        # One that a server could take for its own.
        raise BrokenPipeError("as another program's pipe breaks")


class FloodHandler(WiredHandler):
    """Sends 64 MB and tells of each piece that was taken."""

    def get(self) -> None:
        try:
            for _ in range(PIECES):
                self.write(PIECE)
                self.flush()
                self.say("taken")
        except StreamClosedError:
            self.say("closed")
            raise
        self.say("all")


class EndlessHandler(WiredHandler):
    """Sends small pieces until nobody takes them."""

    def get(self) -> None:
        self.write("first ")
        self.flush()
        self.wire.recv(1)
        while True:
            self.write(PIECE)
            self.flush()


class ProcessHandler(RequestHandler):
    """The memory of the process that answers, in bytes."""

    def get(self) -> None:
        with open("/proc/self/status") as status:
            lines = dict(line.split(":", 1) for line in status)
        self.write({"pid": int(lines["Pid"]), "rss": lines["VmRSS"].split()[0]})


app = Application(
    [
        (r"/wait", WaitHandler),
        (r"/fail/(.+)", FailHandler),
        (r"/flood", FloodHandler),
        (r"/endless", EndlessHandler),
        (r"/process", ProcessHandler),
    ]
)
