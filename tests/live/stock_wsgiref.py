"""``python -m tests.live.stock_wsgiref module:app``: the library's own server."""

from __future__ import annotations

import importlib
import sys
from wsgiref.simple_server import make_server

from tests.live.client import HOST


def main() -> None:
    module, _, name = sys.argv[1].partition(":")
    application = getattr(importlib.import_module(module), name)
    with make_server(HOST, 0, application) as server:
        print(f"listening on http://{HOST}:{server.server_port}", file=sys.stderr)
        server.serve_forever()


if __name__ == "__main__":
    main()
