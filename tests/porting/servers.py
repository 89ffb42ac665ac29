"""The programs as modules, and the two servers that run them."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import re
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Protocol, Self

import waitress.server
import waitress.wasyncore
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from tests.porting.answers import Answer, LogLine, parse_answer
from wsgitornado import parking

__all__ = ["OnTornado", "OnWaitress", "ask", "load_program", "ported", "serving"]

#: Seconds for one answer or one stop: only what is broken needs them.
_PATIENCE = 10

_HOST = "127.0.0.1"

_IMPORT_FROM = re.compile(r"^( *from )tornado\b", re.MULTILINE)
_IMPORT = re.compile(r"^( *)import tornado([.\w]*)$", re.MULTILINE)

_LOGS = ("access", "application", "general")


def ported(source: str) -> str:
    """The program with only its imports changed.

    >>> ported("from tornado.web import url")
    'from wsgitornado.web import url'
    >>> ported("import tornado.web")
    'import wsgitornado.web, wsgitornado as tornado'
    """
    source = _IMPORT_FROM.sub(r"\1wsgitornado", source)
    return _IMPORT.sub(r"\1import wsgitornado\2, wsgitornado as tornado", source)


def load_program(path: Path, package: str) -> ModuleType:
    """Run a program as a module of its own for ``tornado`` or ``wsgitornado``."""
    source = path.read_text(encoding="utf-8")
    if package == "wsgitornado":
        source = ported(source)
    module = ModuleType(f"{package}_program_{path.stem}")
    # Handlers named by a dotted string are found there.
    sys.modules[module.__name__] = module
    exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)
    return module


class _Recorder(logging.Filter):
    """Takes the lines of the three logs of a package away, and keeps them."""

    def __init__(self, package: str) -> None:
        super().__init__()
        self._loggers = [logging.getLogger(f"{package}.{name}") for name in _LOGS]
        self.lines: list[LogLine] = []

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.exc_info[0] if record.exc_info else None
        self.lines.append(
            LogLine(
                record.levelname,
                record.name.rpartition(".")[2],
                record.getMessage(),
                tuple(base.__name__ for base in kind.__mro__) if kind else (),
            )
        )
        return False

    def __enter__(self) -> Self:
        for logger in self._loggers:
            logger.addFilter(self)
            logger.setLevel(logging.INFO)
        return self

    def __exit__(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        for logger in self._loggers:
            logger.removeFilter(self)
            logger.setLevel(logging.NOTSET)


class Server(Protocol):
    """A program that answers on a port, until it is closed."""

    package: str
    port: int

    def settle(self) -> None:
        """Wait until the program is through with the last request."""

    def close(self) -> None: ...


def ask(server: Server, raw: bytes) -> Answer:
    """Put one request and read until the server closes the connection."""
    with _Recorder(server.package) as recorder:
        data, was_reset = _exchange(server.port, raw)
        server.settle()
    method = raw.partition(b" ")[0].decode()
    answer = parse_answer(data, method, was_reset)
    answer.log = recorder.lines
    return answer


def _exchange(port: int, raw: bytes) -> tuple[bytes, bool]:
    received = b""
    with socket.create_connection((_HOST, port), timeout=_PATIENCE) as connection:
        try:
            connection.sendall(raw)
            while chunk := connection.recv(65536):
                received += chunk
        except ConnectionError:
            return received, True
    return received, False


class OnTornado:
    """The program on Tornado's own HTTPServer, its loop in a thread."""

    package = "tornado"

    def __init__(self, program: ModuleType) -> None:
        self._ready: concurrent.futures.Future[int] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, args=(program,))
        self._thread.start()
        self.port = self._ready.result(_PATIENCE)

    def _run(self, program: ModuleType) -> None:
        try:
            asyncio.run(self._serve(program))
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    async def _serve(self, program: ModuleType) -> None:
        self._loop = asyncio.get_running_loop()
        # Its one thread is there before the first test, and ends with the loop.
        self._loop.set_default_executor(concurrent.futures.ThreadPoolExecutor(1))
        await self._loop.run_in_executor(None, int)
        self._stop = asyncio.Event()
        sockets = bind_sockets(0, _HOST)
        server = HTTPServer(program.make_app())
        server.add_sockets(sockets)
        self._ready.set_result(sockets[0].getsockname()[1])
        await self._stop.wait()
        server.stop()
        await server.close_all_connections()

    def settle(self) -> None:
        asyncio.run_coroutine_threadsafe(_turns(), self._loop).result(_PATIENCE)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_PATIENCE)


async def _turns() -> None:
    """A few turns of the loop: what a request left to be called has been called."""
    for _ in range(5):
        await asyncio.sleep(0)


class OnWaitress:
    """The ported program on waitress."""

    package = "wsgitornado"

    def __init__(self, program: ModuleType) -> None:
        create_server: Any = waitress.server.create_server  # its types name no port
        self._server = create_server(program.make_app(), host=_HOST, port=0, threads=1)
        self.port = int(self._server.effective_port)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()

    def settle(self) -> None:
        """What a handler does on the loop after its answer, waitress does not know."""
        parking.wait(_turns())

    def close(self) -> None:
        # On its own thread, as everything that touches its sockets; the loop ends when
        # nothing is left to be polled.
        self._server.trigger.pull_trigger(self._close_sockets)
        self._thread.join(_PATIENCE)
        self._server.task_dispatcher.shutdown()

    def _close_sockets(self) -> None:
        waitress.wasyncore.close_all(self._server._map)


@contextlib.contextmanager
def serving(path: Path) -> Iterator[tuple[OnTornado, OnWaitress]]:
    """Both servers of one program."""
    with contextlib.ExitStack() as stack:
        theirs = OnTornado(load_program(path, "tornado"))
        stack.callback(theirs.close)
        ours = OnWaitress(load_program(path, "wsgitornado"))
        stack.callback(ours.close)
        yield theirs, ours
