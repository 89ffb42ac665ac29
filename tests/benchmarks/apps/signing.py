"""A timed HMAC-SHA256, for programs whose framework signs no cookies."""

from __future__ import annotations

import base64
import hmac
import time

from tests.benchmarks.cases import COOKIE_SECRET

__all__ = ["sign", "unsign"]

_KEY = COOKIE_SECRET.encode()
_MAX_AGE = 31 * 86400


def sign(name: str, value: str) -> str:
    """The value with the time and a signature over the name and both."""
    encoded = base64.urlsafe_b64encode(value.encode()).decode()
    payload = f"{encoded}|{int(time.time())}"
    return f"{payload}|{_signature(name, payload)}"


def unsign(name: str, signed: str) -> str | None:
    """The value, or None if it is not what :func:`sign` made for that name."""
    payload, _, signature = signed.rpartition("|")
    if not hmac.compare_digest(signature, _signature(name, payload)):
        return None
    encoded, _, timestamp = payload.partition("|")
    if int(timestamp) < time.time() - _MAX_AGE:
        return None
    return base64.urlsafe_b64decode(encoded).decode()


def _signature(name: str, payload: str) -> str:
    return hmac.digest(_KEY, f"{name}|{payload}".encode(), "sha256").hex()
