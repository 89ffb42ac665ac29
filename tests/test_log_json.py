"""``json_access_log``: one object of JSON for each request."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support import call
from wsgitornado.log import access_log, json_access_log
from wsgitornado.web import Application, RequestHandler


class Status(RequestHandler):
    def get(self, status: str) -> None:
        if status == "id":
            self.request.request_id = "an id"
            status = "200"
        self.set_status(int(status))


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[logging.LogRecord]]:
    handler = _Kept()
    monkeypatch.setattr(access_log, "level", logging.INFO)
    access_log.manager._clear_cache()  # type: ignore[attr-defined]  # of levels
    access_log.addHandler(handler)
    yield handler.records
    access_log.removeHandler(handler)
    access_log.manager._clear_cache()  # type: ignore[attr-defined]  # of levels


def ask(target: str, **settings: Any) -> None:
    rules = [(r"/(\w+)", Status)]
    call(Application(rules, log_function=json_access_log, **settings), target)


def test_line_has_what_is_known_of_the_request(
    records: list[logging.LogRecord],
) -> None:
    ask("/200?secret=1")
    (record,) = records
    found = json.loads(record.getMessage())
    time = datetime.fromisoformat(found.pop("time"))
    assert abs(datetime.now(UTC) - time) < timedelta(minutes=10)
    assert found.pop("duration_ms") >= 0
    assert found == {
        "method": "GET",
        "path": "/200",
        "status": 200,
        "remote_ip": "127.0.0.1",
        "handler": f"{__name__}.Status",
    }


def test_request_id_is_there_if_the_request_has_one(
    records: list[logging.LogRecord],
) -> None:
    ask("/id")
    assert json.loads(records[0].getMessage())["request_id"] == "an id"


@pytest.mark.parametrize(
    ("target", "level"),
    [
        ("/399", "INFO"),
        ("/400", "WARNING"),
        ("/499", "WARNING"),
        ("/500", "ERROR"),
    ],
)
def test_level_follows_the_status(
    target: str, level: str, records: list[logging.LogRecord]
) -> None:
    ask(target)
    assert [record.levelname for record in records] == [level]


def test_path_cannot_end_the_line(records: list[logging.LogRecord]) -> None:
    ask("/%0a%1b%e2%80%a8")
    line = records[0].getMessage()
    assert line.isascii()
    assert line.isprintable()


def test_log_that_is_off_gets_none(
    records: list[logging.LogRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_log, "level", logging.CRITICAL + 1)
    access_log.manager._clear_cache()  # type: ignore[attr-defined]  # of levels
    ask("/200")
    assert records == []
