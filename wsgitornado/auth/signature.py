"""The signatures of OAuth 1.0: RFC 5849 section 3.4."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlsplit

__all__ = ["base_string", "escape", "sign", "sign_as_1_0"]

_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


def escape(value: object) -> str:
    """Percent-encode all but letters, digits and ``-._~`` (section 3.6)."""
    return quote(value if isinstance(value, bytes) else str(value), safe="")


def base_string(method: str, url: str, parameters: Mapping[str, object]) -> str:
    """The text that is signed (section 3.4.1).

    :param url: the parameters in its query are signed, too; programs that give those
        among *parameters* as well mean the same ones.
    """
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    host = parts.netloc.rpartition("@")[2].lower()
    host = host.removesuffix(_DEFAULT_PORTS.get(scheme, ""))
    address = f"{scheme}://{host}{parts.path or '/'}"
    given = {(escape(name), escape(value)) for name, value in parameters.items()}
    queried = [
        (escape(name), escape(value))
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    ]
    pairs = [*given, *(pair for pair in queried if pair not in given)]
    normalized = "&".join(f"{name}={value}" for name, value in sorted(pairs))
    return "&".join([method.upper(), escape(address), escape(normalized)])


def sign(
    consumer_token: Mapping[str, Any],
    method: str,
    url: str,
    parameters: Mapping[str, Any] = {},
    token: Mapping[str, Any] | None = None,
) -> bytes:
    """The HMAC-SHA1 signature of a request (section 3.4.2), in base 64."""
    key = (
        f"{escape(consumer_token['secret'])}&{escape(token['secret']) if token else ''}"
    )
    return _hmac_sha1(key, base_string(method, url, parameters))


def sign_as_1_0(
    consumer_token: Mapping[str, Any],
    method: str,
    url: str,
    parameters: Mapping[str, Any] = {},
    token: Mapping[str, Any] | None = None,
) -> bytes:
    """The same with secrets that are not encoded: of providers before OAuth 1.0a."""
    key = f"{consumer_token['secret']}&{token['secret'] if token else ''}"
    return _hmac_sha1(key, base_string(method, url, parameters))


def _hmac_sha1(key: str, text: str) -> bytes:
    digest = hmac.digest(key.encode(), text.encode("ascii"), hashlib.sha1)
    return base64.b64encode(digest)
