"""What a client sees of an answer, and how two answers differ."""

from __future__ import annotations

import dataclasses
import email.utils
import hashlib
import html
import itertools
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["PROGRAMS", "Answer", "LogLine", "differences", "parse_answer"]

#: Where the programs are: a traceback is compared by its frames in their files.
PROGRAMS: Final = Path(__file__).parent / "programs"

# The server's own: who it is, what time it has, and how it frames a message.
_OF_THE_SERVER = frozenset({"connection", "date", "server", "transfer-encoding", "via"})

_ERROR_PAGE = re.compile(rb"<html><title>(.*)</title><body>\1</body></html>", re.DOTALL)
_DURATION = re.compile(r"\d+\.\d\dms$")
_EXPIRES = re.compile(r"(?<=expires=)[^;]+")
_REQUEST = re.compile(r"\nHTTPServerRequest\(.*\)$")
_FRAME = re.compile(r'  File "(.+)", line \d+, in (\w+)')

# A cookie that expires within this many hours was given a number of days.
_RELATIVE_HOURS = 400 * 24


class LogLine(NamedTuple):
    """A line of one of the three logs.

    :ivar kinds: the classes of the exception that came with it, the narrowest first.
    """

    level: str
    logger: str
    message: str
    kinds: tuple[str, ...] = ()

    def __str__(self) -> str:
        message = _REQUEST.sub(" + request", _DURATION.sub("#ms", self.message))
        # The text of an exception is everybody's own.
        raised = f" [{self.kinds[0]}]" if self.kinds else ""
        return f"log {self.level} {self.logger} {message}{raised}"

    def caught_as(self, theirs: LogLine) -> LogLine:
        """This line, with the class of *theirs* where ours is one of it too."""
        if theirs.kinds and theirs.kinds[0] in self.kinds:
            return self._replace(kinds=theirs.kinds)
        return self


@dataclasses.dataclass
class Answer:
    """One answer, as far as it came.

    :ivar status: code and reason: ``"200 OK"``; empty if there was no answer at all.
    :ivar ending: ``"whole"``, or what a client notices: ``"cut"``, ``"excess"``.
    """

    status: str = ""
    headers: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    body: bytes = b""
    ending: str = "whole"
    log: list[LogLine] = dataclasses.field(default_factory=list)

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    def lines(self) -> Iterator[str]:
        """Everything about it that a program or its client could notice."""
        described = [f"status {self.status}", *_body_lines(self.body)]
        for name, value in self.headers:
            if name not in _OF_THE_SERVER:
                described.append(f"header {name}: {self._comparable(name, value)}")
        yield from _with_error_page_in_one_line(described, self.status)
        yield f"end {self.ending}"
        for line in self.log:
            yield str(line)

    def _comparable(self, name: str, value: str) -> str:
        """A value that follows from the body, or from the time, in words."""
        if name == "content-length" and self.body and value == str(len(self.body)):
            return "(that of the body)"
        if name == "etag" and value == f'"{hashlib.sha1(self.body).hexdigest()}"':
            return "(that of the body)"
        if name == "set-cookie":
            return _EXPIRES.sub(_relative_date, value)
        return value


def parse_answer(data: bytes, method: str, was_reset: bool = False) -> Answer:
    """Read what a server sent until it closed the connection.

    :param was_reset: whether it did so with a reset, which a client takes for an error.
    """
    top, blank_line, rest = data.partition(b"\r\n\r\n")
    status_line, *lines = top.decode("latin-1").split("\r\n")
    version, _, status = status_line.partition(" ")
    if not (blank_line and version.startswith("HTTP/")):
        return Answer(ending="cut")
    headers = []
    for line in lines:
        name, _, value = line.partition(":")
        headers.append((name.lower(), value.strip(" \t")))
    answer = Answer(status, headers, rest)
    if method == "HEAD" or status[:3] in ("204", "304"):
        answer.ending = "excess" if rest else "whole"
    elif answer.get("transfer-encoding") == "chunked":
        answer.body, answer.ending = _decode_chunks(rest)
    else:
        length = int(answer.get("content-length") or len(rest))
        answer.ending = _ending(len(rest), length)
    if was_reset:
        answer.ending = "cut"
    return answer


def _ending(length: int, declared: int) -> str:
    if length == declared:
        return "whole"
    return "cut" if length < declared else "excess"


def _decode_chunks(data: bytes) -> tuple[bytes, str]:
    """The body, and whether the last chunk came."""
    body = b""
    while True:
        line, end, data = data.partition(b"\r\n")
        size = int(line or b"0", 16)
        if not end or len(data) < size + 2:
            return body + data[:size], "cut"
        if not size:
            return body, _ending(len(data), 2)
        body += data[:size]
        data = data[size + 2 :]


def _with_error_page_in_one_line(lines: list[str], status: str) -> list[str]:
    code, _, reason = status.partition(" ")
    of_the_page = {
        f"status {status}",
        "header content-length: (that of the body)",
        "header content-type: text/html; charset=UTF-8",
        f"body page {code}: {html.escape(reason)}",
    }
    if of_the_page <= set(lines):
        return [f"page {status}", *(line for line in lines if line not in of_the_page)]
    return lines


def _body_lines(body: bytes) -> Iterator[str]:
    page = _ERROR_PAGE.fullmatch(body)
    if page is not None:
        yield f"body page {page[1].decode()}"
    elif body.startswith(b"Traceback (most recent call last):\n"):
        yield from _traceback_lines(body.decode())
    else:
        for line in body.splitlines(keepends=True):
            yield f"body {line!r}"


def _traceback_lines(text: str) -> Iterator[str]:
    """A traceback without the frames of the framework: theirs are not ours."""
    for line in text.splitlines():
        frame = _FRAME.match(line)
        if frame is not None and Path(frame[1]).parent == PROGRAMS:
            yield f"traceback in {frame[2]}"
    last = text.rstrip("\n").rpartition("\n")[2]
    yield f"traceback {last.removeprefix('wsgi')}"


def _relative_date(match: re.Match[str]) -> str:
    date = email.utils.parsedate_to_datetime(match[0])
    hours = round((date.timestamp() - time.time()) / 3600)
    return f"(in {hours} hours)" if abs(hours) < _RELATIVE_HOURS else match[0]


def differences(theirs: Answer, ours: Answer) -> list[str]:
    """What only Tornado's answer has, after a minus, and only ours, after a plus."""
    pairs = itertools.zip_longest(ours.log, theirs.log[: len(ours.log)])
    log = [line.caught_as(other) if other else line for line, other in pairs]
    ours = dataclasses.replace(ours, log=log)
    lines_of_theirs, lines_of_ours = list(theirs.lines()), list(ours.lines())
    missing = Counter(lines_of_theirs) - Counter(lines_of_ours)
    added = Counter(lines_of_ours) - Counter(lines_of_theirs)
    found = [f"- {line}" for line in lines_of_theirs if _take(missing, line)]
    found += [f"+ {line}" for line in lines_of_ours if _take(added, line)]
    if not found:
        if theirs.body != ours.body and not theirs.body.startswith(b"Traceback"):
            found.append("~ body in another order")
        if [str(line) for line in theirs.log] != [str(line) for line in ours.log]:
            found.append("~ log in another order")
    return found


def _take(counts: Counter[str], line: str) -> bool:
    if not counts[line]:
        return False
    counts[line] -= 1
    return True
