"""Everything that a client can send: names, queries, cookies, forms, files."""

from __future__ import annotations

import hashlib
import logging

from wsgitornado.web import Application, RequestHandler

logging.basicConfig(level=logging.INFO)


class NameHandler(RequestHandler):
    def get(self, name: str) -> None:
        self.write(f"{name} {self.get_argument('q', '')}")


class CookieHandler(RequestHandler):
    def get(self) -> None:
        self.write(f"<{self.get_cookie('a')}> <{self.get_cookie('b')}>")


class FormHandler(RequestHandler):
    def post(self) -> None:
        self.write(self.get_body_argument("text", "no text"))


class UploadHandler(RequestHandler):
    """The digest of each file, or of the body where it is no form."""

    def post(self) -> None:
        for file in self.request.files.get("file", []):
            self.write(f"{file.filename} {hashlib.sha256(file.body).hexdigest()}\n")
        if not self.request.files:
            self.write(hashlib.sha256(self.request.body).hexdigest())


app = Application(
    [
        (r"/name/(.*)", NameHandler),
        (r"/cookie", CookieHandler),
        (r"/form", FormHandler),
        (r"/upload", UploadHandler),
        # Within a limit of its own.
        (r"/small/.*", Application([(r".*", UploadHandler)], max_body_size=1000)),
    ]
)
