"""Threads that wait for a parked answer, and what ends them from outside."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

import pytest

from tests.loops import BOUND, run_program
from tests.parking.asking import application_of
from tests.parking.stacks import Record, Recorded
from tests.support import make_environ
from wsgitornado import parked, parking
from wsgitornado.httputil.departure import CLIENT_DISCONNECTED


async def wait_at_the_gate(handler: Recorded) -> None:
    handler.record.begun.set()
    try:
        await handler.record.gate.wait()
    finally:
        handler.record.ended.set()


def open_body(record: Record, **environ: Any) -> Any:
    application = application_of(wait_at_the_gate, Recorded, record)
    return application(make_environ("/", **environ), lambda *_: bytes)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_handler_ends_with_the_thread_that_waits_for_it(
    kind: type[BaseException],
) -> None:
    def end_thread() -> bool:
        if record.begun.is_set():
            raise kind
        return False

    record = Record()
    body = open_body(record, **{CLIENT_DISCONNECTED: end_thread})
    with mock.patch.object(parked, "PROBE_INTERVAL", 0.01), pytest.raises(kind):
        next(body)
    assert record.ended.wait(BOUND)
    assert record.over.wait(BOUND)
    assert (record.left, record.finished) == (1, [200])
    assert parked.waiting() == 0


# At exit

ENDING = """
    import concurrent.futures
    import threading

    from tests.support import make_environ
    from wsgitornado.locks import Event
    from wsgitornado.web import Application, RequestHandler

    class Waiting(RequestHandler):
        async def get(self):
            begun.set()
            try:
                await Event().wait()
            finally:
                print("finally")

        def on_finish(self):
            print("finished", self.get_status())

    begun = threading.Event()
    body = Application([("/", Waiting)])(make_environ(), lambda *_: None)
    concurrent.futures.ThreadPoolExecutor(1).submit(list, body)
    begun.wait(20)
"""


def test_thread_of_an_executor_lets_the_process_end() -> None:
    ended = run_program(ENDING)
    assert (ended.returncode, ended.stdout) == (0, "finally\nfinished 503\n")


def test_only_threads_of_executors_are_freed_before_they_are_joined() -> None:
    record, other = Record(), Record()
    with mock.patch.object(parking, "_end_at_exit") as end:
        thread = threading.Thread(target=list, args=[open_body(record)])
        thread.start()
        assert record.begun.wait(BOUND)
        parked._free_executors()
        assert end.call_count == 0
        with ThreadPoolExecutor(1) as executor:
            waiting = executor.submit(list, open_body(other))
            assert other.begun.wait(BOUND)
            parked._free_executors()
            assert end.call_count == 1
            other.gate.set()
            assert waiting.result(BOUND) == []
    record.gate.set()
    thread.join(BOUND)
