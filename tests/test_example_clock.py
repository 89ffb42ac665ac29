"""The example that shows the time."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from examples import clock
from tests.support import call, make_environ, settle_loop
from wsgitornado import parking


def test_page_listens_to_the_ticks_below_its_prefix() -> None:
    page = call(clock.app, "/", SCRIPT_NAME="/office").text
    assert 'new EventSource("/office/ticks")' in page


def test_clock_ticks_until_its_reader_leaves() -> None:
    heads: list[tuple[str, dict[str, str]]] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        heads.append((status, dict(headers)))

    application: Any = clock.make_app(seconds=0)
    before = asyncio.all_tasks(parking.background_loop())
    body = application(make_environ("/ticks"), start_response)
    ticks = ""
    while ticks.count("\n\n") < 3:
        ticks += next(body).decode()
    body.close()
    settle_loop()
    assert [status for status, _ in heads] == ["200 OK"]
    assert heads[0][1]["Content-Type"] == "text/event-stream"
    assert re.fullmatch(r"(data: \d\d:\d\d:\d\d\n\n){3}", ticks)
    assert asyncio.all_tasks(parking.background_loop()) <= before
