"""Files to be served: named, found without leaving a folder, opened, typed."""

from __future__ import annotations

import errno
import functools
import mimetypes
import os
import stat
from collections.abc import Iterable
from typing import Final

__all__ = [
    "absolute_folder",
    "find_file",
    "guess_type",
    "is_below",
    "join_path",
    "open_file",
]

# What no client can have the file for: nothing is there, or nothing can be, since the
# file system holds no such name.
_MISSING: Final = frozenset(
    {
        errno.EILSEQ,
        errno.EINVAL,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENOENT,
        errno.ENOTDIR,
    }
)

# Opening a pipe without it waits for someone to write. It changes nothing for files.
_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


def absolute_folder(folder: str) -> str:
    """The path of a folder, absolute and normalized. Relative ones move as we do."""
    if isinstance(folder, str) and folder.startswith("/"):
        return _normalized(folder)
    return os.path.abspath(folder)


@functools.lru_cache(maxsize=64)  # the folders of an application
def _normalized(folder: str) -> str:
    return os.path.abspath(folder)


def join_path(folder: str, path: str) -> str:
    """The path of what a folder has at a path, absolute and normalized.

    With ``..`` in it, or a slash before it, it may be outside of the folder.
    """
    if (
        path
        and path[0] not in "./"
        and path[-1] != "/"
        and "/." not in path
        and "//" not in path
    ):
        # Most paths have nothing to be normalized.
        folder = absolute_folder(folder)
        return folder + path if folder[-1] == "/" else f"{folder}/{path}"
    return os.path.abspath(os.path.join(folder, path))


def is_below(root: str, path: str) -> bool:
    """Whether a path is a folder itself or something in it, both normalized."""
    if not path.startswith(root):
        return False
    return len(path) == len(root) or root.endswith("/") or path[len(root)] == "/"


def find_file(
    root: str, path: str, allowed: Iterable[str] = ()
) -> tuple[str, os.stat_result]:
    """Follow the links of a path and see what is there, of whatever kind.

    :param root: a folder; it may be a link itself.
    :param path: what is looked for, absolute.
    :param allowed: further folders that links may lead to.
    :returns: the path without links below the root, and its status.
    :raises FileNotFoundError: if nothing is there or can be.
    :raises PermissionError: if it is not in the root, by its spelling or by a link
        that leads elsewhere, or may not be looked at.
    """
    if "/." in path or "//" in path or path.endswith("/"):
        path = os.path.abspath(path)
    if not is_below(root, path):
        raise _outside()
    try:
        found = _find_without_links(root, path)
        return (path, found) if found is not None else _follow(root, path, allowed)
    except (OSError, ValueError) as error:
        raise _explained(error) from error


def _find_without_links(root: str, path: str) -> os.stat_result | None:
    """The status of a path, or None if any part of it below the root is a link.

    Where there is no link a path leads where it says. That is cheaper to see than
    where all the parts of the root lead.
    """
    if path == root:
        return os.stat(path)
    at = len(root) - root.endswith("/")
    while True:
        at = path.find("/", at + 1)
        found = os.lstat(path if at < 0 else path[:at])
        if stat.S_ISLNK(found.st_mode):
            return None
        if at < 0:
            return found


def _follow(root: str, path: str, allowed: Iterable[str]) -> tuple[str, os.stat_result]:
    target = os.path.realpath(path)
    if not any(is_below(os.path.realpath(at), target) for at in (root, *allowed)):
        raise _outside()
    # What is a link still is part of a circle, or has just become one.
    found = os.lstat(target)
    if stat.S_ISLNK(found.st_mode):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return target, found


def open_file(path: str) -> tuple[int, os.stat_result]:
    """Open a regular file: its descriptor and its status.

    :raises FileNotFoundError: if nothing is there or can be.
    :raises PermissionError: if it may not be read, or is something else than a file.
    """
    try:
        descriptor = os.open(path, _READ)
    except (OSError, ValueError) as error:
        raise _explained(error) from error
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise PermissionError(errno.EACCES, "is not a file")
    return descriptor, found


@functools.lru_cache(maxsize=1024)
def guess_type(path: str) -> str:
    """The Content-Type of a file, by the ending of its name.

    >>> guess_type("/a/style.css"), guess_type("/a/b.tar.gz"), guess_type("/a/b")
    ('text/css', 'application/gzip', 'application/octet-stream')
    """
    content_type, coding = mimetypes.guess_type(path)
    if coding == "gzip":
        # By the type of what is inside a client would know what to do only if it knew
        # of the compression, too.
        return "application/gzip"
    if coding is not None or content_type is None:
        return "application/octet-stream"
    return content_type


def _outside() -> PermissionError:
    return PermissionError(errno.EACCES, "is not in root static directory")


def _explained(error: OSError | ValueError) -> Exception:
    """The same error as one of the two kinds that clients can cause."""
    if isinstance(error, PermissionError):
        return error
    # ValueError: a null byte, or text that the file system's encoding cannot spell.
    if isinstance(error, ValueError) or error.errno in _MISSING:
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    if error.errno == errno.ENXIO:
        # A socket, or a device that is not there.
        return PermissionError(errno.EACCES, "is not a file")
    return error
