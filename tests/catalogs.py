"""Files with translations, as programs have them."""

from __future__ import annotations

import struct
from pathlib import Path

__all__ = ["compile_catalog", "write_catalog", "write_files"]

_HEADER = "Content-Type: text/plain; charset=UTF-8\nPlural-Forms: {plurals}\n"
_GERMANIC = "nplurals=2; plural=(n != 1);"


def write_files(directory: Path, **files: str | bytes) -> str:
    """A directory of CSV files; gives its path.

    :param files: their contents by code, text as UTF-8.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for code, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        (directory / f"{code}.csv").write_bytes(data)
    return str(directory)


def write_catalog(directory: Path, code: str, content: dict[str, str] | bytes) -> str:
    """A catalog of the domain ``site``, where gettext looks for it; gives *directory*.

    :param content: see :func:`compile_catalog`; or bytes, as they are.
    """
    folder = directory / code / "LC_MESSAGES"
    folder.mkdir(parents=True, exist_ok=True)
    data = content if isinstance(content, bytes) else compile_catalog(content)
    (folder / "site.mo").write_bytes(data)
    return str(directory)


def compile_catalog(messages: dict[str, str], plurals: str = _GERMANIC) -> bytes:
    r"""A ``.mo`` file, as msgfmt writes it.

    :param messages: forms with NUL between them, a context with EOT before it:
        ``{"day\0days": "Tag\0Tage", "month\4May": "Mai"}``.
    """
    items = {"": _HEADER.format(plurals=plurals), **messages}
    pairs = [(key.encode(), items[key].encode()) for key in sorted(items)]
    count = len(pairs)
    texts = [key for key, _ in pairs] + [value for _, value in pairs]
    position = 28 + 16 * count
    table = b""
    for text in texts:
        table += struct.pack("<2I", len(text), position)
        position += len(text) + 1
    top = struct.pack("<7I", 0x950412DE, 0, count, 28, 28 + 8 * count, 0, position)
    return top + table + b"".join(text + b"\0" for text in texts)
