"""The part of the multipart library (1.2 and later) that the package uses."""

from collections.abc import Iterator

class MultipartError(ValueError): ...
class ParserLimitReached(MultipartError): ...

class MultipartSegment:
    headerlist: list[tuple[str, str]]

class PushMultipartParser:
    def __init__(
        self,
        boundary: str | bytes | bytearray,
        content_length: int = ...,
        max_header_size: int = ...,
        max_header_count: int = ...,
        max_segment_size: float = ...,
        max_segment_count: float = ...,
        header_charset: str = ...,
        strict: bool = ...,
    ) -> None: ...
    def parse(
        self, chunk: bytes | bytearray
    ) -> Iterator[MultipartSegment | bytes | None]: ...
