"""The loop in the background: waiting, failing, ending, forking."""

from __future__ import annotations

import asyncio
import contextvars
import os
import sys
import threading
from collections.abc import Awaitable

import pytest

from tests.loops import BOUND, no_loop_yet, run_program
from tests.support import call
from wsgitornado import parking
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, RequestHandler

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")


async def answer(value: object = 42) -> object:
    await asyncio.sleep(0)
    return value


def test_result_of_a_coroutine_comes_back() -> None:
    assert parking.wait(answer("result")) == "result"


def test_coroutine_runs_on_the_background_loop() -> None:
    async def where() -> tuple[asyncio.AbstractEventLoop, str, bool]:
        is_a_task = asyncio.current_task() is not None
        return asyncio.get_running_loop(), threading.current_thread().name, is_a_task

    loop = parking.background_loop()
    assert parking.wait(where()) == (loop, "wsgitornado-loop", True)
    assert parking.background_loop() is loop


def test_any_awaitable_will_do() -> None:
    class Ready:
        def __await__(self):  # type: ignore[no-untyped-def]  # the shortest form of one
            yield from asyncio.sleep(0).__await__()
            return "ready"

    awaitable: Awaitable[str] = Ready()
    assert parking.wait(awaitable) == "ready"


def test_exception_of_a_coroutine_comes_back_with_its_traceback() -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise LookupError("lost")

    with pytest.raises(LookupError, match="lost") as caught:
        parking.wait(fail())
    assert caught.traceback[-1].name == "fail"


def test_cancelled_coroutine_is_an_error_of_the_request() -> None:
    async def cancel_itself() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="was cancelled"):
        parking.wait(cancel_itself())


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_loop_outlives_what_would_end_a_program(kind: type[BaseException]) -> None:
    async def leave() -> None:
        raise kind("enough")

    with pytest.raises(kind, match="enough"):
        parking.wait(leave())
    assert parking.wait(answer()) == 42


def test_exit_in_one_coroutine_leaves_the_others_alone() -> None:
    is_waiting, may_go = threading.Event(), asyncio.Event()
    answers: list[object] = []

    async def bystander() -> str:
        is_waiting.set()
        await may_go.wait()
        return "still here"

    async def leave() -> None:
        sys.exit(1)

    async def release() -> None:
        may_go.set()

    thread = threading.Thread(target=lambda: answers.append(parking.wait(bystander())))
    thread.start()
    assert is_waiting.wait(BOUND)
    with pytest.raises(SystemExit):
        parking.wait(leave())
    parking.wait(release())
    thread.join(BOUND)
    assert answers == ["still here"]


def test_many_threads_wait_at_once() -> None:
    async def meet(number: int) -> int:
        await meeting.wait()
        return number

    async def make_barrier() -> asyncio.Barrier:
        return asyncio.Barrier(20)

    meeting = parking.wait(make_barrier())
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append(parking.wait(meet(n))))
        for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND)
    assert sorted(answers) == list(range(20))


# -- Context variables


def test_context_variables_go_along() -> None:
    async def read() -> str:
        return variable.get()

    def within() -> str:
        variable.set("from the thread")
        return parking.wait(read())

    assert contextvars.copy_context().run(within) == "from the thread"


@pytest.mark.parametrize("fails", [False, True], ids=["returns", "raises"])
def test_context_variables_come_back(fails: bool) -> None:
    async def write() -> None:
        variable.set("from the loop")
        if fails:
            raise LookupError

    def within() -> str:
        variable.set("from the thread")
        if fails:
            with pytest.raises(LookupError):
                parking.wait(write())
        else:
            parking.wait(write())
        return variable.get()

    assert contextvars.copy_context().run(within) == "from the loop"


def test_context_variables_of_waiting_threads_do_not_mix() -> None:
    async def make_barrier() -> asyncio.Barrier:
        return asyncio.Barrier(8)

    async def exchange(mine: str) -> str:
        variable.set(mine)
        await meeting.wait()
        return variable.get()

    def one(mine: str) -> None:
        seen[mine] = (parking.wait(exchange(mine)), variable.get())

    meeting = parking.wait(make_barrier())
    seen: dict[str, tuple[str, str]] = {}
    threads = [threading.Thread(target=one, args=(str(n),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND)
    assert seen == {str(n): (str(n), str(n)) for n in range(8)}


# -- The loop's own thread


class Slow(RequestHandler):
    async def get(self) -> None:
        self.write(str(await answer()))


def test_waiting_on_the_loop_thread_says_so_instead_of_waiting_for_ever() -> None:
    with pytest.raises(RuntimeError, match="call it from another thread"):
        parking.wait(wait_here())


def test_application_on_the_loop_thread_says_so_instead_of_waiting_for_ever() -> None:
    application = Application([("/", Slow)])

    async def embed() -> int:
        return call(application).status_code

    with ExpectLog("wsgitornado.application", "Uncaught exception GET /") as log:
        assert parking.wait(embed()) == 500
    assert log.logged_stack
    # From a thread that the loop has sent out it works.
    assert parking.wait(asyncio.to_thread(call, application)).text == "42"


async def wait_here() -> object:
    return parking.wait(answer())


def test_awaitable_that_is_no_coroutine_is_refused_on_the_loop_thread_too() -> None:
    async def wait_for_a_future() -> None:
        future = asyncio.get_running_loop().create_future()
        parking.wait(future)

    with pytest.raises(RuntimeError, match="event loop's own thread"):
        parking.wait(wait_for_a_future())


# -- The end of the process


def test_finally_blocks_run_at_exit() -> None:
    done = run_program(
        """
        import asyncio, threading
        from wsgitornado import parking

        async def handler():
            began.set()
            try:
                await asyncio.sleep(3600)
            finally:
                await asyncio.sleep(0)
                print("cleaned up", flush=True)

        def serve():
            try:
                parking.wait(handler())
            except RuntimeError as error:
                print(error, flush=True)

        began = threading.Event()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        began.wait()
        """
    )
    assert done.stderr == ""
    assert done.returncode == 0
    first, *_ = done.stdout.splitlines()
    assert first == "cleaned up"


def test_loop_that_was_ended_is_closed_and_the_next_is_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def handler() -> None:
        is_waiting.set()
        await asyncio.sleep(3600)

    def serve() -> None:
        with pytest.raises(RuntimeError, match="because the process ends"):
            parking.wait(handler())
        ended.append(True)

    is_waiting = threading.Event()
    ended: list[bool] = []
    with no_loop_yet(monkeypatch):
        thread = threading.Thread(target=serve)
        thread.start()
        assert is_waiting.wait(BOUND)
        first = parking.background_loop()
        parking._end_at_exit()
        thread.join(BOUND)
        assert ended == [True]
        assert first.is_closed()
        assert parking.background_loop() is not first
        parking._end_at_exit()  # one on which nobody waits
        parking._end_at_exit()  # none at all


def test_exit_does_not_wait_for_a_coroutine_that_will_not_end() -> None:
    done = run_program(
        """
        import asyncio, threading
        from wsgitornado import parking

        async def stubborn():
            began.set()
            while True:
                try:
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    print("no", flush=True)

        began = threading.Event()
        parking.EXIT_GRACE = 0.05
        threading.Thread(
            target=parking.wait, args=(stubborn(),), daemon=True
        ).start()
        began.wait()
        """
    )
    assert (done.stdout, done.returncode) == ("no\n", 0)


def test_process_that_never_waited_starts_no_thread() -> None:
    done = run_program(
        """
        import threading
        import wsgitornado.web
        print(threading.active_count())
        """
    )
    assert (done.stdout, done.stderr, done.returncode) == ("1\n", "", 0)


def test_interrupted_thread_takes_its_coroutine_along() -> None:
    done = run_program(
        """
        import asyncio, signal, sys, threading
        from wsgitornado import parking

        ended = threading.Event()
        main = threading.main_thread().ident

        async def handler():
            while sys._current_frames()[main].f_globals["__name__"] != "threading":
                await asyncio.sleep(0)
            signal.pthread_kill(main, signal.SIGINT)
            try:
                await asyncio.sleep(3600)
            finally:
                ended.set()

        try:
            parking.wait(handler())
        except KeyboardInterrupt:
            print("interrupted", ended.wait(20))
        """
    )
    assert (done.stdout, done.returncode) == ("interrupted True\n", 0)


# -- Forks

FORKED = """
import asyncio, os, threading
from wsgitornado import parking

async def where():
    await asyncio.sleep(0)
    return id(asyncio.get_running_loop()), os.getpid()

async def endless():
    began.set()
    await asyncio.sleep(3600)

began = threading.Event()
before = parking.wait(where())
threading.Thread(target=parking.wait, args=(endless(),), daemon=True).start()
began.wait()
loop = parking.background_loop()
child = {fork}
if child == 0:
    print("child", parking.background_loop() is not loop,
          parking.wait(where()) == (id(parking.background_loop()), os.getpid()),
          flush=True)
    {leave}
print("status", os.waitpid(child, 0)[1], flush=True)
print("parent", parking.background_loop() is loop, parking.wait(where()) == before)
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this machine cannot fork")
@pytest.mark.parametrize(
    ("fork", "leave"),
    [
        pytest.param("os.fork()", "raise SystemExit", id="by Python"),
        pytest.param(
            "__import__('ctypes').PyDLL(None).fork()", "os._exit(0)", id="by C"
        ),
    ],
)
def test_forked_child_has_a_loop_of_its_own(fork: str, leave: str) -> None:
    program = FORKED.format(fork=fork, leave=leave)
    done = run_program(program, "-W", "ignore::DeprecationWarning")
    assert done.stdout.splitlines() == [
        "child True True",
        "status 0",
        "parent True True",
    ]
    assert done.stderr == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this machine cannot fork")
def test_child_can_start_its_loop_although_the_lock_was_held() -> None:
    done = run_program(
        """
        import os, threading
        from wsgitornado import _serving, parking

        async def nothing():
            return 0

        with _serving.lock:
            child = os.fork()
            if child == 0:
                os._exit(parking.wait(nothing()))
        print(os.waitpid(child, 0)[1])
        """,
        "-W",
        "ignore::DeprecationWarning",
    )
    assert (done.stdout, done.stderr) == ("0\n", "")
