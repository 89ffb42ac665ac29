"""AsyncHTTPClient: one for each loop, its fetches, defaults, callbacks and end."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.httpclient_peer import BOUND, OK, Peer, Silence, answer, run
from tests.httpserver.running import Running, running
from tests.loops import no_loop_yet, run_program
from wsgitornado import httpclient, simple_httpclient
from wsgitornado.httpclient import (
    AsyncHTTPClient,
    HTTPClientError,
    HTTPError,
    HTTPRequest,
    HTTPResponse,
)
from wsgitornado.httputil import HTTPHeaders
from wsgitornado.ioloop import IOLoop
from wsgitornado.simple_httpclient import (
    HTTPStreamClosedError,
    HTTPTimeoutError,
    SimpleAsyncHTTPClient,
)
from wsgitornado.web import Application, RequestHandler

pytest.importorskip("httpx")


class Echo(RequestHandler):
    def get(self) -> None:
        self.write({"query": self.get_query_argument("q", "")})

    def post(self) -> None:
        self.set_status(201)
        self.set_header("X-Type", self.request.headers["Content-Type"])
        self.write(self.request.body)


@pytest.fixture
def site() -> Iterator[Running]:
    with running(Application([("/", Echo)])) as server:
        yield server


def fetch(url: str, **arguments: Any) -> HTTPResponse:
    async def main() -> HTTPResponse:
        return await AsyncHTTPClient().fetch(url, **arguments)

    return run(main)


# Against our own server


def test_response_is_that_of_the_handler(site: Running) -> None:
    response = fetch(f"http://127.0.0.1:{site.port}/?q=a%20b")
    assert (response.code, response.reason) == (200, "OK")
    assert response.body == b'{"query": "a b"}'
    assert response.headers["content-type"] == "application/json; charset=UTF-8"
    assert isinstance(response.headers, HTTPHeaders)
    assert isinstance(response.buffer, io.BytesIO)
    assert response.buffer.read(2) == b'{"'
    assert response.error is None
    assert response.time_info == {}
    assert response.request_time is not None
    assert response.start_time is not None
    response.rethrow()


@pytest.mark.parametrize("size", [0, 1, 200_000])
def test_body_arrives_whole(site: Running, size: int) -> None:
    body = b"x" * size
    response = fetch(f"http://127.0.0.1:{site.port}/", method="POST", body=body)
    assert (response.code, response.body) == (201, body)
    assert response.headers["X-Type"] == "application/x-www-form-urlencoded"


def test_produced_body_arrives_whole(site: Running) -> None:
    async def produce(write: Any) -> None:
        for _ in range(20):
            await write(b"x" * 10_000)

    url = f"http://127.0.0.1:{site.port}/"
    response = fetch(url, method="POST", body_producer=produce)
    assert response.body == b"x" * 200_000


def test_many_fetches_at_once_are_all_answered(site: Running) -> None:
    async def main() -> list[bytes]:
        client = AsyncHTTPClient(force_instance=True, max_clients=3)
        url = f"http://127.0.0.1:{site.port}/"
        fetches = [
            client.fetch(url, method="POST", body=str(number)) for number in range(12)
        ]
        return [(await each).body for each in fetches]

    assert run(main) == [str(number).encode() for number in range(12)]


# Errors


def test_error_has_the_response(site: Running) -> None:
    with pytest.raises(HTTPClientError) as caught:
        fetch(f"http://127.0.0.1:{site.port}/nowhere")
    error = caught.value
    assert (error.code, error.message) == (404, "Not Found")
    assert str(error) == repr(error) == "HTTP 404: Not Found"
    assert error.response is not None
    assert error.response.error is error
    assert b"404" in error.response.body


def test_error_is_not_raised_when_not_wanted(site: Running) -> None:
    response = fetch(f"http://127.0.0.1:{site.port}/nowhere", raise_error=False)
    assert response.code == 404
    with pytest.raises(HTTPClientError):
        response.rethrow()


def test_refused_connection_is_the_error_of_the_system() -> None:
    with Peer() as peer:
        url = peer.url()
    with pytest.raises(ConnectionRefusedError):
        fetch(url, raise_error=False)
    with pytest.raises(ConnectionRefusedError):
        # Of two addresses, IPv6 and IPv4.
        fetch(url.replace("127.0.0.1", "localhost"))


def test_names_of_errors() -> None:
    assert HTTPError is HTTPClientError
    assert issubclass(HTTPTimeoutError, HTTPError)
    assert issubclass(HTTPStreamClosedError, HTTPError)
    assert simple_httpclient.HTTPError is HTTPError
    assert HTTPClientError(404).message == "Not Found"
    assert HTTPClientError(777).message == "Unknown"
    for kind in (HTTPTimeoutError, HTTPStreamClosedError):
        assert (kind("Gone").code, str(kind("Gone"))) == (599, "Gone")


# Requests and responses


def test_request_given_is_that_of_the_response() -> None:
    with Peer(OK) as peer:
        request = HTTPRequest(peer.url(), headers={"X-A": "b"})

        async def main() -> HTTPResponse:
            return await AsyncHTTPClient().fetch(request)

        response = run(main)
    assert response.request is request
    assert request.headers == {"X-A": "b"}
    assert request.connect_timeout is None


def test_arguments_beside_a_request_are_refused() -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="kwargs can't be used"):
            AsyncHTTPClient().fetch(HTTPRequest("http://localhost/"), method="POST")

    run(main)


def test_request_has_what_it_was_given() -> None:
    request = HTTPRequest("http://localhost/", body="h\xe9", headers=None)
    assert request.body == b"h\xc3\xa9"
    assert isinstance(request.headers, HTTPHeaders)
    request.body = None
    assert request.body is None
    assert request.decompress_response is None
    assert HTTPRequest("http://localhost/", use_gzip=False).decompress_response is False


def test_response_shows_its_fields() -> None:
    request = HTTPRequest("http://localhost/")
    response = HTTPResponse(request, 200)
    assert response.effective_url == "http://localhost/"
    assert response.body == b""
    assert repr(response).startswith(
        "HTTPResponse(_error_is_response_code=False,buffer="
    )
    assert "code=200,effective_url='http://localhost/',error=None" in repr(response)


# One client for each loop


def test_client_is_the_same_on_a_loop_and_another_on_the_next() -> None:
    async def main() -> list[AsyncHTTPClient]:
        first = AsyncHTTPClient()
        assert AsyncHTTPClient(max_clients=3) is first
        assert AsyncHTTPClient(force_instance=True) is not first
        assert type(first) is SimpleAsyncHTTPClient
        assert first.io_loop is IOLoop.current()
        first.close()
        first.close()
        assert AsyncHTTPClient() is not first
        with pytest.raises(RuntimeError, match="closed"):
            first.fetch("http://localhost/")
        return [AsyncHTTPClient()]

    assert run(main)[0] is not None


def test_subclass_has_instances_of_its_own() -> None:
    class Other(SimpleAsyncHTTPClient):
        pass

    async def main() -> None:
        assert type(Other()) is Other
        assert Other() is Other()
        assert type(AsyncHTTPClient()) is SimpleAsyncHTTPClient

    run(main)


def test_fetch_from_another_thread_is_done_on_the_loop() -> None:
    async def main() -> bytes:
        client = AsyncHTTPClient()
        with Peer(OK) as peer:
            future = await asyncio.to_thread(client.fetch, peer.url())
            return (await future).body

    assert run(main) == b"hi"


def test_defaults_are_for_what_is_not_said() -> None:
    async def main(url: str) -> None:
        defaults = {"user_agent": "mine", "auth_username": "u", "method": "POST"}
        client = AsyncHTTPClient(force_instance=True, defaults=defaults)
        await client.fetch(url, auth_username="v")

    with Peer(OK) as peer:
        run(lambda: main(peer.url()))
    assert peer.seen[0].startswith("GET ")
    assert "|User-Agent: mine|" in peer.seen[0]
    assert "|Authorization: Basic djo=|" in peer.seen[0]


@pytest.fixture
def configuration() -> Iterator[None]:
    saved = AsyncHTTPClient._save_configuration()
    yield
    AsyncHTTPClient._restore_configuration(saved)


@pytest.mark.usefixtures("configuration")
@pytest.mark.parametrize(
    "name",
    [
        None,
        "tornado.curl_httpclient.CurlAsyncHTTPClient",
        "tornado.simple_httpclient.SimpleAsyncHTTPClient",
        "wsgitornado.simple_httpclient.SimpleAsyncHTTPClient",
    ],
)
def test_tornados_clients_are_ours(name: str | None) -> None:
    async def main() -> None:
        AsyncHTTPClient.configure(name, max_clients=7, defaults={"user_agent": "x"})
        client = AsyncHTTPClient()
        assert type(client) is SimpleAsyncHTTPClient
        assert client.max_clients == 7
        assert client.defaults["user_agent"] == "x"

    run(main)


class Canned(AsyncHTTPClient):
    """As programs write it for their tests."""

    def initialize(self, defaults: dict[str, Any] | None = None) -> None:
        super()._begin(defaults)

    def fetch_impl(self, request: HTTPRequest, callback: Any) -> None:
        callback(HTTPResponse(request, 200, buffer=io.BytesIO(request.url.encode())))


@pytest.mark.usefixtures("configuration")
def test_client_of_the_program_is_used() -> None:
    async def main() -> bytes:
        AsyncHTTPClient.configure(Canned)
        return (await AsyncHTTPClient().fetch("canned")).body

    assert run(main) == b"canned"


def test_client_without_fetch_impl_says_so() -> None:
    class Empty(AsyncHTTPClient):
        pass

    async def main() -> None:
        with pytest.raises(NotImplementedError, match="Empty must define fetch_impl"):
            Empty().fetch("http://localhost/")

    run(main)


# Callbacks of old programs


@pytest.mark.parametrize("is_positional", [True, False])
@pytest.mark.parametrize("code", [200, 404])
def test_callback_gets_the_response(code: int, is_positional: bool) -> None:
    async def main(url: str) -> HTTPResponse:
        got: asyncio.Future[HTTPResponse] = asyncio.Future()
        client = AsyncHTTPClient()
        if is_positional:
            client.fetch(url, got.set_result)
        else:
            client.fetch(url, callback=got.set_result)
        return await got

    with Peer(answer(b"%d X" % code, b"hi")) as peer:
        response = run(lambda: main(peer.url()))
    assert (response.code, response.body) == (code, b"hi")
    assert (response.error is None) is (code == 200)


def test_callback_gets_a_response_599_when_there_is_none() -> None:
    async def main(url: str) -> HTTPResponse:
        got: asyncio.Future[HTTPResponse] = asyncio.Future()
        AsyncHTTPClient().fetch(url, got.set_result)
        return await got

    with Peer(b"") as peer:
        response = run(lambda: main(peer.url()))
    assert response.code == 599
    assert isinstance(response.error, HTTPStreamClosedError)


def test_callback_is_not_called_when_the_fetch_is_cancelled() -> None:
    called: list[HTTPResponse] = []

    async def main(peer: Peer) -> None:
        future = AsyncHTTPClient().fetch(peer.url(), called.append)
        future.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    with Peer() as peer:
        run(lambda: main(peer))
    assert (called, peer.seen) == ([], [])


def test_fetch_that_is_cancelled_before_the_loop_runs_never_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with no_loop_yet(monkeypatch), Peer(OK) as peer:
        client = AsyncHTTPClient()
        responses: list[HTTPResponse] = []

        def end(response: HTTPResponse) -> None:
            responses.append(response)
            client.io_loop.stop()

        first = client.fetch(peer.url("/first"))
        client.fetch(peer.url("/second"), end)
        first.cancel()
        client.io_loop.start()
    assert first.cancelled()
    assert [response.body for response in responses] == [b"hi"]
    assert peer.seen[0].startswith("GET /second ")


# Ends


def test_cancelled_fetch_closes_its_connection() -> None:
    silence = Silence()

    async def main(url: str) -> None:
        future = AsyncHTTPClient().fetch(url)
        assert await asyncio.to_thread(silence.is_asked.wait, BOUND)
        future.cancel()
        assert await asyncio.to_thread(silence.is_over.wait, BOUND)

    with Peer(silence) as peer:
        run(lambda: main(peer.url()))


def test_closed_client_ends_its_fetches() -> None:
    silence = Silence()

    async def main(url: str) -> None:
        client = AsyncHTTPClient(force_instance=True, max_clients=1)
        futures = [client.fetch(url), client.fetch(url)]
        assert await asyncio.to_thread(silence.is_asked.wait, BOUND)
        # One is under way, one waits for its turn, one has not begun.
        futures.append(client.fetch(url))
        client.close()
        for future in futures:
            with pytest.raises(HTTPStreamClosedError, match="Connection closed"):
                await future

    with Peer(silence) as peer:
        run(lambda: main(peer.url()))
    assert len(peer.seen) == 1


def test_end_of_the_loop_ends_its_fetches() -> None:
    silence = Silence()

    async def main(url: str) -> asyncio.Future[HTTPResponse]:
        future = AsyncHTTPClient().fetch(url)
        assert await asyncio.to_thread(silence.is_asked.wait, BOUND)
        return future

    with Peer(silence) as peer:
        assert asyncio.run(main(peer.url())).cancelled()
        assert silence.is_over.wait(BOUND)


def test_fetch_that_waits_too_long_for_its_turn_times_out() -> None:
    async def main(url: str) -> None:
        client = SimpleAsyncHTTPClient(force_instance=True, max_clients=1)
        first = client.fetch(url, request_timeout=0)
        with pytest.raises(HTTPTimeoutError, match="Timeout in request queue"):
            await client.fetch(url, connect_timeout=0.05)
        first.cancel()
        # The task behind it ends, and takes its connection with it.
        await asyncio.gather(*client._tasks, return_exceptions=True)

    with Peer(Silence()) as peer:
        run(lambda: main(peer.url()))


# Without httpx


def test_module_is_imported_without_httpx_and_names_the_extra() -> None:
    done = run_program(
        """
        import sys
        sys.modules["httpx"] = None
        import asyncio
        from wsgitornado.httpclient import AsyncHTTPClient, HTTPClient, HTTPRequest

        async def main():
            AsyncHTTPClient()

        for use in (lambda: asyncio.run(main()), HTTPClient):
            try:
                use()
            except ModuleNotFoundError as error:
                print(error.name, error)
        """,
        "-W",
        "error",
    )
    line = "httpx httpx is not installed: pip install 'wsgitornado[httpclient]'\n"
    assert (done.stdout, done.stderr) == (line * 2, "")


@pytest.mark.parametrize("missing", ["httpx", "h11"])
def test_missing_module_is_the_one_that_is_named(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("exchange", "upload"):
        monkeypatch.delitem(sys.modules, f"wsgitornado.httpclient.{name}", False)
    monkeypatch.setitem(sys.modules, missing, None)

    async def main() -> None:
        with pytest.raises(ModuleNotFoundError) as caught:
            AsyncHTTPClient()
        assert caught.value.name == missing
        assert ("[httpclient]" in str(caught.value)) is (missing == "httpx")

    run(main)


def test_importing_the_module_does_not_load_httpx() -> None:
    done = run_program(
        """
        import sys
        import wsgitornado.httpclient
        print("httpx" in sys.modules)
        """
    )
    assert done.stdout == "False\n"


def test_public_names_say_where_they_are_imported_from() -> None:
    for module in (httpclient, simple_httpclient):
        for name in module.__all__:
            assert getattr(module, name).__module__.startswith("wsgitornado.")
    assert SimpleAsyncHTTPClient.__module__ == "wsgitornado.simple_httpclient"
    assert AsyncHTTPClient.__module__ == "wsgitornado.httpclient"
