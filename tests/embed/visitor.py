"""A visitor of an application: keeps its cookies and sends forms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

from tests.support import Answer, call
from wsgitornado._types import (
    Body,
    HeaderList,
    StartResponse,
    WSGIApplication,
    WSGIEnvironment,
)

__all__ = ["Visitor", "encode_multipart"]

BOUNDARY = "a-boundary-that-no-file-holds"


def encode_multipart(
    fields: Mapping[str, str], files: Mapping[str, tuple[str, bytes]]
) -> tuple[str, bytes]:
    """A form with files, as browsers send it: its Content-Type and its body."""
    parts = [(f'name="{name}"', text.encode()) for name, text in fields.items()]
    parts += [
        (f'name="{name}"; filename="{filename}"', content)
        for name, (filename, content) in files.items()
    ]
    body = b"".join(
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode()
        + content
        + b"\r\n"
        for head, content in parts
    )
    content_type = f"multipart/form-data; boundary={BOUNDARY}"
    return content_type, body + f"--{BOUNDARY}--\r\n".encode()


class Visitor:
    """One browser in front of an application."""

    def __init__(self, application: WSGIApplication, **environ_extra: Any) -> None:
        self.application = application
        self.environ_extra = environ_extra
        self.cookies: dict[str, str] = {}

    def ask(
        self,
        target: str,
        method: str = "GET",
        headers: Iterable[tuple[str, str]] = (),
        body: bytes | None = None,
    ) -> Answer:
        headers = list(headers)
        if self.cookies:
            pairs = [f"{name}={value}" for name, value in self.cookies.items()]
            headers.append(("Cookie", "; ".join(pairs)))
        answer = call(
            self._trimmed, target, method, headers, body, **self.environ_extra
        )
        for text in answer.headers.get_list("Set-Cookie"):
            for name, morsel in SimpleCookie(text).items():
                self.cookies[name] = morsel.value
        return answer

    def send_form(
        self,
        target: str,
        fields: Mapping[str, str],
        files: Mapping[str, tuple[str, bytes]] | None = None,
    ) -> Answer:
        """Post a form, with the token that Django wants when it has given one."""
        if "csrftoken" in self.cookies:
            fields = {"csrfmiddlewaretoken": self.cookies["csrftoken"], **fields}
        if files is None:
            content_type = "application/x-www-form-urlencoded"
            body = urlencode(fields).encode()
        else:
            content_type, body = encode_multipart(fields, files)
        return self.ask(target, "POST", [("Content-Type", content_type)], body)

    def _trimmed(self, environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        """The application as a client sees it.

        Django begins each Set-Cookie with a space, which no client takes for a part
        of the value (RFC 9110 section 5.5).
        """

        def start(status: str, headers: HeaderList, *exc_info: Any) -> Any:
            trimmed = [(name, value.strip(" \t")) for name, value in headers]
            return start_response(status, trimmed, *exc_info)

        return self.application(environ, start)
