"""A Django project and our handlers, in one process and over one database.

Serve it, make yourself an account for the admin, and open the address::

    python -m wsgitornado serve examples.django_inside:app
    python -m django createsuperuser --settings examples.django_inside.settings

The notice board at ``/`` is ours. Everything else is Django's: the admin, where notices
are written, its static files, an export that is streamed and an import by upload. The
session is shared: who has logged in at the admin is known to our handlers.

Everything is kept in ``django-inside-data`` below the current folder; the environment
variable DJANGO_INSIDE_DATA names another folder, DJANGO_INSIDE_HOSTS the hosts that it
is reached by.
"""

from __future__ import annotations

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    """Make ``app`` for those who ask: Django's own commands import this file too."""
    if name == "app":
        return importlib.import_module("examples.django_inside.application").app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
