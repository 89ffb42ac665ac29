"""``python -m examples.dashboard``: a server that shows what it does."""

from __future__ import annotations

import argparse
import contextlib
import sys

from examples.dashboard import Sampler, make_app
from wsgitornado.ioloop import IOLoop


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.dashboard")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8888, help="0 for one that is free")
    options = parser.parse_args()
    app = make_app()
    server = app.listen(options.port, options.host)
    for sock in server.sockets:
        host, port = sock.getsockname()[:2]
        print(f"listening on http://{host}:{port}", file=sys.stderr, flush=True)
    Sampler(server, app.settings["broker"]).start()
    with contextlib.suppress(KeyboardInterrupt):
        IOLoop.current().start()


if __name__ == "__main__":
    main()
