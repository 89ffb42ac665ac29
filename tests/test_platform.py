"""``platform.asyncio``: what old programs do with it, here and on Tornado."""

from __future__ import annotations

import asyncio
import threading
import warnings

import pytest

from tests.loops import run_program
from wsgitornado.platform.asyncio import AnyThreadEventLoopPolicy

PROGRAM = """
    import asyncio, sys, warnings
    warnings.simplefilter("ignore", DeprecationWarning)
    from PACKAGE import gen
    from PACKAGE.ioloop import IOLoop
    from PACKAGE.platform.asyncio import AsyncIOLoop, AsyncIOMainLoop
    from PACKAGE.platform.asyncio import to_asyncio_future, to_tornado_future

    async def inside():
        loop = AsyncIOMainLoop()
        print(loop is IOLoop.current(), isinstance(loop, IOLoop))
        print(loop.asyncio_loop is asyncio.get_running_loop())

    asyncio.run(inside())

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    main = AsyncIOMainLoop()
    main.install()
    print(main is IOLoop.current(), main.asyncio_loop is loop)

    @gen.coroutine
    def yielding():
        yield gen.sleep(0.001)
        raise gen.Return(3)

    async def work():
        print(await to_asyncio_future(yielding()))
        future = asyncio.ensure_future(asyncio.sleep(0, 4))
        print(to_tornado_future(future) is future, await future)
        loop.stop()

    IOLoop.current().add_callback(work)
    asyncio.get_event_loop().run_forever()
    own = AsyncIOLoop(make_current=False)
    print(own.run_sync(lambda: asyncio.sleep(0, 5)), own.asyncio_loop is loop)
    own.close()
"""


@pytest.mark.parametrize("package", ["tornado", "wsgitornado"])
def test_program_of_the_time_when_loops_were_installed(package: str) -> None:
    pytest.importorskip(package)
    done = run_program(PROGRAM.replace("PACKAGE", package))
    assert done.returncode == 0, done.stderr
    assert done.stdout.replace("\n", " ") == (
        "True True True True True 3 True 4 5 False "
    )


def test_loop_of_a_thread_that_had_none_is_new() -> None:
    done = run_program(
        """
        import asyncio, threading
        from wsgitornado.ioloop import IOLoop
        from wsgitornado.platform.asyncio import AsyncIOMainLoop

        def work():
            loop = AsyncIOMainLoop()
            print(loop is IOLoop.current(), loop.run_sync(lambda: asyncio.sleep(0, 1)))
            loop.close()

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        """
    )
    assert (done.returncode, done.stdout) == (0, "True 1\n"), done.stderr


def test_policy_has_a_loop_for_every_thread() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        policy = AnyThreadEventLoopPolicy()
    found: list[asyncio.AbstractEventLoop] = []

    def ask() -> None:
        found.extend([policy.get_event_loop(), policy.get_event_loop()])
        found[0].close()

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert found[0] is found[1]
