"""The measurement of a crowd over two processes, in small: that it still runs."""

from __future__ import annotations

import pytest

from tests.benchmarks.crowd import measure

pytestmark = pytest.mark.live


def test_twenty_clients_of_two_processes_get_a_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("BROKER_URL", "WAITING"):
        monkeypatch.setenv(name, "")
    sites = measure(20, 2)
    for site in sites.values():
        assert len(site.seconds) == 2
        assert sum(site.shares.values()) == 20
    assert [site.processes for site in sites.values()] == [1, 2]
