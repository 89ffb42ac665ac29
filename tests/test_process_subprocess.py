"""Programs that run beside: their end, and their pipes."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import tornado.process

from tests.loops import BOUND
from wsgitornado.ioloop import IOLoop
from wsgitornado.process import (
    CalledProcessError,
    PipeReader,
    PipeWriter,
    Subprocess,
)
from wsgitornado.testing import ExpectLog
from wsgitornado.web import StreamClosedError

STREAM = Subprocess.STREAM

Main = Callable[[], Awaitable[Any]]
Run = Callable[[Main], Any]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Run a coroutine on a loop of either kind."""
    if request.param == "uvloop":
        loop = pytest.importorskip("uvloop").new_event_loop()
    else:
        loop = asyncio.new_event_loop()

    def run_bounded(main: Main) -> Any:
        async def to_the_end() -> Any:
            result = await asyncio.wait_for(main(), BOUND)
            # Transports tell of their end one turn later.
            for _ in range(5):
                await asyncio.sleep(0)
            return result

        return loop.run_until_complete(to_the_end())

    yield run_bounded
    loop.close()


def python(program: str, **kwargs: Any) -> Subprocess:
    return Subprocess([sys.executable, "-c", program], **kwargs)


def a_pipe() -> tuple[PipeReader, PipeWriter]:
    reading, writing = os.pipe()
    return PipeReader(reading), PipeWriter(writing)


# The end


@pytest.mark.parametrize(
    ("program", "code"),
    [
        pytest.param("", 0, id="success"),
        pytest.param("raise SystemExit(3)", 3, id="failure"),
        pytest.param("import os; os.kill(os.getpid(), 9)", -9, id="signal"),
    ],
)
def test_end_is_waited_for_as_in_tornado(run: Run, program: str, code: int) -> None:
    async def main() -> None:
        ours = python(program)
        assert vars(ours)["returncode"] is None
        assert ours.pid == ours.proc.pid
        assert await ours.wait_for_exit(raise_error=False) == code
        assert ours.returncode == ours.proc.returncode == code
        # Again, when it has ended.
        if code:
            with pytest.raises(CalledProcessError) as info:
                await ours.wait_for_exit()
            assert info.value.returncode == code
            assert info.value.cmd == ours.proc.args
        else:
            assert await ours.wait_for_exit() == 0

    run(main)

    async def theirs() -> Any:
        child = tornado.process.Subprocess([sys.executable, "-c", program])
        code = await child.wait_for_exit(raise_error=False)
        child.uninitialize()
        return code

    assert asyncio.run(theirs()) == code


def test_several_may_wait_for_the_end(run: Run) -> None:
    async def main() -> None:
        child = python("input()", stdin=STREAM, stderr=subprocess.DEVNULL)
        first, second = child.wait_for_exit(False), child.wait_for_exit(False)
        third = child.wait_for_exit()
        third.cancel()
        child.stdin.close()
        assert await first == await second == 1

    run(main)


def test_callback_is_called_on_the_loop_the_last_one_only(run: Run) -> None:
    async def main() -> None:
        called: asyncio.Future[tuple[int, object]] = (
            asyncio.get_running_loop().create_future()
        )
        child = python("raise SystemExit(4)")
        child.set_exit_callback(print)
        child.set_exit_callback(
            lambda code: called.set_result((code, threading.current_thread()))
        )
        assert await called == (4, threading.current_thread())

    run(main)


def test_callback_may_be_a_coroutine_and_may_fail(run: Run) -> None:
    async def main() -> None:
        async def callback(code: int) -> None:
            await asyncio.sleep(0)
            try:
                raise ValueError("no")
            finally:
                called.set()

        called = asyncio.Event()
        child = python("")
        child.set_exit_callback(callback)
        await called.wait()

    with ExpectLog("wsgitornado.application", "Exception in callback"):
        run(main)


def test_nothing_need_be_installed() -> None:
    before = signal.getsignal(signal.SIGCHLD)
    Subprocess.initialize()
    assert signal.getsignal(signal.SIGCHLD) is before
    Subprocess.uninitialize()


def test_end_is_noticed_by_a_loop_of_another_thread() -> None:
    ended = threading.Event()
    # The background loop, which the guards of the tests have started.
    python("").set_exit_callback(lambda code: ended.set())
    assert ended.wait(BOUND)


# Pipes


def test_all_three_pipes_may_be_streams(run: Run) -> None:
    async def main() -> None:
        child = python(
            "import sys; print(sys.stdin.read().upper()); sys.stderr.write('oh')",
            stdin=STREAM,
            stdout=STREAM,
            stderr=STREAM,
        )
        # Nobody waits for it, and it arrives all the same.
        child.stdin.write(b"hello, ")
        child.stdin.write(b"world")
        child.stdin.close()
        assert child.stdin.closed()
        assert await child.stdout.read_until_close() == b"HELLO, WORLD\n"
        assert await child.stdout.read_until_close() == b""
        assert await child.stderr.read_until_close() == b"oh"
        assert child.stdout.closed()
        assert await child.wait_for_exit() == 0

    run(main)


def test_other_pipes_are_those_of_popen(run: Run) -> None:
    async def main() -> None:
        child = python("print('x')", stdout=subprocess.PIPE)
        assert (child.stdin, child.stderr) == (None, None)
        assert child.stdout == child.proc.stdout
        await child.wait_for_exit()
        with child.stdout:
            assert child.stdout.read() == b"x\n"

    run(main)


def test_what_is_large_passes_in_both_directions(run: Run) -> None:
    data = os.urandom(1_000_000)

    async def main() -> None:
        child = python(
            "import shutil, sys; shutil.copyfileobj(sys.stdin.buffer, "
            "sys.stdout.buffer)",
            stdin=STREAM,
            stdout=STREAM,
        )
        reading = child.stdout.read_until_close()
        await child.stdin.write(memoryview(data))
        child.stdin.close()
        assert await reading == data
        await child.wait_for_exit()

    run(main)


def test_reads_come_one_after_the_other(run: Run) -> None:
    async def main() -> None:
        reader, writer = a_pipe()
        reads = [
            reader.read_until(b"\n"),
            reader.read_bytes(3),
            reader.read_bytes(100, partial=True),
            reader.read_bytes(0, partial=True),
            reader.read_until_close(),
        ]
        await writer.write(b"line\nabcde")
        assert await asyncio.gather(*reads[:4]) == [b"line\n", b"abc", b"de", b""]
        assert not reader.closed()
        writer.write(b"end")
        writer.close()
        assert await reads[4] == b"end"
        assert reader.closed()

    run(main)


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda reader: reader.read_bytes(4), id="bytes"),
        pytest.param(lambda reader: reader.read_until(b"\n"), id="delimiter"),
    ],
)
def test_read_that_is_not_satisfied_fails(
    run: Run, read: Callable[[PipeReader], Awaitable[bytes]]
) -> None:
    async def main() -> None:
        reader, writer = a_pipe()
        writer.write(b"abc")
        writer.close()
        with pytest.raises(StreamClosedError, match="3 bytes read") as info:
            await read(reader)
        assert isinstance(info.value.real_error, asyncio.IncompleteReadError)
        assert reader.closed()

    run(main)


def test_some_bytes_of_nothing_are_an_error(run: Run) -> None:
    async def main() -> None:
        reader, writer = a_pipe()
        writer.close()
        with pytest.raises(StreamClosedError):
            await reader.read_bytes(1, partial=True)

    run(main)


@pytest.mark.parametrize("size", [10, 200_000], ids=["short", "beyond the buffer"])
@pytest.mark.parametrize("excess", [0, 1], ids=["at the limit", "beyond the limit"])
def test_delimiter_must_come_in_time(run: Run, size: int, excess: int) -> None:
    line = b"x" * (size - 2) + b"\r\n"

    async def main() -> None:
        reader, writer = a_pipe()
        reading = reader.read_until(b"\r\n", max_bytes=size - excess)
        writer.write(line + b"rest")
        if not excess:
            assert await reading == line
            assert await reader.read_bytes(4) == b"rest"
            reader.close()
        else:
            with pytest.raises(StreamClosedError, match=f"{size - 1} bytes without"):
                await reading
            assert reader.closed()
        writer.close()

    run(main)


@pytest.mark.parametrize("piece", [1, 3, 70_000])
def test_delimiter_may_come_in_pieces(run: Run, piece: int) -> None:
    line = b"abc\r\r\n" if piece < 10 else b"\r" * 150_001 + b"\n"

    async def main() -> None:
        reader, writer = a_pipe()
        reading = reader.read_until(b"\r\n")
        for start in range(0, len(line), piece):
            await writer.write(line[start : start + piece])
            await asyncio.sleep(0)
        assert await reading == line
        writer.close()
        reader.close()

    run(main)


def test_process_that_does_not_read_is_found_out(run: Run) -> None:
    async def main() -> None:
        child = python("", stdin=STREAM)
        await child.wait_for_exit()
        with pytest.raises(StreamClosedError) as info:
            await child.stdin.write(b"x" * 100)
        assert isinstance(info.value.real_error, ConnectionError)
        assert child.stdin.closed()
        with pytest.raises(StreamClosedError, match="the pipe is closed"):
            child.stdin.write(b"y")
        # Nobody need look at a write that has failed.
        second = python("", stdin=STREAM)
        await second.wait_for_exit()
        failing = second.stdin.write(b"x")
        await asyncio.wait([failing])
        del failing
        gc.collect()

    run(main)


def test_process_finds_out_that_nobody_reads(run: Run) -> None:
    async def main() -> None:
        child = python(
            "import sys\n"
            "try:\n"
            "    while True: sys.stdout.buffer.write(b'x' * 1000)\n"
            "except BrokenPipeError: sys.stdout = None; sys.exit(5)\n",
            stdout=STREAM,
            stderr=subprocess.DEVNULL,
        )
        await child.stdout.read_bytes(10)
        child.stdout.close()
        assert child.stdout.closed()
        assert await child.wait_for_exit(raise_error=False) != 0

    run(main)


@pytest.mark.parametrize("moment", ["before", "at once", "later"])
def test_reader_may_be_closed_while_somebody_reads(run: Run, moment: str) -> None:
    async def main() -> None:
        reader, writer = a_pipe()
        if moment == "before":
            reader.close()
        reading = reader.read_bytes(1)
        for _ in range({"before": 0, "at once": 1, "later": 5}[moment]):
            await asyncio.sleep(0)
        reader.close()
        with pytest.raises(StreamClosedError):
            await reading
        writer.close()
        assert reader.closed()

    run(main)


def test_write_that_is_cancelled_is_no_error(run: Run) -> None:
    async def main() -> None:
        reader, writer = a_pipe()
        writer.write(b"x").cancel()
        writer.close()
        writer.close()
        assert await reader.read_until_close() == b""

    run(main)


def test_pipes_may_be_closed_unused_without_a_loop() -> None:
    reader, writer = a_pipe()
    numbers = reader.fileno(), writer.fileno()
    reader.close()
    writer.close()
    for number in numbers:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(number)


def test_nothing_stays_open_when_the_program_cannot_be_started() -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd" if os.path.isdir("/proc") else "/dev/fd"))

    before = count()
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        Subprocess(["no-such-program"], stdin=STREAM, stdout=STREAM, stderr=STREAM)
    assert count() == before


def test_reads_and_writes_need_the_loop() -> None:
    reader, writer = a_pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeError, match="no running event loop"):
            reader.read_until_close()
        with pytest.raises(RuntimeError, match="no running event loop"):
            writer.write(b"x")
        gc.collect()
    reader.close()
    writer.close()


def test_output_is_read_with_run_sync() -> None:
    """As old programs do it: everything is made before the loop runs."""
    loop = IOLoop(make_current=False)
    child = python("print('x')", stdout=STREAM)
    assert loop.run_sync(child.stdout.read_until_close) == b"x\n"
    loop.run_sync(child.wait_for_exit)
    loop.close()
