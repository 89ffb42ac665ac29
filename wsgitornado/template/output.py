"""What the code of a template calls at run time, to bring its values together.

The output is a list of pieces of text, joined and encoded once. A piece is bytes only
where they are no UTF-8: what ``{% raw %}`` was given goes out byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from wsgitornado.escape import utf8, xhtml_escape

__all__ = ["as_bytes", "as_text", "checked_result", "escape", "escaper", "joined"]


def as_text(value: Any) -> str | bytes:
    """Return a value as the text that it is written as, without escaping."""
    if type(value) is str:
        return value
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return bytes(value)
    if not isinstance(value, str):
        value = str(value)
    # A subclass may have methods of its own.
    return str.__str__(value)


def escape(value: Any) -> str:
    """Return a value as text for HTML, as :func:`escape.xhtml_escape` does."""
    text: str = value
    if type(value) is not str:
        if type(value) is int:
            return str(value)
        if isinstance(value, bytes):
            value = value.decode("utf-8")
        elif not isinstance(value, str):
            value = str(value)
        # A subclass may have methods of its own.
        text = str.__str__(value)
    # Copied from xhtml_escape, to which a further call would cost a third more.
    if "&" in text:
        text = text.replace("&", "&amp;")
    if "<" in text:
        text = text.replace("<", "&lt;")
    if ">" in text:
        text = text.replace(">", "&gt;")
    if '"' in text:
        text = text.replace('"', "&quot;")
    if "'" in text:
        text = text.replace("'", "&#x27;")
    return text


def escaper(function: Callable[[bytes], Any]) -> Callable[[Any], str | bytes]:
    """Return what escapes the values of a template that calls this function for it."""
    if function is xhtml_escape:
        return escape
    return lambda value: checked_result(function(as_bytes(value)))


def as_bytes(value: Any) -> bytes:
    """Return a value as what functions get that escape: as in Tornado, bytes."""
    return utf8(value if isinstance(value, str | bytes) else str(value))


def checked_result(value: Any) -> str | bytes:
    """Return the result of a function that escapes, or of one that is applied.

    Raises TypeError unless it is text or bytes.
    """
    if not isinstance(value, str | bytes):
        raise TypeError(
            f"Expected bytes or unicode from a function of a template;"
            f" got {type(value)!r}"
        )
    return as_text(value)


def joined(pieces: Sequence[str | bytes]) -> bytes:
    """Return the pieces as UTF-8, those of bytes as they are.

    Raises UnicodeEncodeError for a lone surrogate.
    """
    try:
        return "".join(pieces).encode("utf-8")  # type: ignore[arg-type]  # TypeError
    except TypeError:
        return b"".join(map(utf8, pieces))
