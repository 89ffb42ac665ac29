"""Says what to use in place of tornado.platform: importing it fails."""

from __future__ import annotations

from wsgitornado._absent import refuse

refuse(__name__)
