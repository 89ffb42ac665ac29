"""Programs that fork, for tests: each in a process of its own."""

from __future__ import annotations

import os
import textwrap

import pytest

from tests.loops import run_program

__all__ = ["LOGGING", "START", "needs_fork", "run"]

needs_fork = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="this machine cannot fork"
)

START = """
import logging, os, signal, sys, threading, time
from wsgitornado.process import cpu_count, fork_processes, task_id

def say(*words):
    # In one piece, and at once.
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

logging.disable()
"""

LOGGING = """
class Lines(logging.Handler):
    def emit(self, record):
        say(record.levelname, record.getMessage())

logging.disable(logging.NOTSET)
logging.getLogger("wsgitornado").addHandler(Lines())
logging.getLogger("wsgitornado").setLevel("INFO")
"""


def run(text: str) -> list[str]:
    """Run a program; its lines, sorted."""
    done = run_program(START + textwrap.dedent(text))
    assert done.stderr == ""
    assert done.returncode == 0
    return sorted(done.stdout.splitlines())
