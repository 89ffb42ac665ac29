"""A program with bodies of any length, which tells how much memory it needed."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs

from wsgitornado._types import Body, StartResponse, WSGIEnvironment
from wsgitornado.web import (
    Application,
    FallbackHandler,
    RequestHandler,
    stream_request_body,
)

__all__ = ["MB", "PIECE", "app"]

MB: Final = 1024 * 1024

#: What the bodies consist of.
PIECE: Final = bytes(range(256)) * 256


class MemoryHandler(RequestHandler):
    """The most that the process has had in memory so far, in bytes."""

    def get(self) -> None:
        status = Path("/proc/self/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
        self.write(str(int(line.split()[1]) * 1024))


@stream_request_body
class UploadHandler(RequestHandler):
    """Counts what comes in."""

    def prepare(self) -> None:
        self.request.connection.set_max_body_size(1 << 40)
        self.size = self.sum = 0

    def data_received(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self.sum = zlib.crc32(chunk, self.sum)

    def put(self) -> None:
        self.write(f"{self.size} {self.sum}")


class DownloadHandler(RequestHandler):
    """Sends as it is taken, from the loop."""

    async def get(self) -> None:
        for _ in range(int(self.get_query_argument("mb")) * MB // len(PIECE)):
            self.write(PIECE)
            await self.flush()


def iterable(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
    """The same from a generator, which a thread iterates."""

    def pieces(count: int) -> Iterator[bytes]:
        for _ in range(count):
            yield PIECE

    start_response("200 OK", [])
    return pieces(int(parse_qs(environ["QUERY_STRING"])["mb"][0]) * MB // len(PIECE))


def file(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
    """A file, by its path."""
    path = parse_qs(environ["QUERY_STRING"])["path"][0]
    start_response("200 OK", [])
    body: Body = environ["wsgi.file_wrapper"](open(path, "rb"))  # noqa: SIM115  # closed by the wrapper
    return body


app = Application(
    [
        ("/memory", MemoryHandler),
        ("/upload", UploadHandler),
        ("/loop", DownloadHandler),
        ("/iterable", FallbackHandler, {"fallback": iterable}),
        ("/file", FallbackHandler, {"fallback": file}),
    ]
)
