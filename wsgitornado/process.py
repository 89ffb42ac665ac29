"""Processes: as many as there are processors, and programs that run beside."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from subprocess import CalledProcessError
from types import FrameType
from typing import Any, ClassVar, Final

from wsgitornado.concurrent import Future
from wsgitornado.httputil.errors import StreamClosedError
from wsgitornado.ioloop import IOLoop
from wsgitornado.log import gen_log

__all__ = [
    "CalledProcessError",
    "PipeReader",
    "PipeWriter",
    "Subprocess",
    "cpu_count",
    "fork_processes",
    "task_id",
]

#: How often in all a child is started again before the parent gives up: Tornado's
#: number. What fails at once would fail for ever.
MAX_RESTARTS: Final = 100

#: Seconds that children have to end by themselves at Ctrl-C, which a terminal sends to
#: them as well, before they get SIGTERM.
INTERRUPT_GRACE: Final = 1.0

_POLL_INTERVAL: Final = 0.02

#: Bytes without a delimiter before a pipe is closed: Tornado's number.
MAX_READ_UNTIL: Final = 100 * 1024 * 1024

_task_id: int | None = None


# Several processes


def cpu_count() -> int:
    """How many processors there are for this process.

    Containers and ``taskset`` often leave it fewer than the machine has.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def task_id() -> int | None:
    """The number of this process, from 0; None if :func:`fork_processes` made none."""
    return _task_id


def fork_processes(num_processes: int | None, max_restarts: int | None = None) -> int:
    """Go on in several processes, which share what was opened before.

    Sockets are bound before, the loop is started after it: ::

        sockets = bind_sockets(8888)
        fork_processes(0)
        server = HTTPServer(app)
        server.add_sockets(sockets)
        IOLoop.current().start()

    It returns in the children only, with their numbers, which are also those of
    :func:`task_id`. The parent waits here. It starts a child again, under the same
    number, that ended with a status other than 0 or by a signal. When all children have
    ended by themselves it leaves by ``SystemExit(0)``.

    SIGTERM to the parent goes on to the children, and then none is started again; but
    not if the program has a handler of its own. At KeyboardInterrupt the children get
    a second to end, and then SIGTERM.

    :param num_processes: None, or a number below 1, is :func:`cpu_count`.
    :param max_restarts: how many children are started again before the parent gives up
        and ends the others; None is 100.
    :raises RuntimeError: in the parent, when it gives up; in a child; while the IOLoop
        of this process runs.
    """
    if _task_id is not None:
        raise RuntimeError(
            f"this is process {_task_id} of fork_processes() already: it has no "
            "children of its own"
        )
    _refuse_running_loop()
    if num_processes is None or num_processes < 1:
        num_processes = cpu_count()
    gen_log.info("Starting %d processes", num_processes)
    parent = _Parent(MAX_RESTARTS if max_restarts is None else max_restarts)
    number = parent.run(num_processes)
    if number is None:
        sys.exit(0)
    return number


def _refuse_running_loop() -> None:
    ioloop = IOLoop.current(instance=False)
    if ioloop is not None and ioloop.asyncio_loop.is_running():
        raise RuntimeError(
            "fork_processes() must come before the IOLoop runs: what waits on the loop "
            "would be lost in the children; bind the sockets, fork, then start the loop"
        )


class _Parent:
    """Starts children and waits for them."""

    def __init__(self, max_restarts: int) -> None:
        self._numbers: dict[int, int] = {}
        self._restarts_left = max_restarts
        self._is_ending = False
        #: Signal handlers to be put back, and what undoes the rest.
        self._signals = contextlib.ExitStack()
        self._wakeups: int | None = None
        if threading.current_thread() is threading.main_thread():
            self._prepare_signals()

    def _prepare_signals(self) -> None:
        if not callable(signal.getsignal(signal.SIGCHLD)):
            # If it was ignored, the system would not keep the statuses of children.
            self._handle(signal.SIGCHLD, _do_nothing)
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            self._handle(signal.SIGTERM, self._pass_on)
        # A signal that comes just before waitpid() would not wake it.
        self._wakeups, writing = os.pipe()
        os.set_blocking(writing, False)
        before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        self._signals.callback(os.close, self._wakeups)
        self._signals.callback(os.close, writing)
        self._signals.callback(signal.set_wakeup_fd, before)

    def _handle(
        self, number: int, handler: Callable[[int, FrameType | None], None]
    ) -> None:
        signal.signal(number, handler)
        self._signals.callback(signal.signal, number, signal.SIG_DFL)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        self._is_ending = True
        for pid in list(self._numbers):
            # Between its end and its leaving the table the signal may come.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def run(self, count: int) -> int | None:
        """Start the children and wait for them. In a child: its number."""
        try:
            for number in range(count):
                if self._fork(number):
                    return number
            return self._supervise()
        except KeyboardInterrupt:
            self._wait_briefly()
            self._end()
            raise
        except Exception:
            self._end()
            raise
        finally:
            self._signals.close()

    def _fork(self, number: int) -> bool:
        """Start a child; True in the child. None is started any more at the end."""
        global _task_id
        # So that SIGTERM does not find our handler in the child, and KeyboardInterrupt
        # no child that is unknown, or a hook of fork(), which would swallow it.
        with _blocked(signal.SIGTERM, signal.SIGINT):
            if self._must_end():
                return False
            pid = os.fork()
            if not pid:
                _task_id = number
                # What fails from here on ends no brothers.
                self._numbers.clear()
                self._signals.close()
                return True
            self._numbers[pid] = number
        if self._must_end():
            # Another thread, which does not block it, was interrupted by the signal
            # before this child was known.
            os.kill(pid, signal.SIGTERM)
        return False

    def _must_end(self) -> bool:
        # Asked anew each time: a signal may have come in between.
        return self._is_ending

    def _supervise(self) -> int | None:
        while self._numbers:
            number = self._failed_child()
            if number is None:
                continue
            if self._restarts_left < 1:
                raise RuntimeError(
                    "too many children had to be started again: giving up"
                )
            self._restarts_left -= 1
            if self._fork(number):
                return number
        return None

    def _failed_child(self) -> int | None:
        """Wait for a child to end; its number, if it is to be started again."""
        ended = self._ended_child()
        if ended is not None:
            return self._failed(*ended)
        if self._wakeups is None:
            time.sleep(_POLL_INTERVAL)
        elif self._numbers:
            os.read(self._wakeups, 4096)
        return None

    def _ended_child(self) -> tuple[int, int] | None:
        """One of ours with its status. Other children are others' to wait for."""
        for pid in list(self._numbers):
            try:
                ended, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                # Another part of the program has asked how it ended.
                del self._numbers[pid]
                continue
            if ended:
                return pid, status
        return None

    def _failed(self, pid: int, status: int) -> int | None:
        number = self._numbers.pop(pid)
        code = os.waitstatus_to_exitcode(status)
        if code == 0 or self._is_ending:
            gen_log.info("Child %d (pid %d) ended", number, pid)
            return None
        how = f"by signal {-code}" if code < 0 else f"with status {code}"
        gen_log.warning("Child %d (pid %d) ended %s", number, pid, how)
        return number

    def _wait_briefly(self) -> None:
        self._is_ending = True
        deadline = time.monotonic() + INTERRUPT_GRACE
        while self._numbers and time.monotonic() < deadline:
            if (ended := self._ended_child()) is None:
                time.sleep(_POLL_INTERVAL)
            else:
                self._failed(*ended)

    def _end(self) -> None:
        self._pass_on(signal.SIGTERM, None)
        while self._numbers:
            self._failed_child()


def _do_nothing(number: int, frame: FrameType | None) -> None:
    pass


@contextlib.contextmanager
def _blocked(*numbers: int) -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# Programs that run beside


class Subprocess:
    """A :class:`subprocess.Popen` whose pipes and end are waited for on the loop.

    It takes the arguments of ``Popen``. ``stdin`` may be ``Subprocess.STREAM`` and then
    is a :class:`PipeWriter`; ``stdout`` and ``stderr`` likewise, a :class:`PipeReader`.
    Otherwise they are what they are in ``Popen``, which is the attribute ``proc``.

    ``returncode`` is None until the end was waited for by one of the methods; below 0
    it is the number of the signal that ended the process.
    """

    #: In place of ``subprocess.PIPE``: a pipe that is read or written on the loop.
    STREAM: ClassVar[object] = object()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.io_loop = IOLoop.current()
        self.returncode: int | None = None
        self._exit: Future[int] | None = None
        self._exit_callback: Callable[[int], object] | None = None
        names = [
            name
            for name in ("stdin", "stdout", "stderr")
            if kwargs.get(name) is Subprocess.STREAM
        ]
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as the_childs:
            streams: dict[str, PipeReader | PipeWriter] = {}
            for name in names:
                reading, writing = os.pipe()
                if name == "stdin":
                    streams[name] = PipeWriter(writing)
                    kwargs[name] = reading
                else:
                    streams[name] = PipeReader(reading)
                    kwargs[name] = writing
                ours.callback(streams[name].close)
                the_childs.callback(os.close, kwargs[name])
            # What to run is the caller's decision.
            self.proc = subprocess.Popen(*args, **kwargs)  # noqa: S603
            ours.pop_all()
        self.pid = self.proc.pid
        self.stdin: Any = streams.get("stdin", self.proc.stdin)
        self.stdout: Any = streams.get("stdout", self.proc.stdout)
        self.stderr: Any = streams.get("stderr", self.proc.stderr)

    def set_exit_callback(self, callback: Callable[[int], object]) -> None:
        """Have ``callback(returncode)`` called on the loop when the process has ended.

        A later one takes the place of an earlier one.
        """
        self._exit_callback = callback
        self._watched().add_done_callback(self._call_back)

    def _call_back(self, ended: Future[int]) -> None:
        callback, self._exit_callback = self._exit_callback, None
        if callback is not None:
            self.io_loop.add_callback(callback, ended.result())

    def wait_for_exit(self, raise_error: bool = True) -> Future[int]:
        """Return a future of the ``returncode``. It may be asked for several times.

        :param raise_error: whether the future fails with :exc:`CalledProcessError` if
            that is not 0.
        """
        future: Future[int] = Future()

        def settle(ended: Future[int]) -> None:
            code = ended.result()
            if future.cancelled():
                return
            if code and raise_error:
                future.set_exception(CalledProcessError(code, self.proc.args))
            else:
                future.set_result(code)

        self._watched().add_done_callback(settle)
        return future

    def _watched(self) -> Future[int]:
        if self._exit is None:
            self._exit = Future()
            # No signal: it needs neither the main thread nor the loop's help.
            threading.Thread(
                target=self._wait,
                args=(self._exit,),
                name=f"wsgitornado-wait-{self.pid}",
                daemon=True,
            ).start()
        return self._exit

    def _wait(self, ended: Future[int]) -> None:
        self.returncode = self.proc.wait()
        ended.set_result(self.returncode)

    @classmethod
    def initialize(cls) -> None:
        """Nothing needs to be done first: kept for Tornado's sake."""

    @classmethod
    def uninitialize(cls) -> None:
        """Nothing is left to be undone: kept for Tornado's sake."""


class _Pipe:
    """Our end of a pipe. asyncio takes it over when it is first used."""

    def __init__(self, fd: int, mode: str) -> None:
        self._file = io.FileIO(fd, mode)
        self._ioloop = IOLoop.current()
        #: Reads, and writes, come one after the other, in the order of the calls.
        self._turn = asyncio.Lock()
        self._is_closed = False

    def fileno(self) -> int:
        """The file descriptor."""
        return self._file.fileno()

    def _refuse_if_closed(self) -> None:
        if self._is_closed:
            raise _pipe_closed()


class PipeReader(_Pipe):
    """What a process writes, as in Tornado's ``PipeIOStream``; for use on the loop.

    A process that writes faster than it is read has to wait. All methods that read
    begin at once, whether or not somebody awaits the future that they return. Where the
    process ends too early for them, they fail with ``StreamClosedError``.
    """

    def __init__(self, fd: int) -> None:
        super().__init__(fd, "r")
        self._transport: asyncio.BaseTransport | None = None
        self._reader: asyncio.StreamReader | None = None

    def read_until_close(self) -> asyncio.Future[bytes]:
        """All that comes until the other end is closed."""
        return self._begin(lambda reader: reader.read())

    def read_bytes(
        self, num_bytes: int, partial: bool = False
    ) -> asyncio.Future[bytes]:
        """So many bytes; with ``partial``, what there is as soon as there is any."""
        if partial:
            return self._begin(functools.partial(_read_some, num_bytes=num_bytes))
        return self._begin(lambda reader: reader.readexactly(num_bytes))

    def read_until(
        self, delimiter: bytes, max_bytes: int = MAX_READ_UNTIL
    ) -> asyncio.Future[bytes]:
        """Up to a delimiter, with it: a line, if that is a line feed.

        When ``max_bytes`` have come without one, the pipe is closed.
        """
        return self._begin(
            functools.partial(_read_until, delimiter=delimiter, max_bytes=max_bytes)
        )

    def closed(self) -> bool:
        """Whether it was closed here, or at the other end and all has been read."""
        return self._is_closed or (self._reader is not None and self._reader.at_eof())

    def close(self) -> None:
        """Read no more. The process will fail when it writes."""
        self._is_closed = True
        if self._transport is not None:
            self._transport.close()
        elif not self._turn.locked():
            self._file.close()

    def _begin(
        self, read: Callable[[asyncio.StreamReader], Coroutine[Any, Any, bytes]]
    ) -> asyncio.Future[bytes]:
        loop = asyncio.get_running_loop()
        return loop.create_task(self._read(read))

    async def _read(
        self, read: Callable[[asyncio.StreamReader], Coroutine[Any, Any, bytes]]
    ) -> bytes:
        async with self._turn:
            try:
                return await read(await self._opened())
            except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
                self.close()
                raise _pipe_closed(error) from None

    async def _opened(self) -> asyncio.StreamReader:
        self._refuse_if_closed()
        if self._reader is None:
            reader = asyncio.StreamReader()
            loop = asyncio.get_running_loop()
            self._transport, _ = await loop.connect_read_pipe(
                lambda: _EndingProtocol(reader), self._file
            )
            self._reader = reader
            if self._is_closed:
                self._transport.close()
                self._refuse_if_closed()
        return self._reader


class _EndingProtocol(asyncio.StreamReaderProtocol):
    """Lets the transport close itself at the end: a pipe cannot be written then."""

    def eof_received(self) -> bool:
        super().eof_received()
        return False


async def _read_some(reader: asyncio.StreamReader, num_bytes: int) -> bytes:
    data = await reader.read(num_bytes)
    if not data and num_bytes:
        raise asyncio.IncompleteReadError(b"", num_bytes)
    return data


async def _read_until(
    reader: asyncio.StreamReader, delimiter: bytes, max_bytes: int
) -> bytes:
    parts: list[bytes] = []
    size = 0
    is_whole = False
    while not is_whole:
        try:
            part = await reader.readuntil(delimiter)
            is_whole = True
        except asyncio.LimitOverrunError as error:
            # So much is in the reader's buffer, and no delimiter begins in it.
            part = await reader.readexactly(error.consumed)
        parts.append(part)
        size += len(part)
        if size > max_bytes:
            message = f"{max_bytes} bytes without the delimiter {delimiter!r}"
            raise asyncio.LimitOverrunError(message, size)
    return b"".join(parts)


class PipeWriter(_Pipe):
    """What a process reads, as in Tornado's ``PipeIOStream``; for use on the loop."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd, "w")
        self._has_written = False
        self._writer: asyncio.StreamWriter | None = None

    def write(self, data: bytes | bytearray | memoryview) -> asyncio.Future[None]:
        """Write, and return a future that is done when the pipe has taken everything.

        It need not be awaited. It fails with ``StreamClosedError`` if the process no
        longer reads.

        :raises StreamClosedError: if the pipe was closed.
        """
        self._refuse_if_closed()
        self._has_written = True
        task = asyncio.get_running_loop().create_task(self._write(bytes(data)))
        task.add_done_callback(_look_at)
        return task

    def closed(self) -> bool:
        """Whether it was closed, or a write has found the other end closed."""
        return self._is_closed

    def close(self) -> None:
        """Let the process read to the end of what was written, and then find the end.

        From any thread.
        """
        if self._is_closed:
            return
        self._is_closed = True
        if self._has_written:
            self._ioloop.add_callback(self._finish)
        else:
            self._file.close()

    async def _write(self, data: bytes) -> None:
        async with self._turn:
            try:
                writer = await self._opened()
                writer.write(data)
                await writer.drain()
            except ConnectionError as error:
                self._is_closed = True
                raise _pipe_closed(error) from None

    async def _opened(self) -> asyncio.StreamWriter:
        if self._writer is None:
            loop = asyncio.get_running_loop()
            transport, protocol = await loop.connect_write_pipe(
                # It knows how drain() waits.
                lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()),
                self._file,
            )
            # So that drain() waits until nothing is left.
            transport.set_write_buffer_limits(0)
            self._writer = asyncio.StreamWriter(transport, protocol, None, loop)
        return self._writer

    async def _finish(self) -> None:
        async with self._turn:
            if self._writer is not None:
                self._writer.close()
            else:
                # The writes were cancelled before they began.
                self._file.close()


def _look_at(task: asyncio.Task[None]) -> None:
    """Nobody need know that a write has failed."""
    if not task.cancelled():
        task.exception()


def _pipe_closed(reason: BaseException | None = None) -> StreamClosedError:
    error = StreamClosedError(reason)
    error.args = ("the pipe is closed" if reason is None else str(reason),)
    return error
