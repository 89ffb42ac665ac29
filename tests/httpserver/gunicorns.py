"""Workers of gunicorn within this process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from gunicorn.config import Config
from gunicorn.glogging import Logger

from tests.httpserver.served_program import app
from wsgitornado._types import WSGIApplication
from wsgitornado.httpserver import GunicornWorker

__all__ = ["a_worker", "make_config"]


def make_config(**settings: Any) -> Config:
    config = Config()
    for name, value in settings.items():
        config.set(name, value)
    return config


@contextlib.contextmanager
def a_worker(
    config: Config, application: WSGIApplication = app, sockets: Any = ()
) -> Iterator[GunicornWorker]:
    """As the arbiter makes it, and init_process() prepares it."""
    arbiter: Any = SimpleNamespace(wsgi=lambda: application)
    timeout: Any = config.timeout / 2
    worker = GunicornWorker(
        1, os.getppid(), list(sockets), arbiter, timeout, config, Logger(config)
    )
    pipe = os.pipe()
    os.set_blocking(pipe[0], False)
    worker.PIPE = list(pipe)  # type: ignore[misc]  # as init_process() does
    worker.load_wsgi()
    try:
        yield worker
    finally:
        worker.tmp.close()
        for end in pipe:
            os.close(end)
