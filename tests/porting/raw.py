"""Requests as they go over the wire, for the tables of the programs."""

from __future__ import annotations

__all__ = ["CRLF", "form", "get", "head", "multipart", "part", "post", "request"]

CRLF = b"\r\n"
_BOUNDARY = "b0undary"


def request(
    method: str,
    target: str,
    *headers: str,
    body: bytes | None = None,
    host: str | None = "example.test",
    version: str = "1.1",
) -> bytes:
    """One request after which the server closes the connection.

    :param headers: lines as they are sent, in latin-1: ``"Cookie: a=b"``.
    :param host: the Host header; None leaves it out.
    """
    lines = [f"{method} {target} HTTP/{version}", "Connection: close", *headers]
    if host is not None:
        lines.append(f"Host: {host}")
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def get(target: str, *headers: str) -> bytes:
    return request("GET", target, *headers)


def head(target: str, *headers: str) -> bytes:
    return request("HEAD", target, *headers)


def post(target: str, body: bytes, *headers: str) -> bytes:
    return request("POST", target, *headers, body=body)


def form(target: str, fields: str, method: str = "POST") -> bytes:
    """A form as browsers send it; *fields* is encoded already."""
    content_type = "Content-Type: application/x-www-form-urlencoded"
    return request(method, target, content_type, body=fields.encode("latin-1"))


def part(disposition: str, content: bytes, *headers: str) -> bytes:
    """One part of a multipart form, up to the delimiter that ends it."""
    lines = [f"Content-Disposition: {disposition}", *headers, "", ""]
    return "\r\n".join(lines).encode() + content


def multipart(
    target: str,
    *parts: bytes,
    before: bytes = b"",
    end: bytes = b"--\r\n",
    content_type: str = f"multipart/form-data; boundary={_BOUNDARY}",
) -> bytes:
    """A multipart form of these parts.

    :param before: what stands before the first delimiter.
    :param end: what follows the last one.
    """
    delimiter = f"--{_BOUNDARY}".encode()
    body = before + b"".join(delimiter + CRLF + p + CRLF for p in parts)
    return post(target, body + delimiter + end, f"Content-Type: {content_type}")
