"""What a program may send, as a message of one of the two kinds."""

from __future__ import annotations

from typing import Any

from wsgitornado.escape import json_encode, utf8

__all__ = ["as_message"]


def as_message(message: Any, binary: bool) -> str | bytes:
    """A text, or bytes for a message of that kind.

    >>> as_message({"a": 1}, binary=False)
    '{"a": 1}'

    :param message: text, bytes, or a dictionary for JSON.
    :param binary: whether to send bytes; otherwise bytes are text in UTF-8.
    :raises TypeError: for anything else.
    :raises ValueError: for bytes that are no text.
    """
    if isinstance(message, dict):
        message = json_encode(message)
    if isinstance(message, str):
        return utf8(message) if binary else message
    if isinstance(message, bytes | bytearray | memoryview):
        data = bytes(message)
        return data if binary else _text_of(data)
    raise TypeError(f"a message is text, bytes or a dict, not {type(message).__name__}")


def _text_of(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            "these bytes are no text: write_message(message, binary=True) sends bytes"
        ) from error
