"""JSON that a client has sent: what counts as such, and reading it safely."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NoReturn

from wsgitornado.web.errors import HTTPError

__all__ = ["check_kind", "decode_json", "is_json"]

_TOO_DEEP: Final = "Invalid JSON body: nested too deeply"

# RFC 8259 section 11, and the suffix of RFC 6839 section 3.1.
_JSON_TYPE = re.compile(r"application/(?:[!#$&^_.+a-z0-9-]+\+)?json")

#: How many arrays and objects may be inside each other: more than anybody means, and
#: few enough for code that goes through them by calling itself.
_MOST_DEPTH: Final = 100

#: What a handler may ask for, and how it is called in JSON.
_KINDS: Final[dict[type, str]] = {dict: "an object", list: "an array"}


def is_json(content_type: str) -> bool:
    """Whether a Content-Type says that the body is JSON.

    >>> is_json("application/json; charset=utf-8"), is_json("application/hal+json")
    (True, True)
    >>> is_json("text/plain")
    False

    Parameters do not matter: JSON is UTF-8, whatever they say.
    """
    media_type = content_type.partition(";")[0]
    return _JSON_TYPE.fullmatch(media_type.strip().lower()) is not None


def decode_json(body: bytes) -> Any:
    """The value of a JSON text in UTF-8, as strict as RFC 8259.

    Of two members of an object with one name the last counts, as everywhere in Python.
    A byte order mark is passed over (section 8.1).

    :raises HTTPError: 400 for all that is no such text, for ``NaN`` and ``Infinity``,
        numbers beyond the range of a float, integers of more digits than Python reads,
        halves of surrogate pairs, and for more than 100 levels of nesting.
    """
    try:
        text = body.decode("utf-8-sig")
        value = _DECODER.decode(text)
        if "\\ud" in text or "\\uD" in text:
            # Half of a pair could not be sent on as UTF-8 by anybody.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeError:
        raise HTTPError(400, "Invalid JSON body: it is not UTF-8") from None
    except ValueError as error:
        raise HTTPError(400, "Invalid JSON body: %s", error) from None
    except RecursionError:
        raise HTTPError(400, _TOO_DEEP) from None
    if text.count("[") + text.count("{") > _MOST_DEPTH and _is_deep(value):
        raise HTTPError(400, _TOO_DEEP)
    return value


def check_kind(value: Any, kind: type | None) -> None:
    """Refuse a value of another kind than the handler asks for.

    :param kind: dict, list, or None for any value.
    :raises HTTPError: 400.
    :raises TypeError: for any other kind.
    """
    if kind is None:
        return
    if kind not in _KINDS:
        raise TypeError(f"get_json() takes dict, list or nothing, not {kind!r}")
    if type(value) is not kind:
        raise HTTPError(400, "Invalid JSON body: it is not %s", _KINDS[kind])


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_MOST_DEPTH):
        level = [
            child
            for node in level
            for child in (node.values() if type(node) is dict else node)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return False
    return True


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _finite_float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError("a number is out of range")
    return value


_DECODER: Final = json.JSONDecoder(
    parse_constant=_refuse_constant, parse_float=_finite_float
)
