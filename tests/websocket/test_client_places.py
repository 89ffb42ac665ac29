"""websocket_connect with our server and Tornado's: TLS, resolvers, other threads."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import write_certificate
from tests.httpclient_peer import BOUND, run
from tests.httpserver.running import running
from tests.websocket.echoes import MOST, OURS, Echoes, serving_tornado
from wsgitornado.httpclient import HTTPRequest
from wsgitornado.ioloop import IOLoop
from wsgitornado.netutil import OverrideResolver, Resolver
from wsgitornado.websocket import WebSocketClientConnection, websocket_connect


async def converse(connection: WebSocketClientConnection) -> None:
    for message in ("né", b"\x00\xff", "", "a" * MOST):
        await connection.write_message(message, binary=isinstance(message, bytes))
        assert await connection.read_message() == message
    await connection.write_message("close 4000 bye")
    assert await connection.read_message() is None
    assert (connection.close_code, connection.close_reason) == (4000, "bye")


@pytest.mark.parametrize("compression", [None, {}, {"compression_level": 1}])
def test_client_speaks_with_the_server_of_tornado(
    compression: dict[str, Any] | None,
) -> None:
    async def main() -> None:
        address = f"ws://127.0.0.1:{site.port}/deflate"
        connection = await websocket_connect(
            address, compression_options=compression, subprotocols=["second"]
        )
        assert connection.selected_subprotocol == "second"
        await converse(connection)

    with serving_tornado() as site:
        run(main)
        # The answer to a close frame has its code (RFC 6455 section 5.5.1).
        assert site.wait_for_end()[-1] == ("close", 4000, None)


def test_client_speaks_tls_with_our_server(tmp_path: Path) -> None:
    files = write_certificate(tmp_path)

    async def main() -> None:
        async def connect(**arguments: Any) -> WebSocketClientConnection:
            request = HTTPRequest(f"wss://localhost:{port}/deflate", **arguments)
            return await websocket_connect(
                request, resolver=resolver, compression_options={}
            )

        mapping = {"localhost": "127.0.0.1"}
        resolver = OverrideResolver(Resolver(), mapping)
        await converse(await connect(ca_certs=files["certfile"]))
        await converse(await connect(validate_cert=False))
        with pytest.raises(OSError, match="certificate verify failed"):
            await connect()

    site = Echoes(OURS)
    with running(site.app, ssl_options=files) as served:
        port = served.port
        run(main)


def test_next_address_of_a_host_is_tried() -> None:
    class Several(Resolver):
        @classmethod
        def configurable_default(cls) -> Any:
            return Several

        async def resolve(self, host: str, port: int, family: int = 0) -> Any:
            assert host == "chat.example"
            return [(2, ("127.0.0.2", 1)), (2, ("127.0.0.1", port))]

    async def main() -> None:
        address = f"ws://chat.example:{site.port}/"
        await converse(await websocket_connect(address, resolver=Several()))

    with serving_tornado() as site:
        run(main)


def test_interface_and_kind_of_address_may_be_chosen() -> None:
    async def main() -> None:
        request = HTTPRequest(
            f"ws://localhost:{site.port}/",
            network_interface="127.0.0.1",
            allow_ipv6=False,
        )
        await converse(await websocket_connect(request))

    with serving_tornado() as site:
        run(main)


def test_other_thread_may_ask_for_a_connection() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        found: asyncio.Future[Any] = loop.create_future()

        def ask() -> None:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(IOLoop, "current", lambda: here)
                future = websocket_connect(f"ws://127.0.0.1:{site.port}/")
            loop.call_soon_threadsafe(found.set_result, future)

        here = IOLoop.current()
        thread = threading.Thread(target=ask)
        thread.start()
        await converse(await (await asyncio.wait_for(found, BOUND)))
        thread.join()

    with serving_tornado() as site:
        run(main)
