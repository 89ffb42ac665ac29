"""Small programs around a loop, run on Tornado and, with other imports, on us."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from tests.loops import BOUND
from tests.porting.servers import ported

PREAMBLE = '''
import asyncio, concurrent.futures, contextvars, datetime, logging, os, re, signal
import socket, sys, threading, time, warnings
from tornado.ioloop import IOLoop, PeriodicCallback
import tornado.ioloop

warnings.simplefilter("ignore")

class Plain(logging.Formatter):
    """Names of loggers, messages without addresses, types of exceptions."""
    def format(self, record):
        message = re.sub(r" at 0x\\w+", "", record.getMessage())
        # Which wrapper of a coroutine is named is nobody's concern.
        message = re.sub(r"(Exception in callback).*", r"\\1", message)
        kind = record.exc_info[0].__name__ if record.exc_info else ""
        name = record.name.removeprefix("wsgi")
        return f"{name} {record.levelname} {message} {kind}"

handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(Plain())
logging.getLogger().addHandler(handler)

async def fail():
    raise LookupError("lost")
'''

PROGRAMS = {
    "timers set at import": """
        loop = IOLoop.current()
        loop.call_later(0.03, loop.stop)
        loop.call_later(0.02, print, "third", "argument")
        loop.call_at(loop.time() + 0.01, print, "second")
        loop.add_timeout(datetime.timedelta(0), lambda **kw: print("first", kw), a=1)
        loop.start()
        print("stopped")
    """,
    "callbacks": """
        def first():
            print("first")
            loop.add_callback(print, "third")
            loop.spawn_callback(loop.stop)
            print("end of first")
        loop = IOLoop.current()
        loop.add_callback(first)
        loop.add_callback(lambda a, b: print("second", a, b), 1, b=2)
        loop.start()
    """,
    "run_sync": """
        async def add(a, b):
            await asyncio.sleep(0)
            return a + b
        loop = IOLoop.current()
        print(loop.run_sync(lambda: add(1, 2)), loop.run_sync(lambda: None))
        with concurrent.futures.ThreadPoolExecutor() as executor:
            print(loop.run_sync(lambda: executor.submit(pow, 2, 10)))
        for function in (fail, lambda: 1 / 0):
            try:
                loop.run_sync(function)
            except Exception as error:
                print(type(error).__name__, error)
    """,
    "run_sync that takes too long": """
        async def slow():
            try:
                await asyncio.sleep(20)
            finally:
                print("cleaning up")
                await asyncio.sleep(0)
                print("cleaned up")
        try:
            IOLoop.current().run_sync(slow, timeout=0.01)
        except tornado.ioloop.TimeoutError as error:
            print(type(error).__mro__, error)
    """,
    "run_sync that is stopped": """
        async def main():
            IOLoop.current().stop()
            await asyncio.sleep(20)
        try:
            IOLoop.current().run_sync(main)
        except RuntimeError as error:
            print(error)
    """,
    "exceptions in callbacks": """
        loop = IOLoop.current()
        loop.add_callback(lambda: 1 / 0)
        loop.add_callback(fail)
        loop.spawn_callback(fail)
        loop.call_later(0.01, fail)
        loop.call_later(0.02, lambda: {}[1])
        future = concurrent.futures.Future()
        loop.add_future(future, lambda future: future.result())
        future.set_exception(KeyError("of the future"))
        loop.call_later(0.05, loop.stop)
        loop.start()
        print("still here")
    """,
    "values that callbacks return": """
        loop = IOLoop.current()
        for value in (5, "text", b"", object()):
            loop.add_callback(lambda: value)
        async def later():
            await asyncio.sleep(0.01)
            print("awaited")
        loop.add_callback(lambda: later())
        loop.call_later(0.03, loop.stop)
        loop.start()
    """,
    "timers that are removed": """
        loop = IOLoop.current()
        timer = loop.call_later(0.01, print, "never")
        other = loop.call_later(0, print, "once")
        loop.remove_timeout(timer)
        loop.remove_timeout(timer)
        loop.call_later(0.03, loop.stop)
        loop.start()
        loop.remove_timeout(other)
        for deadline in ("x", None):
            try:
                loop.add_timeout(deadline, print)
            except TypeError as error:
                print(str(error)[:24])
    """,
    "stop before start, and starting again": """
        loop = IOLoop.current()
        loop.stop()
        loop.call_later(0.01, print, "timer")
        loop.start()
        print("returned")
        def stop():
            loop.stop()
            loop.add_callback(print, "in the next turn")
        loop.call_later(0.02, stop)
        loop.start()
        print("returned")
        loop.add_callback(loop.stop)
        loop.start()
    """,
    "nested start": """
        loop = IOLoop.current()
        async def main():
            try:
                loop.start()
            except RuntimeError as error:
                print(str(error)[:34])
        loop.run_sync(main)
    """,
    "threads": """
        def work():
            time.sleep(0.01)
            loop.add_callback(print, "from the thread")
            loop.add_callback(loop.stop)
        loop = IOLoop.current()
        loop.add_callback(threading.Thread(target=work).start)
        loop.start()
        loop.add_callback(threading.Thread(target=loop.stop).start)
        loop.start()
        print("stopped by the thread")
    """,
    "executors": """
        async def main():
            print(await loop.run_in_executor(None, pow, 2, 10))
            loop.set_default_executor(
                concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="mine"))
            thread = await loop.run_in_executor(None, threading.current_thread)
            print(thread.name)
        loop = IOLoop.current()
        loop.run_sync(main)
        try:
            loop.set_default_executor(None)
        except TypeError as error:
            print(error)
    """,
    "futures": """
        def show(future):
            print(future.result(), threading.current_thread().name)
        async def main():
            ours, theirs = asyncio.Future(), concurrent.futures.Future()
            loop.add_future(ours, show)
            ours.set_result("ours")
            await asyncio.sleep(0.01)
            loop.add_future(theirs, show)
            threading.Thread(target=theirs.set_result, args=("theirs",)).start()
            await asyncio.sleep(0.02)
        loop = IOLoop.current()
        loop.run_sync(main)
    """,
    "file descriptors": """
        def readable(fd, events):
            print(fd is reading, events == loop.READ, fd.recv(10))
            loop.update_handler(reading, loop.NONE)
            loop.stop()
        reading, writing = socket.socketpair()
        loop = IOLoop.current()
        loop.add_handler(reading, readable, loop.READ | loop.ERROR)
        try:
            loop.add_handler(reading, readable, loop.READ)
        except ValueError as error:
            print(re.sub(r"[0-9]+", "N", str(error)))
        writing.send(b"hello")
        loop.start()
        loop.remove_handler(reading)
        loop.remove_handler(reading)
        def writable(fd, events):
            print(fd == writing.fileno(), events == loop.WRITE)
            loop.remove_handler(fd)
            loop.stop()
        loop.add_handler(writing.fileno(), writable, loop.WRITE)
        loop.start()
        print(loop.split_fd(5), loop.split_fd(reading)[1] is reading)
        loop.add_handler(reading, print, loop.READ)
        loop.close(all_fds=True)
        print(reading.fileno())
    """,
    "context variables": """
        variable = contextvars.ContextVar("variable")
        async def main():
            variable.set("of main")
            loop.add_callback(lambda: print("callback", variable.get()))
            loop.call_later(0, lambda: print("timer", variable.get()))
            await asyncio.sleep(0.02)
        loop = IOLoop.current()
        loop.run_sync(main)
        print(variable.get("none outside"))
    """,
    "periodic callback": """
        count = 0
        def tick():
            global count
            count += 1
            print("tick", count)
            if count == 3:
                periodic.stop()
                loop.call_later(0.02, loop.stop)
        loop = IOLoop.current()
        periodic = PeriodicCallback(tick, 5)
        print(periodic.is_running())
        periodic.start()
        print(periodic.is_running())
        loop.start()
        print(periodic.is_running())
        for interval in (0, -1):
            try:
                PeriodicCallback(tick, interval)
            except ValueError as error:
                print(error)
    """,
    "periodic coroutine": """
        running = most = count = 0
        async def slow():
            global running, most, count
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.02)
            running -= 1
            count += 1
            if count == 3:
                loop.stop()
        loop = IOLoop.current()
        PeriodicCallback(slow, datetime.timedelta(milliseconds=1)).start()
        loop.start()
        print(most, count)
    """,
    "periodic exception": """
        count = 0
        def tick():
            global count
            count += 1
            if count == 3:
                loop.stop()
            else:
                raise LookupError
        loop = IOLoop.current()
        PeriodicCallback(tick, 2).start()
        loop.start()
    """,
    "asyncio.run": """
        async def main():
            loop = IOLoop.current()
            print(loop.asyncio_loop is asyncio.get_running_loop())
            print(IOLoop.current(instance=False) is loop)
            loop.add_callback(print, "callback")
            periodic = PeriodicCallback(lambda: ticked.set(), 1)
            periodic.start()
            ticked = asyncio.Event()
            await ticked.wait()
            print("ticked")
        asyncio.run(main())
        asyncio.run(main())
    """,
    "asyncio's own way to run": """
        async def main():
            print(IOLoop.current() is loop)
        loop = IOLoop.current()
        print(asyncio.get_event_loop() is loop.asyncio_loop)
        asyncio.get_event_loop().run_until_complete(main())
        loop.add_callback(print, "callback")
        loop.add_callback(loop.stop)
        asyncio.get_event_loop().run_forever()
    """,
    "a loop in a thread": """
        def run():
            asyncio.set_event_loop(asyncio.new_event_loop())
            loop = IOLoop.current()
            print(loop is main_loop)
            loop.add_callback(lambda: print(IOLoop.current() is loop))
            loop.call_later(0.01, loop.stop)
            loop.start()
            loop.close()
        main_loop = IOLoop.current()
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        print(IOLoop.current() is main_loop)
    """,
    "loops of its own": """
        print(IOLoop.current(instance=False))
        loop = IOLoop()
        print(IOLoop.current() is loop, IOLoop.instance() is loop)
        other = IOLoop(make_current=False)
        print(IOLoop.current() is loop)
        other.run_sync(lambda: None)
        other.make_current()
        print(IOLoop.current() is other)
        loop.close()
        other.close()
        print(IOLoop.current(instance=False))
        try:
            other.call_later(0, print)
        except RuntimeError as error:
            print(error)
        other.add_callback(print)
        print(IOLoop.current() is other)
    """,
    "signals": """
        loop = IOLoop.current()
        signal.signal(signal.SIGUSR1,
                      lambda *args: loop.add_callback_from_signal(loop.stop))
        loop.call_later(0.01, os.kill, os.getpid(), signal.SIGUSR1)
        loop.start()
        print("stopped")
        def interrupt():
            raise KeyboardInterrupt
        loop.call_later(0, interrupt)
        try:
            loop.start()
        except KeyboardInterrupt:
            print("interrupted")
        print(loop.run_sync(lambda: asyncio.sleep(0, "goes on")))
    """,
    "exit": """
        async def main():
            sys.exit(3)
        print("before", flush=True)
        IOLoop.current().run_sync(main)
    """,
}


def run(source: str) -> tuple[list[str], int]:
    done = subprocess.run(
        [sys.executable, "-c", source],
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.stdout.splitlines(), done.returncode


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_does_the_same_on_both(name: str) -> None:
    source = PREAMBLE + textwrap.dedent(PROGRAMS[name])
    assert run(ported(source)) == run(source)
