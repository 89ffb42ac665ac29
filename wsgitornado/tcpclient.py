"""Says what to use in place of tornado.tcpclient: importing it fails."""

from __future__ import annotations

from wsgitornado._absent import refuse

refuse(__name__)
