"""The example that says whether a program lives and is ready."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from examples.health import make_app
from tests.support import call


def test_program_is_live_and_ready() -> None:
    app = make_app()
    for target, status in ("/live", "live"), ("/ready", "ready"):
        answer = call(app, target)
        assert answer.status_code == 200
        assert answer.text == f'{{"status": "{status}"}}'
        assert answer.headers["Cache-Control"] == "no-store"


def test_program_is_live_but_not_ready_while_it_ends() -> None:
    app = make_app()
    app.begin_drain()
    assert call(app, "/live").status_code == 200
    answer = call(app, "/ready")
    assert (answer.status_code, answer.text) == (503, '{"status": "draining"}')


def test_program_without_its_database_is_not_ready(tmp_path: Path) -> None:
    app = make_app(str(tmp_path / "missing" / "database"))
    assert call(app, "/live").status_code == 200
    answer = call(app, "/ready")
    assert (answer.status_code, answer.text) == (503, '{"status": "no database"}')
    assert str(tmp_path) not in answer.text


@pytest.mark.parametrize("target", ["/live", "/ready"])
def test_probe_writes_no_line(caplog: pytest.LogCaptureFixture, target: str) -> None:
    with caplog.at_level(logging.INFO, "wsgitornado.access"):
        call(make_app(), target)
    assert caplog.messages == []
