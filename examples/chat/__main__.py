"""``python -m examples.chat``: the room on the event loop of this process."""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys

from examples.chat.application import find_broker, make_app
from wsgitornado.ioloop import IOLoop


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.chat")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8888, help="0 for one that is free")
    parser.add_argument(
        "--broker",
        default=find_broker(),
        metavar="URL",
        help="redis://HOST:PORT/DATABASE for a room of several processes",
    )
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    server = make_app(broker=options.broker).listen(options.port, options.host)
    for sock in server.sockets:
        host, port = sock.getsockname()[:2]
        print(f"listening on http://{host}:{port}", file=sys.stderr, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        IOLoop.current().start()


if __name__ == "__main__":
    main()
