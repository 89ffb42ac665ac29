"""A chat room: long polls, event streams and WebSockets, side by side.

Run it on the event loop, with the extra ``websocket``, and open the address that it
prints in two windows::

    python -m examples.chat

or serve it with any WSGI server, in one process that has threads enough::

    gunicorn -k wsgitornado.httpserver.GunicornWorker examples.chat:app
    gunicorn -k gthread --threads 50 examples.chat:app
    python -m wsgitornado serve examples.chat:app --threads 50

or with several processes, on one machine or many, that share a Redis::

    export BROKER_URL=redis://127.0.0.1:6379/0
    gunicorn -w 4 -k wsgitornado.httpserver.GunicornWorker examples.chat:app

The last of the servers above has no WebSockets. ``nginx.conf`` beside this file shows
two machines behind one address; they need the same CHAT_SECRET, a long text of chance.

What was said last, and the key of the cookies, are kept below the current folder in
``chat-data``; the environment variable CHAT_DATA names another folder.
"""

from __future__ import annotations

from examples.chat.application import app, make_app

__all__ = ["app", "make_app"]
