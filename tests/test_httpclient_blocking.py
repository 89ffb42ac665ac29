"""HTTPClient: a fetch that blocks, in threads with and without a loop elsewhere."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import threading
from typing import Any

import pytest

from tests.httpclient_peer import BOUND, OK, Peer, answer, run
from tests.loops import run_program
from wsgitornado.httpclient import AsyncHTTPClient, HTTPClient, HTTPError, HTTPRequest

pytest.importorskip("httpx")


def test_fetch_blocks_until_the_response() -> None:
    client = HTTPClient()
    with Peer(OK, answer(b"404 No", b"")) as peer:
        assert client.fetch(peer.url()).body == b"hi"
        with pytest.raises(HTTPError, match="HTTP 404: No"):
            client.fetch(HTTPRequest(peer.url()))
    client.close()


def test_arguments_are_those_of_the_client_and_the_request() -> None:
    client = HTTPClient(defaults={"user_agent": "mine"})
    with Peer(OK) as peer:
        client.fetch(peer.url(), method="PUT", body="x")
    client.close()
    assert peer.seen[0].startswith("PUT ")
    assert "|User-Agent: mine|" in peer.seen[0]


def test_name_is_looked_up_in_a_thread_that_ends_with_the_client() -> None:
    before = threading.active_count()
    client = HTTPClient()
    with Peer(OK) as peer:
        client.fetch(peer.url().replace("127.0.0.1", "localhost"))
    client.close()
    assert threading.active_count() == before


def test_closed_client_refuses() -> None:
    client = HTTPClient()
    client.close()
    client.close()
    with pytest.raises(RuntimeError, match="closed HTTPClient"):
        client.fetch("http://localhost/")


def test_client_that_is_forgotten_closes_itself() -> None:
    client: Any = HTTPClient()
    loop = client._runner.get_loop()
    del client
    gc.collect()
    assert loop.is_closed()


def test_loop_of_the_client_is_nobody_elses() -> None:
    done = run_program(
        """
        from wsgitornado.httpclient import HTTPClient
        from wsgitornado.ioloop import IOLoop

        client = HTTPClient()
        home = IOLoop.current()
        print(home is client._async_client.io_loop)
        client.close()
        print(IOLoop.current() is home)
        home.add_callback(home.stop)
        home.start()
        """,
        "-W",
        "error",
    )
    assert (done.stdout, done.stderr) == ("False\nTrue\n", "")


def test_client_in_a_thread_with_a_loop_is_refused() -> None:
    client = HTTPClient()

    async def main() -> None:
        with pytest.raises(RuntimeError, match="use AsyncHTTPClient"):
            HTTPClient()
        with pytest.raises(RuntimeError, match="use AsyncHTTPClient"):
            client.fetch("http://localhost/")
        client.close()

    run(main)
    assert client._async_client._closed


def test_client_works_in_a_thread_beside_a_loop() -> None:
    def fetch(url: str) -> bytes:
        client = HTTPClient()
        try:
            return client.fetch(url).body
        finally:
            client.close()

    async def main(url: str) -> bytes:
        return await asyncio.wait_for(asyncio.to_thread(fetch, url), BOUND)

    with Peer(OK) as peer:
        assert run(lambda: main(peer.url())) == b"hi"


def test_client_that_is_never_closed_ends_with_the_program() -> None:
    with Peer(OK) as peer:
        done = run_program(
            f"""
            from wsgitornado.httpclient import HTTPClient

            client = HTTPClient()
            print(client.fetch("http://localhost:{peer.port}/").body)
            """,
            "-W",
            "error",
        )
    assert (done.stdout, done.stderr) == ("b'hi'\n", "")


def test_threads_that_share_a_client_take_turns() -> None:
    client = HTTPClient()
    with (
        Peer(*[OK] * 8) as peer,
        concurrent.futures.ThreadPoolExecutor(4) as pool,
    ):
        fetches = [pool.submit(client.fetch, peer.url()) for _ in range(8)]
        assert [each.result(BOUND).body for each in fetches] == [b"hi"] * 8
    client.close()


def test_client_that_cannot_be_made_leaves_nothing_behind() -> None:
    class Broken(AsyncHTTPClient):
        def initialize(self, **arguments: Any) -> None:
            raise LookupError("no")

    with pytest.raises(LookupError, match="no"):
        HTTPClient(Broken)
    gc.collect()
