"""Guards around every test: no log line that was not announced, no thread left."""

from __future__ import annotations

import gc
import logging
import os
import signal
import threading
from collections.abc import Generator, Iterator

import hypothesis
import pytest

from wsgitornado import parking

#: For one more Python: what hypothesis finds it finds on the first.
hypothesis.settings.register_profile("brief", max_examples=20)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell ignores it for what it starts in the background, and all programs that we
    # start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


class _Unannounced(logging.Handler):
    """Collects the records that no ``ExpectLog`` has taken."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        # The access log says only what the answer, which the test looks at, says too.
        if record.name != "wsgitornado.access":
            self.records.append(record)


@pytest.fixture(autouse=True)
def every_log_line_is_announced() -> Iterator[None]:
    handler = _Unannounced()
    logger = logging.getLogger("wsgitornado")
    logger.addHandler(handler)
    yield
    logger.removeHandler(handler)
    lines = [f"{r.name}: {r.getMessage()}" for r in handler.records]
    assert not lines, "log lines that no ExpectLog announced"


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    parking.background_loop()
    before = set(threading.enumerate())
    yield
    left = [t for t in threading.enumerate() if t not in before and not t.daemon]
    for thread in left:
        thread.join(5)
    assert not [t.name for t in left if t.is_alive()], "threads left behind"


@pytest.fixture(autouse=True)
def no_signal_handler_is_left() -> Iterator[None]:
    numbers = signal.SIGTERM, signal.SIGINT, signal.SIGCHLD
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    left = [n.name for n in numbers if signal.getsignal(n) is not before[n]]
    for number, handler in before.items():
        signal.signal(number, handler)
    assert not left, "signal handlers left behind"


@pytest.fixture
def sigterm_put_back() -> Iterator[None]:
    """For what sets a handler that lasts as long as the process: ``main()``."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def pytest_collection_finish() -> None:
    """Keep the tests themselves out of every look for garbage: they are many."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """Let what is imported now, hypothesis for its report, look through them again."""
    gc.unfreeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything can be had, a test skipped for want of something has failed.

    What no package brings, a reason that begins with "this machine" says so.
    """
    report = yield
    is_excused = "this machine" in str(report.longrepr)
    if os.environ.get("WSGITORNADO_NO_SKIPS") and report.skipped and not is_excused:
        report.outcome = "failed"
    return report
