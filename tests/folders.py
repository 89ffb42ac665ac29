"""Folders for tests of files: what a user may not read, and a site to be served."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["MODIFIED", "as_nobody", "folder_for_all", "make_site"]

#: When the files of the site were changed.
MODIFIED = 1_000_000_000

_NOBODY = 65534


@contextlib.contextmanager
def folder_for_all() -> Iterator[Path]:
    """A folder that every user may enter, which those of pytest are not."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Lay down the rights of root, where the tests run with them."""
    user = os.geteuid()
    if user:
        yield
        return
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


def make_site(folder: Path) -> Path:
    """A folder ``root`` with files, pages and links, and others beside it."""
    root = folder / "root"
    files = {
        root / "digits.txt": "0123456789",
        root / "empty.txt": "",
        root / "index.html": "<p>index of root",
        root / "robots.txt": "User-agent: *",
        root / "favicon.ico": "an icon",
        root / "a b%2e?.txt": "a name to be quoted",
        root / "caf\xe9.txt": "a name to be encoded",
        root / "sub" / "style.css": "b { color: red }",
        root / "sub" / "index.html": "<p>index of sub",
        root / "plain" / "file": "no index here",
        folder / "rooted" / "file": "neighbour",
        folder / "outside" / "file": "outside",
        folder / "outside" / "index.html": "<p>index of outside",
    }
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (MODIFIED, MODIFIED + 0.5))
    (root / "large.bin").write_bytes(bytes(range(256)) * 1024)
    os.utime(root / "large.bin", (MODIFIED, MODIFIED))
    links = {
        "link.txt": "digits.txt",
        "looks.txt": "sub/style.css",
        "sublink": "sub",
        "outside.txt": "../outside/file",
        "outside": "../outside",
        "dangling": "nowhere",
        "circle": "circle",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    os.mkfifo(root / "pipe")
    return root
