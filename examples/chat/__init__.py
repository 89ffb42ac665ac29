"""A chat room: long polling and server-sent events, side by side.

Run it on the event loop and open the address that it prints in two windows::

    python -m examples.chat

or serve it with any WSGI server, in one process that has threads enough::

    gunicorn -k wsgitornado.httpserver.GunicornWorker examples.chat:app
    gunicorn -k gthread --threads 50 examples.chat:app
    python -m wsgitornado serve examples.chat:app

What was said last, and the key of the cookies, are kept below the current folder in
``chat-data``; the environment variable CHAT_DATA names another folder.
"""

from __future__ import annotations

from examples.chat.application import app, make_app

__all__ = ["app", "make_app"]
