"""Loops and processes: forks, the end, gevent."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.loops import run_program

needs_fork = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="this machine cannot fork"
)

STRICT = ("-X", "dev", "-W", "error")
#: From Python 3.12 on a fork with threads is warned of.
FORKING = ("-W", "ignore::DeprecationWarning")


def lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout.splitlines()


# Nobody complains


@pytest.mark.parametrize(
    "program",
    [
        pytest.param("IOLoop.current()", id="never run"),
        pytest.param("IOLoop.current().run_sync(main)", id="run_sync"),
        pytest.param("IOLoop.current(); asyncio.run(main())", id="asyncio.run"),
        pytest.param(
            "loop = IOLoop.current(); loop.call_later(0, loop.stop); loop.start()",
            id="start",
        ),
        pytest.param("parking.wait(main())", id="background"),
        pytest.param(
            "IOLoop.current(); asyncio.get_event_loop().run_until_complete(main())",
            id="get_event_loop",
        ),
        pytest.param(
            "PeriodicCallback(main, 10).start(); asyncio.run(main());"
            "parking.run_what_waits(); parking.wait(main())",
            id="all of them",
        ),
        pytest.param(
            "t = threading.Thread(target=lambda: IOLoop.current().run_sync(main));"
            "t.start(); t.join(); asyncio.get_event_loop",
            id="thread",
        ),
        pytest.param(
            "IOLoop.current(); assert_same(); asyncio.run(main());"
            "IOLoop.current(); assert_same()",
            id="asyncio's own",
        ),
        pytest.param("IOLoop.current().close(); IOLoop.current()", id="closed"),
        pytest.param("IOLoop().run_sync(main)", id="own"),
    ],
)
def test_nothing_is_complained_of_to_the_very_end(program: str) -> None:
    done = run_program(
        f"""
        import asyncio, threading
        from wsgitornado import parking
        from wsgitornado.ioloop import IOLoop, PeriodicCallback

        async def main():
            IOLoop.current().call_later(3600, print)
            await asyncio.sleep(0)

        def assert_same():
            assert asyncio.get_event_loop() is IOLoop.current().asyncio_loop

        {program}
        print("end")
        """,
        *STRICT,
    )
    assert lines(done) == ["end"]


def test_loop_of_the_program_ends_in_order() -> None:
    done = run_program(
        """
        import asyncio
        from wsgitornado.ioloop import IOLoop

        async def handler():
            try:
                await asyncio.sleep(3600)
            finally:
                await asyncio.sleep(0)
                print("cleaned up")

        async def numbers():
            try:
                yield 1
            finally:
                print("generator closed")

        async def main():
            generators.append(numbers())
            await anext(generators[0])

        generators = []
        loop = IOLoop.current()
        loop.spawn_callback(handler)
        loop.run_sync(main)
        print("end")
        """
    )
    assert lines(done) == ["end", "cleaned up", "generator closed"]


# Forks


@needs_fork
def test_child_begins_what_no_loop_has_begun() -> None:
    """As with ``gunicorn --preload``: the workers fork off the imported program."""
    done = run_program(
        """
        import os, threading
        from wsgitornado import parking
        from wsgitornado.ioloop import IOLoop, PeriodicCallback

        loop = IOLoop.current()
        ticked, called = threading.Event(), threading.Event()
        periodic = PeriodicCallback(ticked.set, 1)
        periodic.start()
        loop.add_callback(called.set)

        def serve(name):
            parking.run_what_waits()
            print(name, ticked.wait(20), called.wait(20), loop is IOLoop.current(),
                  flush=True)

        for _ in range(2):
            child = os.fork()
            if child == 0:
                serve("child")
                raise SystemExit
            assert os.waitpid(child, 0)[1] == 0
        assert not ticked.is_set()
        serve("parent")
        """,
        *FORKING,
    )
    assert lines(done) == ["child True True True"] * 2 + ["parent True True True"]


@needs_fork
@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_child_that_ends_leaves_the_loops_of_the_parent_as_they_are(kind: str) -> None:
    if kind == "uvloop":
        pytest.importorskip("uvloop")
    done = run_program(
        f"""
        import asyncio, gc, os, sys, threading
        if {kind == "uvloop"}:
            import uvloop
            make = uvloop.new_event_loop
        else:
            make = asyncio.new_event_loop
        asyncio.set_event_loop(make())
        from wsgitornado import _serving
        from wsgitornado.ioloop import IOLoop

        loop, other = IOLoop.current(), IOLoop(make_current=False)
        other.run_sync(lambda: None)
        child = os.fork()
        if child == 0:
            print(IOLoop.current() is loop, loop.run_sync(lambda: asyncio.sleep(0, 1)))
            try:
                other.add_callback(print)
            except RuntimeError as error:
                print(error)
            # As garbage they do no harm either.
            _serving._forgotten.clear()
            gc.collect()
            sys.exit()
        print(os.waitpid(child, 0)[1], flush=True)
        # A sleeping loop is woken by its own pipe, which the child had as well.
        for one in (loop, other):
            one.add_callback(lambda: threading.Timer(0.02, one.stop).start())
            one.start()
        print("woken")
        """,
        *FORKING,
    )
    assert lines(done) == [
        "True 1",
        "the loop belongs to the parent process: ask for IOLoop.current() after "
        "the fork",
        "0",
        "woken",
    ]


@needs_fork
def test_timers_of_the_parents_running_loop_do_not_run_in_the_child() -> None:
    done = run_program(
        """
        import asyncio, os, socket, threading
        from wsgitornado import parking
        from wsgitornado.ioloop import IOLoop, PeriodicCallback

        def tick():
            ticks.append(os.getpid())
            ticked.set()

        ticks = []
        ticked = threading.Event()
        loop = IOLoop.current()
        periodic = PeriodicCallback(tick, 1)
        periodic.start()
        loop.call_later(0.05, tick)
        reading, writing = socket.socketpair()
        loop.add_handler(reading, lambda fd, events: tick(), loop.READ)
        parking.background_loop()
        ticked.wait()
        child = os.fork()
        if child == 0:
            ticks.clear(), ticked.clear()
            writing.send(b"x")
            parking.wait(asyncio.sleep(0.1))
            print(ticks, flush=True)
            # It may be started again.
            periodic.start()
            print(ticked.wait(20), set(ticks) == {os.getpid()}, flush=True)
            raise SystemExit
        print(os.waitpid(child, 0)[1])
        """,
        *FORKING,
    )
    assert lines(done) == ["[]", "True True", "0"]


@needs_fork
def test_child_of_a_fork_that_python_was_not_told_of() -> None:
    done = run_program(
        """
        import asyncio, ctypes, os
        from wsgitornado.ioloop import IOLoop

        loop = IOLoop.current()
        loop.run_sync(lambda: None)
        parents = loop.asyncio_loop
        child = ctypes.PyDLL(None).fork()
        if child == 0:
            print(IOLoop.current() is loop, loop.asyncio_loop is parents,
                  loop.run_sync(lambda: asyncio.sleep(0, "ran")), flush=True)
            os._exit(0)
        print(os.waitpid(child, 0)[1], parents.is_closed())
        """,
    )
    assert lines(done) == ["True False ran", "0 False"]


@needs_fork
@pytest.mark.parametrize("others_hold_it", [False, True], ids=["free", "held"])
def test_lock_that_a_thread_held_does_not_stop_the_child(others_hold_it: bool) -> None:
    done = run_program(
        f"""
        import os, threading
        from wsgitornado import _serving
        from wsgitornado.ioloop import IOLoop

        def hold():
            with _serving.lock:
                is_held.set()
                may_go.wait()

        is_held, may_go = threading.Event(), threading.Event()
        if {others_hold_it}:
            thread = threading.Thread(target=hold)
            thread.start()
            is_held.wait()
        child = os.fork()
        if child == 0:
            os._exit(IOLoop.current().run_sync(lambda: None) or 0)
        print(os.waitpid(child, 0)[1])
        may_go.set()
        """,
        *FORKING,
    )
    assert lines(done) == ["0"]


# gevent


def test_greenlets_under_gevent_have_the_loop_as_threads_do() -> None:
    pytest.importorskip("gevent")
    done = run_program(
        """
        from gevent import monkey
        monkey.patch_all()
        import asyncio, os, threading
        import gevent
        from wsgitornado import parking
        from wsgitornado.concurrent import is_on_loop
        from wsgitornado.ioloop import IOLoop, PeriodicCallback

        def tick():
            ticks.append(None)

        async def handler(number):
            assert IOLoop.current() is loop
            assert is_on_loop(loop.asyncio_loop)
            arrived.append(number)
            if len(arrived) == 20:
                everybody.set()
            await everybody.wait()
            await asyncio.sleep(0.01)
            return number

        ticks, arrived = [], []
        everybody = asyncio.Event()
        loop = IOLoop.current()
        periodic = PeriodicCallback(tick, 1)
        periodic.start()
        # Twenty greenlets wait at once; meanwhile others run.
        waiting = [gevent.spawn(parking.wait, handler(n)) for n in range(20)]
        gevent.sleep(0.02)
        assert not is_on_loop(loop.asyncio_loop)
        assert IOLoop.current() is loop
        print([greenlet.get() for greenlet in waiting] == list(range(20)))
        print(len(ticks) > 0)
        # From a greenlet to the sleeping loop.
        periodic.stop()
        called = threading.Event()
        loop.call_later(0.01, called.set)
        print(called.wait(20))
        print(loop.run_sync(lambda: asyncio.sleep(0, "run_sync")))

        async def forever():
            try:
                await asyncio.sleep(3600)
            finally:
                print("cleaned up", flush=True)

        greenlet = gevent.spawn(parking.wait, forever())
        gevent.sleep(0.01)
        """
    )
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "True",
        "True",
        "True",
        "run_sync",
        "cleaned up",
    ]


def test_loop_that_was_made_before_gevent_came_does_not_hold_up_greenlets() -> None:
    """As with ``uwsgi --gevent``, which imports the program first."""
    pytest.importorskip("gevent")
    done = run_program(
        """
        import asyncio
        from wsgitornado import parking
        from wsgitornado.ioloop import IOLoop, PeriodicCallback

        loop = IOLoop.current()
        ticks = []
        periodic = PeriodicCallback(lambda: ticks.append(None), 1)
        periodic.start()

        from gevent import monkey
        monkey.patch_all()
        import gevent

        parking.run_what_waits()
        gevent.sleep(0.02)
        print(len(ticks) > 0)
        print(parking.wait(asyncio.sleep(0.01, "answer")), IOLoop.current() is loop)
        """
    )
    assert lines(done) == ["True", "answer True"]


def test_loop_starts_in_the_main_greenlet_and_takes_over_from_the_background() -> None:
    pytest.importorskip("gevent")
    done = run_program(
        """
        from gevent import monkey
        monkey.patch_all()
        import asyncio
        import gevent
        from wsgitornado import parking
        from wsgitornado.ioloop import IOLoop

        async def handler():
            await asyncio.sleep(0.05)
            loop.stop()
            await asyncio.sleep(0.01)
            return "answer"

        loop = IOLoop.current()
        greenlet = gevent.spawn(parking.wait, handler())
        gevent.sleep(0.01)
        loop.start()
        print("stopped")
        print(greenlet.get())
        """
    )
    assert lines(done) == ["stopped", "answer"]
