"""Says what to use in place of tornado.http1connection: importing it fails."""

from __future__ import annotations

from wsgitornado._absent import refuse

refuse(__name__)
