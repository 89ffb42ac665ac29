"""The pages of a zip archive, served like files: with tags, conditions and ranges.

Name the archive in ``ARCHIVE`` and serve it with
``python -m wsgitornado serve examples.archive:app``.
"""

from __future__ import annotations

import datetime
import os
from zipfile import ZipFile

from wsgitornado.web import Application, HTTPError, StaticFileHandler


class ArchiveHandler(StaticFileHandler):
    """Serves the members of a zip archive: ``{"path": "manual.zip"}``."""

    @classmethod
    def get_absolute_path(cls, root: str, path: str) -> str:
        # Any text that tells one content from another.
        return f"{root}//{path}"

    def validate_absolute_path(self, root: str, absolute_path: str) -> str:
        with ZipFile(root) as archive:
            try:
                self.info = archive.getinfo(self.path)
            except KeyError:
                raise HTTPError(404) from None
        return absolute_path

    @classmethod
    def get_content(
        cls, abspath: str, start: int | None = None, end: int | None = None
    ) -> bytes:
        root, _, name = abspath.partition("//")
        with ZipFile(root) as archive:
            return archive.read(name)[start:end]

    def get_content_size(self) -> int:
        return self.info.file_size

    def get_modified_time(self) -> datetime.datetime:
        return datetime.datetime(*self.info.date_time)


def make_app(path: str) -> Application:
    return Application([(r"/(.+)", ArchiveHandler, {"path": path})])


app = make_app(os.environ.get("ARCHIVE", "manual.zip"))
