"""``routes``: what an application answers, in the order in which it looks."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import inspect
import json
import os
from collections.abc import Iterable, Iterator
from typing import Any, Final

from wsgitornado.commands.loading import UsageError, load_application
from wsgitornado.routing import (
    AnyMatches,
    DefaultHostMatches,
    HostMatches,
    Matcher,
    PathMatches,
    Router,
    Rule,
    RuleRouter,
)
from wsgitornado.web import (
    Application,
    ErrorHandler,
    FallbackHandler,
    RedirectHandler,
    RequestHandler,
    StaticFileHandler,
)

__all__ = ["Route", "add_parser", "routes_of"]

#: The methods of what answers whatever it is asked.
_ANY: Final = ("*",)

#: The last column says more than one word at times, so it is the last.
_COLUMNS: Final = ("HOST", "PATTERN", "METHODS", "HANDLER", "NAME", "DEFINED", "TARGET")


@dataclasses.dataclass(frozen=True)
class Route:
    """One rule, with those that it is nested in.

    :ivar pattern: the regular expression for the path, None where any path will do.
    :ivar within: those of the rules around it, which have to match too.
    :ivar host: the regular expression for the host, None where any host will do.
    :ivar conditions: what else is asked: the classes of other matchers.
    :ivar handler: the class, or the WSGI application, with its module.
    :ivar methods: the HTTP methods that it has; ``*`` if it does not depend on them,
        nothing if that cannot be known.
    :ivar target: where files, redirects and other applications are.
    :ivar file: where the handler is defined, None where that is not known.
    """

    pattern: str | None
    within: tuple[str, ...]
    host: str | None
    conditions: tuple[str, ...]
    handler: str
    methods: tuple[str, ...]
    name: str | None
    target: str | None
    file: str | None
    line: int | None


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command with its options."""
    routes = subparsers.add_parser(
        "routes",
        help="list what an application answers",
        description="List the rules of an Application in the order in which they are "
        "asked: the first that matches a request answers it.",
    )
    routes.add_argument(
        "application",
        metavar="MODULE:NAME",
        help="the module to import and the application in it: guestbook:app",
    )
    routes.add_argument(
        "--json", action="store_true", help="write a list of objects for programs"
    )
    routes.set_defaults(func=_routes)


def _routes(options: argparse.Namespace) -> int:
    application = load_application(options.application)
    if not isinstance(application, Application):
        raise UsageError(
            f"{options.application} has no rules to list: it is no Application of "
            f"wsgitornado but {application!r}"
        )
    routes = list(routes_of(application))
    if options.json:
        print(json.dumps([dataclasses.asdict(route) for route in routes], indent=2))
    else:
        print("\n".join(_table(routes)) if routes else "no rules")
    return 0


# What there is


def routes_of(application: Application) -> Iterator[Route]:
    """The routes of an application, in the order in which they are asked."""
    yield from _of_rules(application.default_router.rules, ())
    last_resort = application.settings.get("default_handler_class")
    if last_resort is not None:
        arguments = application.settings.get("default_handler_args", {})
        yield _route((), Rule(AnyMatches(), last_resort, arguments))


def _of_rules(rules: Iterable[Rule], around: tuple[Matcher, ...]) -> Iterator[Route]:
    for rule in rules:
        if isinstance(rule.matcher, DefaultHostMatches):
            # The same rules as those of the host itself, which are listed.
            continue
        below = _rules_below(rule.target)
        if below is None:
            yield _route(around, rule)
        else:
            yield from _of_rules(below, (*around, rule.matcher))


def _rules_below(target: Any) -> Iterable[Rule] | None:
    """The rules that a target consists of; None if it has none, or does not tell."""
    if isinstance(target, Application):
        target = target.default_router
    return target.rules if isinstance(target, RuleRouter) else None


def _route(around: tuple[Matcher, ...], rule: Rule) -> Route:
    matchers = (*around, rule.matcher)
    paths = [m.regex.pattern for m in matchers if isinstance(m, PathMatches)]
    hosts = [m.host_pattern.pattern for m in matchers if isinstance(m, HostMatches)]
    pattern = paths.pop() if isinstance(rule.matcher, PathMatches) else None
    file, line = _place(rule.target)
    return Route(
        pattern=pattern,
        within=tuple(paths),
        host=" and ".join(hosts) or None,
        conditions=tuple(filter(None, map(_condition, matchers))),
        handler=_full_name(rule.target),
        methods=_methods(rule.target),
        name=rule.name,
        target=_target(rule.target, rule.target_kwargs),
        file=file,
        line=line,
    )


def _condition(matcher: Matcher) -> str | None:
    if isinstance(matcher, (AnyMatches, HostMatches, PathMatches)):
        return None
    return _full_name(type(matcher))


def _methods(target: Any) -> tuple[str, ...]:
    """Which HTTP methods a target has; those of RequestHandler itself are a 405."""
    if isinstance(target, Router):
        return ()
    if not _is_handler(target) or issubclass(target, (FallbackHandler, ErrorHandler)):
        return _ANY
    return tuple(
        method
        for method in target.SUPPORTED_METHODS
        if getattr(target, method.lower(), None)
        not in (None, getattr(RequestHandler, method.lower(), None))
    )


def _target(target: Any, arguments: dict[str, Any]) -> str | None:
    """Where the handlers lead that lead somewhere."""
    if not _is_handler(target):
        return None
    if issubclass(target, StaticFileHandler) and "path" in arguments:
        return f"files in {arguments['path']}"
    if issubclass(target, RedirectHandler) and "url" in arguments:
        status = 301 if arguments.get("permanent", True) else 302
        return f"{status} to {arguments['url']}"
    if issubclass(target, FallbackHandler) and "fallback" in arguments:
        return f"application {_full_name(arguments['fallback'])}"
    if issubclass(target, ErrorHandler) and "status_code" in arguments:
        return f"error {arguments['status_code']}"
    return None


def _is_handler(target: Any) -> bool:
    return isinstance(target, type) and issubclass(target, RequestHandler)


def _full_name(thing: Any) -> str:
    """The module and the name of a class or function, or of the class of a thing."""
    thing = _with_a_name(thing)
    return f"{thing.__module__}.{thing.__qualname__}"


def _with_a_name(thing: Any) -> Any:
    while isinstance(thing, functools.partial):
        thing = thing.func
    return thing if hasattr(thing, "__qualname__") else type(thing)


def _place(target: Any) -> tuple[str | None, int | None]:
    """The file and the line of a definition."""
    thing = inspect.unwrap(_with_a_name(target))
    try:
        file = inspect.getsourcefile(thing)
        line = inspect.getsourcelines(thing)[1]
    except (OSError, TypeError):
        # Written in C, or typed into an interpreter.
        return None, None
    return file, line


# How it is shown


def _table(routes: list[Route]) -> Iterator[str]:
    """The lines of a table, without the columns that would be empty."""
    rows = [_cells(route) for route in routes]
    used = [i for i, name in enumerate(_COLUMNS) if any(row[i] for row in rows)]
    shown = [[row[i] for i in used] for row in (_COLUMNS, *rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _cells(route: Route) -> tuple[str, ...]:
    patterns = [*route.within, *filter(None, [route.pattern])] or ["(any path)"]
    return (
        route.host or "",
        " > ".join(patterns) + "".join(f" if {name}" for name in route.conditions),
        " ".join(route.methods),
        route.handler,
        route.name or "",
        f"{_shown_path(route.file)}:{route.line}" if route.file else "",
        route.target or "",
    )


def _shown_path(path: str) -> str:
    """A path as one would type it here."""
    below = os.path.relpath(path)
    return path if below.startswith(os.pardir) else below
