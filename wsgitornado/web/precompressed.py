"""Precompressed files: ``style.css.br`` beside ``style.css``."""

from __future__ import annotations

import os
import stat
from typing import Any, Final, NamedTuple

from wsgitornado.web.transforms import choose_coding

__all__ = ["Sibling", "find_sibling", "precompressed_codings"]

#: What comes behind the name of a file, for each coding.
_ENDINGS: Final = {"zstd": ".zst", "br": ".br", "gzip": ".gz"}

#: The codings that ``static_precompressed=True`` stands for, the smallest first.
_USUAL_CODINGS: Final = ("br", "gzip")


class Sibling(NamedTuple):
    """A compressed form of a file, in a file of its own."""

    coding: str
    path: str
    size: int


def precompressed_codings(setting: Any) -> tuple[str, ...]:
    """The codings that the setting ``static_precompressed`` asks for, best first.

    >>> precompressed_codings(True), precompressed_codings(["zstd"])
    (('br', 'gzip'), ('zstd',))

    :raises ValueError: if it names a coding that we know no ending for.
    """
    if not setting:
        return ()
    if setting is True:
        return _USUAL_CODINGS
    is_list = isinstance(setting, (list, tuple))
    codings: tuple[str, ...] = tuple(setting) if is_list else (setting,)
    for coding in codings:
        if coding not in _ENDINGS:
            raise ValueError(
                f"static_precompressed is True or a list of {', '.join(_ENDINGS)}: "
                f"got {coding!r}"
            )
    return codings


def find_sibling(
    path: str, status: os.stat_result, accept_encoding: str, codings: tuple[str, ...]
) -> Sibling | None:
    """The compressed form that the client likes best, of those that are there.

    Only a regular file counts, no link, and none that is older than the file itself.

    :param path: a file without links, and its status.
    """
    while coding := choose_coding(accept_encoding, codings):
        sibling = path + _ENDINGS[coding]
        try:
            found = os.lstat(sibling)
        except OSError:
            pass
        else:
            is_new = found.st_mtime_ns >= status.st_mtime_ns
            if is_new and stat.S_ISREG(found.st_mode):
                return Sibling(coding, sibling, found.st_size)
        codings = tuple(other for other in codings if other != coding)
    return None
