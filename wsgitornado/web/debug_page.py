"""The page that shows a developer what has failed: HTML, for a browser.

It runs nothing: it has no script, and its policy allows none. All text of it is
masked, cut and escaped in one place, :meth:`_Page.text`.
"""

from __future__ import annotations

import base64
import hashlib
import os.path
import platform
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from itertools import groupby
from types import TracebackType
from typing import Any, Final

from wsgitornado._version import version
from wsgitornado.escape import xhtml_escape
from wsgitornado.httputil.errors import HTTPInputError
from wsgitornado.httputil.headers import HTTPHeaders
from wsgitornado.httputil.request import HTTPServerRequest
from wsgitornado.routing import (
    AnyMatches,
    HostMatches,
    Matcher,
    PathMatches,
    Rule,
    RuleRouter,
)
from wsgitornado.web.masking import MASKED, Mask, hide_query, name_is_secret
from wsgitornado.web.tracebacks import (
    Origin,
    ShownException,
    ShownFrame,
    show_exceptions,
)

__all__ = ["PAGE_HEADERS", "Route", "debug_page", "prefers_html", "rules_of"]

# What there is room for.
_TITLE: Final = 200
_VALUE: Final = 1_000
_ROWS: Final = 100

# What a report of a bug should name besides Python and this package.
_PACKAGES: Final = ("WebOb", "multipart", "waitress", "h11")

_QUALITY = re.compile(r"\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*", re.IGNORECASE)

# What HTML cannot hold, what does not show, and what turns the text around it: control
# characters but tab and line feed, lone surrogates, marks of direction.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069"
    "\ud800-\udfff\ufeff\ufffe\uffff]"
)

_STYLE: Final = """
:root { color-scheme: light dark;
  --text: #1d2430; --soft: #566072; --page: #f4f5f7; --card: #fff; --code: #f8f9fb;
  --line: #d9dee7; --accent: #b3261e; --link: #1a56b8; --mark: #fde9c8;
  --edge: #b45309 }
@media (prefers-color-scheme: dark) { :root {
  --text: #e4e8ef; --soft: #a3adbd; --page: #14171c; --card: #1d2129; --code: #171a20;
  --line: #353c48; --accent: #ff8f87; --link: #8ab8ff; --mark: #4a3815;
  --edge: #f0b04a } }
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
a { color: var(--link) }
header, main, footer { max-width: 68rem; margin: 0 auto; padding: 0 1rem }
header { padding-top: 1.5rem }
h1 { margin: .25rem 0; font-size: 1.6rem; line-height: 1.25; color: var(--accent) }
h2 { margin: 2rem 0 .5rem; font-size: 1.25rem }
h3, h4, h5, h6 { margin: 1.25rem 0 .5rem; font-size: 1.05rem }
.kind { color: var(--accent) }
p { margin: .5rem 0 }
code, pre, textarea { font-family: ui-monospace, Menlo, Consolas, monospace;
  font-size: .875rem }
pre { margin: 0; white-space: pre-wrap }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: .75rem 0 0;
  padding: 0; list-style: none }
.message { font-size: 1rem; padding: .75rem 1rem; background: var(--card);
  border: 1px solid var(--line); border-left: 4px solid var(--accent);
  border-radius: 4px }
.note { margin-top: .5rem; border-left-color: var(--line) }
.soft { color: var(--soft) }
.link { margin: 1.25rem 0; padding-left: .75rem; border-left: 4px solid var(--line) }
ol, .members { margin: .5rem 0; padding: 0; list-style: none }
li { margin: .5rem 0 }
.members { padding-left: 1rem; border-left: 4px solid var(--line) }
details, .frame { background: var(--card); border: 1px solid var(--line);
  border-radius: 4px }
.yours { border-color: var(--edge) }
details .frame { margin: .5rem }
.frame p { padding: 0 .75rem }
summary { padding: .5rem .75rem; cursor: pointer }
summary:focus-visible, a:focus-visible, textarea:focus-visible {
  outline: 2px solid var(--link); outline-offset: 2px }
.tag { float: right; margin-left: .75rem; color: var(--soft); font-size: .8125rem }
.yours .tag { color: var(--edge); font-weight: 600 }
.path { display: block; color: var(--soft); font-size: .8125rem }
.source { clear: both; padding: .5rem 0; background: var(--code);
  border-top: 1px solid var(--line) }
.source span, .source mark { display: block; padding: 0 .75rem 0 4.25rem;
  text-indent: -3.5rem; color: inherit }
.source mark { background: var(--mark); font-weight: 600 }
.source i { display: inline-block; width: 3rem; margin-right: .5rem; text-align: right;
  text-indent: 0; font-style: normal; font-weight: 400; color: var(--soft);
  user-select: none }
.source mark i { color: inherit }
table { width: 100%; border-collapse: collapse; background: var(--card);
  border: 1px solid var(--line) }
th, td { padding: .375rem .75rem; text-align: left; vertical-align: top;
  border-top: 1px solid var(--line) }
th { width: 14rem; font-weight: 600 }
textarea { display: block; width: 100%; min-height: 20rem; padding: .75rem;
  color: inherit; background: var(--code); border: 1px solid var(--line);
  border-radius: 4px; white-space: pre; overflow: auto }
footer { margin: 2rem auto 0; padding: 1rem; color: var(--soft); font-size: .875rem;
  border-top: 1px solid var(--line) }
@media (max-width: 40rem) {
  h1 { font-size: 1.35rem }
  th, td { display: block; width: auto }
  td { border-top: 0; padding-top: 0 }
  .source { white-space: pre; overflow-x: auto }
  .source code { display: inline-block; min-width: 100% }
  .source span, .source mark { padding-left: 3.5rem; text-indent: -3rem }
  .source i { width: 2.5rem } }
"""

_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

#: What the page is sent with: no browser keeps it, frames it, takes it for something
#: else, or loads or runs anything for it.
PAGE_HEADERS: Final = (
    ("Content-Type", "text/html; charset=UTF-8"),
    ("Cache-Control", "no-store"),
    (
        "Content-Security-Policy",
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'",
    ),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)


@dataclass(frozen=True)
class Route:
    """How a request came to its handler.

    :ivar rules: those that matched, the outermost first.
    :ivar path_args: the groups of the pattern, decoded, and the named ones.
    """

    rules: list[Rule]
    handler_class: type
    path_args: list[Any]
    path_kwargs: dict[str, Any]


def prefers_html(accept: str) -> bool:
    """Whether an Accept header (RFC 9110 section 12.5.1) is that of a browser.

    It names ``text/html``, and nothing that programs read is liked better. ``*/*``
    alone, as curl and most libraries send it, is no wish for a page.
    """
    qualities = _qualities_of(accept)
    of_html = qualities.get("text/html", 0.0)
    return of_html > 0 and all(
        of_html >= next((qualities[r] for r in ranges if r in qualities), 0.0)
        for ranges in (
            ("text/plain", "text/*", "*/*"),
            ("application/json", "application/*", "*/*"),
        )
    )


def _qualities_of(accept: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for element in accept.split(","):
        media_range, *parameters = element.split(";")
        quality = 1.0
        for parameter in parameters:
            match = _QUALITY.fullmatch(parameter)
            if match:
                quality = min(1.0, float(match[1]))
        name = media_range.strip().lower()
        found[name] = max(quality, found.get(name, 0.0))
    return found


def rules_of(router: RuleRouter, request: HTTPServerRequest) -> list[Rule]:
    """The rules that lead to the handler of a request, found once more.

    Routers keep no record of it: that would cost every request something.
    """
    for rule in list(router.rules):
        if rule.matcher.match(request) is None:
            continue
        if not isinstance(rule.target, RuleRouter):
            return [rule]
        inner = rules_of(rule.target, request)
        if inner:
            return [rule, *inner]
    return []


def debug_page(
    error: BaseException,
    trace: TracebackType | None,
    status: str,
    request: HTTPServerRequest,
    route: Route,
    plain: str,
    mask: Mask,
) -> str:
    """The page, as text that UTF-8 can hold.

    :param status: the number and the reason, as the response has them.
    :param plain: the traceback as plain text, masked, to be copied from the page.
    """
    page = _Page(mask)
    exceptions = show_exceptions(error, trace, mask)
    return "\n".join(
        [
            page.beginning(exceptions[-1], status, request),
            "<main>",
            *page.traceback(exceptions),
            *page.request(request),
            *page.route(route),
            page.plain_text(plain),
            "</main>",
            page.end(),
        ]
    )


class _Page:
    """Makes the parts of the page."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask

    def text(self, text: str) -> str:
        """Text from anywhere, as HTML: without secrets, not too long, no markup."""
        return _escaped(self._mask.hide_and_cut(text, _VALUE))

    def beginning(
        self, error: ShownException, status: str, request: HTTPServerRequest
    ) -> str:
        title = f"{error.kind}: {error.message}" if error.message else error.kind
        if len(title) > _TITLE:
            title = title[:_TITLE] + "…"
        asked = f"{request.method} {_shown_target(request)}"
        return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{_escaped(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<header>
<p class="soft">{self.text(status)} · <code>{self.text(asked)}</code></p>
<h1>{_escaped(error.kind)}</h1>
{_message(error.message)}
<nav aria-label="Parts of this page"><ul>
<li><a href="#traceback">Traceback</a></li>
<li><a href="#request">Request</a></li>
<li><a href="#route">Route</a></li>
<li><a href="#plain">Plain text</a></li>
</ul></nav>
</header>"""

    def traceback(self, exceptions: list[ShownException]) -> Iterator[str]:
        yield '<section id="traceback"><h2>Traceback</h2>'
        yield '<p class="soft">As it happened: the first call on top.</p>'
        if len(exceptions) == 1:
            # Its name and message are above.
            yield from _details_of(exceptions[0], 3)
        else:
            yield from _chain(exceptions, 3)
        yield "</section>"

    def request(self, request: HTTPServerRequest) -> Iterator[str]:
        yield '<section id="request"><h2>Request</h2>'
        yield from self._table(
            [("Method", request.method), ("URL", _shown_target(request))]
        )
        for title, rows in (
            ("Query arguments", _query_arguments(request)),
            ("Form fields", _form_fields(request)),
            ("Headers", _headers(request)),
        ):
            if rows:
                yield f"<h3>{title}</h3>"
                yield from self._table(rows)
        yield "</section>"

    def route(self, route: Route) -> Iterator[str]:
        rows = [
            (_kind_of(rule.matcher), _pattern_of(rule.matcher))
            for rule in route.rules
            if type(rule.matcher) is not AnyMatches
        ] or [("Rule", "none matched")]
        handler_class = route.handler_class
        rows.append(
            ("Handler", f"{handler_class.__module__}.{handler_class.__qualname__}")
        )
        rows += [
            (f"Group {number}", _shown(group))
            for number, group in enumerate(route.path_args, 1)
        ]
        rows += [
            (f"Group {name}", MASKED if name_is_secret(name) else _shown(group))
            for name, group in route.path_kwargs.items()
        ]
        yield '<section id="route"><h2>Route</h2>'
        yield from self._table(rows)
        yield "</section>"

    def plain_text(self, plain: str) -> str:
        # HTML drops a line feed right after the tag.
        return (
            '<section id="plain"><h2>Plain text</h2>'
            '<p><label for="copy">To be copied: click into it, then select all.</label>'
            f'</p><textarea id="copy" readonly rows="20" cols="80" spellcheck="false">'
            f"\n{_escaped(plain)}</textarea></section>"
        )

    def end(self) -> str:
        versions = ", ".join(_versions())
        return f"""<footer>
<p>{self.text(versions)}</p>
<p>You see this page because <code>debug</code> or <code>serve_traceback</code> is set,
which is for development only. Cookies, credentials and values with secret names are
masked; settings and local variables are never shown.</p>
</footer>
</body>
</html>"""

    def _table(self, rows: list[tuple[str, str]]) -> Iterator[str]:
        yield "<table>"
        for name, value in rows[:_ROWS]:
            yield (
                f'<tr><th scope="row">{self.text(name)}</th>'
                f"<td><code>{self.text(value)}</code></td></tr>"
            )
        yield "</table>"
        if len(rows) > _ROWS:
            yield f'<p class="soft">and {len(rows) - _ROWS:,} more</p>'


# What follows has masked texts, cut to their length, and escapes them.


def _escaped(text: str) -> str:
    return xhtml_escape(_INVISIBLE.sub(lambda found: ascii(found[0])[1:-1], text))


def _message(message: str) -> str:
    return f'<pre class="message">{_escaped(message)}</pre>' if message else ""


def _chain(exceptions: list[ShownException], level: int) -> Iterator[str]:
    """Exceptions with their names, and between them what one has to do with another."""
    if exceptions[0].has_earlier:
        yield '<p class="link">Earlier exceptions are left out.</p>'
    for shown in exceptions:
        yield f'<h{level} class="kind">{_escaped(shown.kind)}</h{level}>'
        yield _message(shown.message)
        yield from _details_of(shown, min(level + 1, 6))
        if shown.link is not None:
            yield f'<p class="link">The exception above {shown.link.value}:</p>'


def _details_of(shown: ShownException, level: int) -> Iterator[str]:
    """Notes, frames, and the members of a group."""
    for note in shown.notes:
        yield f'<pre class="message note">{_escaped(note)}</pre>'
    if shown.frames:
        yield "<ol>"
        yield from _frames(shown)
        yield "</ol>"
    if shown.members:
        yield '<div class="members">'
        for number, chain in enumerate(shown.members, 1):
            total = len(shown.members) + shown.left_out
            yield f'<p class="soft">Exception {number} of {total:,} in the group:</p>'
            yield from _chain(chain, level)
        yield "</div>"


def _frames(shown: ShownException) -> Iterator[str]:
    """The frames in their order, those that nobody wrote for this program folded."""
    number_left_out, first = shown.skipped
    is_yours_somewhere = any(frame.origin.is_yours for frame in shown.frames)
    state = "" if is_yours_somewhere else " open"
    places: set[tuple[str, int]] = set()
    if number_left_out:
        yield from _runs(shown.frames[:first], state, places)
        yield f'<li class="soft">{number_left_out:,} frames are left out.</li>'
        yield from _runs(shown.frames[first:], state, places)
    else:
        yield from _runs(shown.frames, state, places)


def _runs(
    frames: list[ShownFrame], state: str, places: set[tuple[str, int]]
) -> Iterator[str]:
    for is_yours, run in groupby(frames, lambda frame: frame.origin.is_yours):
        if is_yours:
            yield from _your_frames(run, places)
        else:
            yield from _their_frames(list(run), state)


def _your_frames(
    frames: Iterable[ShownFrame], places: set[tuple[str, int]]
) -> Iterator[str]:
    """Frames of the program: open, where the same place has not been before."""
    for frame in frames:
        place = (frame.filename, frame.line)
        state = "" if place in places else " open"
        places.add(place)
        yield (
            f'<li><details{state} class="yours"><summary>{_place(frame)}</summary>'
            f"{_source(frame)}</details></li>"
        )


def _their_frames(frames: list[ShownFrame], state: str) -> Iterator[str]:
    """Frames of others between two of the program."""
    number = f"{len(frames)} frames" if len(frames) > 1 else "1 frame"
    whose = {Origin.LIBRARY: "libraries", Origin.OURS: "wsgitornado"}
    places = sorted({whose[frame.origin] for frame in frames})
    yield f"<li><details{state}><summary>{number} in {' and '.join(places)}</summary>"
    for frame in frames:
        yield f'<div class="frame"><p>{_place(frame)}</p>{_source(frame)}</div>'
    yield "</details></li>"


def _place(frame: ShownFrame) -> str:
    folder, name = os.path.split(frame.filename)
    where = f"<strong>{_escaped(name)}:{frame.line}</strong>"
    if frame.function:
        where += f" in {_escaped(frame.function)}"
    return (
        f'<code>{where}</code> <span class="tag">{frame.origin.value}</span>'
        f'<span class="path">{_escaped(folder)}</span>'
    )


def _source(frame: ShownFrame) -> str:
    lines = "".join(_line(line.number, line.text, frame.line) for line in frame.source)
    return f'<pre class="source"><code>{lines}</code></pre>' if lines else ""


def _line(number: int, text: str, marked: int) -> str:
    # The line feed is for browsers without style, and for the clipboard.
    if number == marked:
        return f"<mark><i>→ {number}</i>{_escaped(text)}\n</mark>"
    return f"<span><i>{number}</i>{_escaped(text)}\n</span>"


# What of the request is shown.


def _shown_target(request: HTTPServerRequest) -> str:
    """Path and query, without the values of secret arguments."""
    path = request.script_path + request.path
    return f"{path}?{hide_query(request.query)}" if request.query else path


def _headers(request: HTTPServerRequest) -> list[tuple[str, str]]:
    return [
        (name, MASKED if name_is_secret(name) else value)
        for name, value in HTTPHeaders.from_environ(request.environ).items()
    ]


def _query_arguments(request: HTTPServerRequest) -> list[tuple[str, str]]:
    try:
        return list(_arguments(request.query_arguments))
    except HTTPInputError:
        return [("…", "too many to be read")]


def _form_fields(request: HTTPServerRequest) -> list[tuple[str, str]]:
    """The fields and files of a form that has been read; no body is read for this."""
    if "_form" not in vars(request):
        return []
    return [
        *_arguments(request.body_arguments),
        *(
            (name, f"file {file.filename} ({file.content_type})")
            for name, files in request.files.items()
            for file in files
        ),
    ]


def _arguments(arguments: dict[str, list[bytes]]) -> Iterator[tuple[str, str]]:
    for name, values in arguments.items():
        is_secret = name_is_secret(name)
        for value in values:
            yield name, MASKED if is_secret else _shown(value)


def _shown(value: Any) -> str:
    """An argument as text: decoded as UTF-8, or else with its bytes to be seen."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)


def _kind_of(matcher: Matcher) -> str:
    return "Host" if isinstance(matcher, HostMatches) else "Pattern"


def _pattern_of(matcher: Matcher) -> str:
    if isinstance(matcher, PathMatches):
        return matcher.regex.pattern
    if isinstance(matcher, HostMatches):
        return matcher.host_pattern.pattern
    return type(matcher).__name__


def _versions() -> Iterator[str]:
    yield f"Python {platform.python_version()}"
    yield f"wsgitornado {version}"
    for package in _PACKAGES:
        try:
            yield f"{package} {metadata.version(package)}"
        except metadata.PackageNotFoundError:
            # Copied into the program's own folder, or packed.
            continue
