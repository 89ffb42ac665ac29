"""StaticFileHandler: the files of a folder, their versions, and parts of them."""

from __future__ import annotations

import datetime
import functools
import hashlib
import os
import stat
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final

from wsgitornado._types import Settings
from wsgitornado.concurrent import DONE
from wsgitornado.escape import utf8
from wsgitornado.httputil.errors import HTTPOutputError
from wsgitornado.httputil.files import (
    absolute_folder,
    find_file,
    guess_type,
    is_below,
    join_path,
    open_file,
)
from wsgitornado.httputil.headers import format_timestamp
from wsgitornado.httputil.locations import browser_origin
from wsgitornado.httputil.ranges import (
    UNSATISFIABLE,
    ByteRange,
    content_range,
    if_range_holds,
    parse_http_date,
    parse_range,
)
from wsgitornado.httputil.streams import (
    CHUNK_SIZE,
    FileBody,
    IteratedBody,
    StreamedBody,
)
from wsgitornado.httputil.urls import requote_path
from wsgitornado.httputil.versions import Version, VersionCache, appearance
from wsgitornado.log import gen_log
from wsgitornado.web.errors import HTTPError
from wsgitornado.web.handler import RequestHandler
from wsgitornado.web.precompressed import Sibling, find_sibling
from wsgitornado.web.transforms import vary_by_accept_encoding

__all__ = ["StaticFileHandler"]


class StaticFileHandler(RequestHandler):
    """Serves the files of a folder.

    As in ``(r"/files/(.*)", StaticFileHandler, {"path": folder})``; the setting
    ``static_path`` makes such rules by itself. The pattern has one group, the path of
    a file below the folder. Only regular files are opened, and links lead nowhere else.

    Answers carry an Etag made of the content, and Last-Modified; requests with
    conditions and for one range are answered as RFC 9110 says. URLs with the argument
    ``v``, such as :meth:`make_static_url` gives, may be kept for ten years.

    To serve something else than files override :meth:`get_absolute_path`,
    :meth:`validate_absolute_path`, :meth:`get_content`, :meth:`get_content_size` and
    :meth:`get_modified_time`: the absolute path may be any text that tells one content
    from another.

    :param path: the folder.
    :param default_filename: what is served for a folder, whose URL ends with a slash
        then: others are redirected to it. Without it folders are a 403.
    :param allowed_symlink_directory: further folders that links may lead to, one or a
        list.
    """

    __module__ = "wsgitornado.web"

    #: Seconds for which versioned URLs may be kept: ten years.
    CACHE_MAX_AGE = 86400 * 365 * 10

    #: How many versions are remembered. The one not used for longest is forgotten.
    MAX_CACHED_VERSIONS = 10_000

    #: Bytes from which on content has no version, and so no Etag: it is read for it.
    MAX_VERSION_CONTENT_SIZE = 64 * 1024 * 1024

    _static_hashes = VersionCache()

    #: Further folders that links may lead to; a subclass may set it.
    allowed_symlink_directory: str | Sequence[str] | None = None

    default_filename: str | None = None

    #: The folder, as the rule names it.
    root: str

    #: The path of the file below the folder, from :meth:`parse_url_path`.
    path: str = ""

    #: The path of the file in the file system; None until it is found.
    absolute_path: str | None = None

    #: When the file was changed, if that is known.
    modified: datetime.datetime | None = None

    # The status of the file at this path, so that it is asked for once.
    _found: tuple[str, os.stat_result] | None = None
    # What finish() will send.
    _content: bytes | StreamedBody | None = None

    def initialize(  # type: ignore[override]  # each handler takes its own
        self,
        path: str,
        default_filename: str | None = None,
        allowed_symlink_directory: str | Sequence[str] | None = None,
    ) -> None:
        self.root = path
        self.default_filename = default_filename
        if allowed_symlink_directory is not None:
            self.allowed_symlink_directory = allowed_symlink_directory

    @classmethod
    def reset(cls) -> None:
        """Forget all versions, so that each is made again."""
        cls._static_hashes.clear()

    def head(self, path: str) -> Awaitable[None]:
        return self.get(path, include_body=False)

    def get(self, path: str, include_body: bool = True) -> Awaitable[None]:
        """Answer with the file.

        :param path: the group of the pattern.
        :param include_body: False for HEAD.
        """
        self.path = self.parse_url_path(path)
        if "\0" in self.path:
            raise HTTPError(404)
        absolute_path = self.get_absolute_path(self.root, self.path)
        self.absolute_path = self.validate_absolute_path(self.root, absolute_path)
        if self.absolute_path is None:
            return DONE
        self.modified = self.get_modified_time()
        self.set_headers()
        sibling = self._choose_sibling()
        if self.should_return_304():
            self.set_status(304)
        elif include_body and self.request.method != "HEAD":
            self._prepare_content(sibling)
        else:
            self._prepare_length(sibling)
        return DONE

    def finish(
        self, chunk: str | bytes | dict[Any, Any] | None = None
    ) -> Awaitable[None]:
        """End the response; the file goes with it."""
        content, self._content = self._content, None
        if content is None or chunk is not None or self._write_buffer:
            return super().finish(chunk)
        self._finish_with(content)
        return DONE

    def flush(
        self,
        include_footers: bool = False,
        callback: Callable[[], object] | None = None,
    ) -> Awaitable[None]:
        """Send what has been written; a file goes with :meth:`finish`."""
        if self._content is None:
            return super().flush(include_footers, callback)
        if callback is not None:
            callback()
        return DONE

    def clear(self) -> None:
        # An error page takes the place of the file.
        self._content = None
        super().clear()

    def compute_etag(self) -> str | None:
        """The version of the content, quoted; None for content without one.

        A file that was changed since its version was made has a new one.
        """
        path = self.absolute_path
        if path is None:
            return super().compute_etag()
        key = type(self), path
        if not self.settings.get("static_hash_cache", True):
            self._static_hashes.forget(key)
        if self._found is not None and self._found[0] == path:
            status = self._found[1]
            is_too_large = status.st_size > self.MAX_VERSION_CONTENT_SIZE
            if is_too_large and _is_ours(self, "get_content_version"):
                return None
            self._static_hashes.forget_unless(key, appearance(status))
        version = self._get_cached_version(path)
        return f'"{version}"' if version else None

    def set_headers(self) -> None:
        """Set the headers that describe the file and say how long it may be kept."""
        fields = self._fields
        fields["Accept-Ranges"] = "bytes"
        self.set_etag_header()
        if self.modified is not None:
            fields["Last-Modified"] = _http_date(self.modified)
        content_type = self.get_content_type()
        if content_type:
            self.set_header("Content-Type", content_type)
        cache_time = self.get_cache_time(self.path, self.modified, content_type)
        if cache_time > 0:
            self.set_header("Expires", format_timestamp(time.time() + cache_time))
            self.set_header("Cache-Control", f"max-age={cache_time}")
        self.set_extra_headers(self.path)

    def should_return_304(self) -> bool:
        """Whether the client has the file as it is: by its tag, or else by its date."""
        environ = self.request.environ
        if environ.get("HTTP_IF_NONE_MATCH"):
            return self.check_etag_header()
        since = environ.get("HTTP_IF_MODIFIED_SINCE")
        if not since or self.modified is None:
            return False
        date = parse_http_date(since)
        modified = parse_http_date(_http_date(self.modified))
        return date is not None and modified is not None and modified <= date

    @classmethod
    def get_absolute_path(cls, root: str, path: str) -> str:
        """The path in the file system of a path below the folder, normalized.

        It need not be in the folder: :meth:`validate_absolute_path` sees to that.
        """
        return join_path(root, path)

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        """Check that there is a file to be served, and return its path without links.

        Override it to serve something else than files, or from elsewhere. It may
        answer the request itself, by a redirect, and return None.

        :raises HTTPError: 404 if nothing is there, 403 for what is not in the folder
            or no file.
        """
        found, status = self._find(root, absolute_path)
        if self.default_filename is not None and stat.S_ISDIR(status.st_mode):
            if not self.request.path.endswith("/"):
                self._redirect_to_folder()
                return None
            default = os.path.join(absolute_path, self.default_filename)
            found, status = self._find(root, os.path.abspath(default))
        if not stat.S_ISREG(status.st_mode):
            raise HTTPError(403, "%s is not a file", self.path)
        self._found = found, status
        return found

    @classmethod
    def get_content(
        cls, abspath: str, start: int | None = None, end: int | None = None
    ) -> Any:
        """The content, or the bytes of it from ``start`` up to and without ``end``.

        Override it to serve something else than files: it returns bytes, or an
        iterable of them, as this one does, which is read piece by piece and closed.
        The version is made of it, too.

        :raises HTTPError: if the file cannot be opened.
        """
        return _read_file(abspath, start, end)

    @classmethod
    def get_content_version(cls, abspath: str) -> str:
        """The version of the content: the SHA-512 of it, in hex digits.

        :raises ValueError: beyond :attr:`MAX_VERSION_CONTENT_SIZE`.
        """
        content = cls.get_content(abspath)
        digest = hashlib.sha512()
        size = 0
        for chunk in [content] if isinstance(content, bytes) else content:
            data = utf8(chunk)
            size += len(data)
            if size > cls.MAX_VERSION_CONTENT_SIZE:
                raise ValueError(
                    "content is larger than MAX_VERSION_CONTENT_SIZE "
                    f"({cls.MAX_VERSION_CONTENT_SIZE} bytes)"
                )
            digest.update(data)
        return digest.hexdigest()

    def get_content_size(self) -> int:
        """How many bytes the whole content has."""
        return self._stat().st_size

    def get_modified_time(self) -> datetime.datetime | None:
        """When the file was changed, in UTC and whole seconds; None if unknown."""
        return _utc(int(self._stat().st_mtime))

    def get_content_type(self, abspath: str | None = None) -> str | None:
        """The Content-Type, by the ending of the file's name.

        What is compressed by gzip is ``application/gzip``, and what is not known
        ``application/octet-stream``.

        :param abspath: :attr:`absolute_path` by default.
        """
        return guess_type(abspath or self.absolute_path or self.path)

    def set_extra_headers(self, path: str) -> None:
        """Override it to set further headers, or other values."""

    def get_cache_time(
        self, path: str, modified: datetime.datetime | None, mime_type: str | None
    ) -> int:
        """For how many seconds clients may keep the answer without asking.

        By default ten years for versioned URLs. 0, for all others, says nothing:
        browsers then ask whether the file has changed.
        """
        return self.CACHE_MAX_AGE if "v" in self.request.query_arguments else 0

    @classmethod
    def make_static_url(
        cls, settings: Settings, path: str, include_version: bool = True
    ) -> str:
        """The URL of a file of ``static_path``, its version behind it as ``?v=...``.

        Called by ``static_url`` of handlers and templates. A file without a version
        has a URL all the same.
        """
        url: str = settings.get("static_url_prefix", "/static/") + path
        version = cls.get_version(settings, path) if include_version else None
        return f"{url}?v={version}" if version else url

    def parse_url_path(self, url_path: str) -> str:
        """The path of a file from the group of the pattern; the same by default.

        Override it where :meth:`make_static_url` puts the version into the path.
        """
        return url_path

    @classmethod
    def get_version(cls, settings: Settings, path: str) -> str | None:
        """The version of a file of ``static_path``, for :meth:`make_static_url`.

        It is made once and remembered, until :meth:`reset` or until the file is served
        and has changed; with ``static_hash_cache`` off it is made each time. None, and
        a line in the log, for what has none: no regular file, or too large.

        :raises HTTPError: 403 for a path outside of the folder.
        """
        absolute_path = cls.get_absolute_path(settings["static_path"], path)
        root = absolute_folder(settings["static_path"])
        is_path = _is_ours(cls, "get_absolute_path")
        if is_path and not is_below(root, absolute_path):
            raise HTTPError(403, "%s is not in root static directory", path)
        key = cls, absolute_path
        if not settings.get("static_hash_cache", True):
            cls._static_hashes.forget(key)
        version = cls._static_hashes.get(key)
        if version is not None:
            return version.text
        if is_path and not cls._may_be_read(settings, root, absolute_path):
            return None
        return cls._get_cached_version(absolute_path)

    @classmethod
    def _may_be_read(cls, settings: Settings, root: str, absolute_path: str) -> bool:
        """Whether the links of a path lead where it would be served."""
        if not (_is_ours(cls, "get_content") and _is_ours(cls, "get_content_version")):
            return True
        arguments = settings.get("static_handler_args") or {}
        allowed = arguments.get(
            "allowed_symlink_directory", cls.allowed_symlink_directory
        )
        try:
            find_file(root, absolute_path, _folders(allowed))
        except OSError as error:
            cls._note_unversioned(absolute_path, error, None)
            return False
        return True

    @classmethod
    def _get_cached_version(cls, abs_path: str) -> str | None:
        """The version of some content, made when it is first asked for."""
        version = cls._static_hashes.get((cls, abs_path))
        if version is not None:
            return version.text
        # Two threads may make the same one, rather than all wait for a large file.
        seen = None
        try:
            # Looked at before it is read: a change meanwhile is noticed afterwards.
            seen = appearance(os.stat(abs_path))
        except (OSError, ValueError):
            pass
        try:
            text = cls.get_content_version(abs_path)
        except Exception as error:
            cls._note_unversioned(abs_path, error, seen)
            return None
        version = Version(text, seen)
        cls._static_hashes.put((cls, abs_path), version, cls.MAX_CACHED_VERSIONS)
        return text

    @classmethod
    def _note_unversioned(
        cls, abs_path: str, error: Exception, seen: tuple[int, ...] | None
    ) -> None:
        version = Version(None, seen)
        cls._static_hashes.put((cls, abs_path), version, cls.MAX_CACHED_VERSIONS)
        gen_log.error("Could not open static file %r: %s", abs_path, error)

    def _stat(self) -> os.stat_result:
        """The status of the file."""
        return self._path_and_status()[1]

    def _path_and_status(self) -> tuple[str, os.stat_result]:
        path = self.absolute_path
        assert path is not None
        if self._found is None or self._found[0] != path:
            # A program's own validate_absolute_path() has found another one.
            self._found = path, os.stat(path)
        return self._found

    def _find(self, root: str, absolute_path: str) -> tuple[str, os.stat_result]:
        try:
            allowed = _folders(self.allowed_symlink_directory)
            return find_file(absolute_folder(root), absolute_path, allowed)
        except OSError as error:
            raise _refusal(error, self.path) from error

    def _redirect_to_folder(self) -> None:
        location = self.request.script_path + requote_path(self.request.path) + "/"
        if browser_origin(location) != ("", ""):
            raise HTTPError(403, "cannot redirect path with two initial slashes")
        self.redirect(location, permanent=True)

    def _choose_sibling(self) -> Sibling | None:
        """The precompressed form that the client likes best; its headers are set.

        A range is always one of the file itself: the server may choose (RFC 9110
        section 12.1), and what a client holds of another form has another tag.
        """
        codings: tuple[str, ...] = self.application.static_codings
        if not codings or "Content-Encoding" in self._fields:
            return None
        if not _is_ours(self, "get_content"):
            return None
        vary_by_accept_encoding(self._headers)
        environ = self.request.environ
        if "HTTP_RANGE" in environ:
            return None
        accepted = environ.get("HTTP_ACCEPT_ENCODING", "")
        sibling = find_sibling(*self._path_and_status(), accepted, codings)
        if sibling is not None:
            fields = self._fields
            fields["Content-Encoding"] = sibling.coding
            etag = fields.get("Etag", "")
            if etag.endswith('"'):
                fields["Etag"] = f'{etag[:-1]}-{sibling.coding}"'
        return sibling

    def _prepare_length(self, sibling: Sibling | None) -> None:
        """The headers that GET would have, for HEAD."""
        if sibling is not None:
            self.set_header("Content-Length", sibling.size)
        else:
            self._choose_part(self.get_content_size())

    def _prepare_content(self, sibling: Sibling | None) -> None:
        """What finish() will send, and its length."""
        if sibling is not None:
            body = _open(sibling.path, self.path)
            self.set_header("Content-Length", body.length)
        elif _is_ours(self, "get_content"):
            body = self._open_file()
            size = self.get_content_size()
            if size != body.length:
                raise HTTPOutputError(
                    f"get_content_size() says {size} bytes, the file has {body.length}"
                )
            part = self._choose_part(size)
            if part is None:
                return
            if part != (0, size):
                body.narrow(part.start, part.end)
        else:
            self._content = self._content_of_override()
            return
        self._content = body.read_all() if body.length <= CHUNK_SIZE else body

    def _open_file(self) -> FileBody:
        """The file; from now on its descriptor decides, not the path."""
        path, status = self._path_and_status()
        body = _open(path, self.path)
        if appearance(body.status) != appearance(status):
            # It was replaced since it was looked at: describe the one that is sent.
            self._found = path, body.status
            self.modified = self.get_modified_time()
            self.set_headers()
        return body

    def _content_of_override(self) -> bytes | StreamedBody | None:
        """What the program's own get_content() gives, checked as far as it is there."""
        size = self.get_content_size()
        part = self._choose_part(size)
        if part is None:
            return None
        assert self.absolute_path is not None
        whole = part == (0, size)
        start = None if whole else part.start
        end = None if part.end == size else part.end
        content = self.get_content(self.absolute_path, start, end)
        length = part.end - part.start
        if not isinstance(content, bytes):
            return IteratedBody(content, length)
        if len(content) != length:
            raise HTTPOutputError(
                f"get_content() gave {len(content)} bytes, and get_content_size() says "
                f"that it is {length}"
            )
        return content

    def _choose_part(self, size: int) -> ByteRange | None:
        """The bytes that are asked for; None if there are no such: a 416."""
        asked = self.request.environ.get("HTTP_RANGE")
        part = parse_range(asked, size) if asked and self._may_have_part() else None
        if part is None:
            part = ByteRange(0, size)
        else:
            self.set_header("Content-Range", content_range(part, size))
            if part == UNSATISFIABLE:
                self.set_status(416)
                self.set_header("Content-Type", "text/plain")
                return None
            self.set_status(206)
        self._fields["Content-Length"] = str(part.end - part.start)
        return part

    def _may_have_part(self) -> bool:
        """Whether a range is one of the file that the client has another part of."""
        if_range = self.request.environ.get("HTTP_IF_RANGE")
        if if_range is None:
            return True
        fields = self._fields
        return if_range_holds(
            if_range, fields.get("Etag", ""), fields.get("Last-Modified", "")
        )


def _is_ours(handler: Any, name: str) -> bool:
    """Whether a handler, or its class, has this class method from us."""
    return getattr(getattr(handler, name), "__func__", None) is _OURS[name]


_OURS: Final = {
    name: StaticFileHandler.__dict__[name].__func__
    for name in ("get_absolute_path", "get_content", "get_content_version")
}


def _open(path: str, shown: str) -> FileBody:
    """Open a file to be sent.

    :param shown: what it is called in the log.
    :raises HTTPError: 404 if it has vanished, 403 if it cannot be read.
    """
    try:
        return FileBody(*open_file(path))
    except OSError as error:
        raise _refusal(error, shown) from error


def _read_file(path: str, start: int | None, end: int | None) -> Iterator[bytes]:
    body = _open(path, path)
    try:
        end = body.length if end is None else min(end, body.length)
        start = min(start or 0, end)
        body.narrow(start, end)
        yield from body
    finally:
        body.close()


def _refusal(error: OSError, path: str) -> Exception:
    """The answer to a failure that a client can cause, or the failure itself."""
    if isinstance(error, FileNotFoundError):
        return HTTPError(404)
    if isinstance(error, PermissionError):
        return HTTPError(403, "%s %s", path, error.strerror)
    return error


def _folders(setting: str | Sequence[str] | None) -> Sequence[str]:
    if not setting:
        return ()
    return (setting,) if isinstance(setting, (str, os.PathLike)) else setting


@functools.lru_cache(maxsize=1024)
def _http_date(moment: datetime.datetime) -> str:
    return format_timestamp(moment)


@functools.lru_cache(maxsize=1024)
def _utc(seconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)
