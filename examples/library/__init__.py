"""A lending library: pages in three languages, members, loans and reviews.

Serve it and open the address that it prints::

    python -m examples.library

or, as any other WSGI application::

    python -m wsgitornado serve examples.library:app

Everything is kept in one file, ``library-data/library.sqlite3`` below the current
folder; the environment variable LIBRARY_DATA names another folder. With LIBRARY_DEBUG
set to anything, what fails shows where.
"""

from __future__ import annotations

from examples.library.application import app, make_app

__all__ = ["app", "make_app"]
