"""Application: the WSGI callable, its rules and its settings."""

from __future__ import annotations

import dataclasses
import logging
import re
import socket
from collections.abc import Callable, Sequence
from contextvars import copy_context
from threading import RLock
from typing import Any

from wsgitornado._serving import has_waiting_work
from wsgitornado._types import Body, Settings, StartResponse, WSGIEnvironment
from wsgitornado.concurrent import DONE
from wsgitornado.httpserver import HTTPServer
from wsgitornado.httputil.body import BodyLimits
from wsgitornado.httputil.proxies import ProxyHeaders
from wsgitornado.httputil.request import HTTPServerRequest
from wsgitornado.log import access_log, app_log, gen_log
from wsgitornado.parking import run_what_waits
from wsgitornado.routing import (
    AnyMatches,
    DefaultHostMatches,
    HostMatches,
    PathMatches,
    ReversibleRouter,
    ReversibleRuleRouter,
    RouteMatch,
    Router,
    Rule,
    RuleList,
)
from wsgitornado.template import BaseLoader
from wsgitornado.web.cors_policy import CORSPolicy
from wsgitornado.web.embed import FallbackHandler
from wsgitornado.web.handler import RequestHandler
from wsgitornado.web.modules import load_ui_methods, load_ui_modules
from wsgitornado.web.precompressed import precompressed_codings
from wsgitornado.web.reloading import enlist, say_if_ignored
from wsgitornado.web.request_ids import RequestIds
from wsgitornado.web.simple import ErrorHandler
from wsgitornado.web.static import StaticFileHandler
from wsgitornado.web.transforms import GZipContentEncoding, OutputTransform

__all__ = ["Application"]

#: What ``debug=True`` stands for, unless a setting says otherwise.
_DEBUG_SETTINGS = {
    "autoreload": True,
    "compiled_template_cache": False,
    "static_hash_cache": False,
    "serve_traceback": True,
}


class Application(ReversibleRouter):
    """A WSGI application made of rules and handlers.

    Serve it with any WSGI server; call it in tests. Its rules are asked in order, and
    the first that matches the path makes the handler.

    :param handlers: URLSpecs, rules, or tuples of two to four: the pattern, the
        handler class (or its dotted name, a list of rules, a router, another WSGI
        application), keyword arguments for ``initialize``, a name for ``reverse_url``.
    :param default_host: the host whose rules of :meth:`add_handlers` answer requests
        that no rule took.
    :param transforms: what changes every response: subclasses of OutputTransform.
        Given, even empty, it takes the place of ``compress_response``.
    :param wsgi: accepted for old programs' sake; it always is.
    :param settings: see the table of settings; those that mean nothing to us are the
        program's own.
    """

    __module__ = "wsgitornado.web"

    def __init__(
        self,
        handlers: RuleList | None = None,
        default_host: str | None = None,
        transforms: Sequence[type[OutputTransform]] | None = None,
        wsgi: bool = False,
        **settings: Any,
    ) -> None:
        self.settings: Settings = settings
        self.default_host = default_host or None
        self.transforms: list[type[OutputTransform]] = list(transforms or ())
        if settings.get("debug"):
            for name, value in _DEBUG_SETTINGS.items():
                settings.setdefault(name, value)
        is_compressed = settings.get("compress_response") or settings.get("gzip")
        if transforms is None and is_compressed:
            self.transforms.append(GZipContentEncoding)
        #: What pages of other sites may do: the settings ``cors_...``, None without.
        self.cors_policy = CORSPolicy.from_settings(settings)
        if self.cors_policy is not None:
            self.transforms.append(self.cors_policy.transform)
        if settings.get("request_ids"):
            self.transforms.append(RequestIds)
        self._proxies = ProxyHeaders.from_settings(settings)
        self.body_limits = BodyLimits.from_settings(settings)
        #: The UI modules of templates, by name: subclasses of :class:`UIModule`.
        self.ui_modules = load_ui_modules(settings.get("ui_modules", {}))
        #: The UI methods of templates, by name; they get the handler first.
        self.ui_methods = load_ui_methods(settings.get("ui_methods", {}))
        self._template_loaders: dict[Any, BaseLoader] = {}
        self._template_loader_lock = RLock()
        #: The codings of precompressed files: the setting ``static_precompressed``.
        self.static_codings = precompressed_codings(
            settings.get("static_precompressed")
        )
        rules = [*self._static_rules(), *(handlers or ())]
        self.wildcard_router = _HandlerRouter(rules)
        self.default_router = _HandlerRouter([Rule(AnyMatches(), self.wildcard_router)])
        self._rules_without_hosts = self.default_router.rules.version
        self._drain_callbacks: list[Callable[[], object]] = []
        self._asks_for_reload = enlist(self)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        """Answer one request, as PEP 3333 says."""
        if self._asks_for_reload:
            self._asks_for_reload = False
            say_if_ignored()
        request = HTTPServerRequest(environ)
        if self._proxies is not None:
            self._proxies.apply(request)
        try:
            match = self.find_handler(request)
            handler: RequestHandler = match.target(self, request, **match.target_kwargs)
        except Exception as error:
            handler = self._handler_of_last_resort(request)
            handler._start_response = start_response
            handler._handle_request_exception(error)
        else:
            handler._start_response = start_response
            try:
                # A context of its own: what it sets is gone with the request, although
                # the server's thread goes on to the next one.
                execute, transforms = handler._execute, handler.application.transforms
                run = copy_context().run
                # Unpacking costs, most of all an empty mapping that is no dict.
                if match.path_kwargs:
                    done = run(
                        execute, transforms, *match.path_args, **match.path_kwargs
                    )
                else:
                    done = run(execute, transforms, *match.path_args)
                if done is not DONE:
                    # Of a program that wraps ``_execute`` in a coroutine function.
                    run(handler._park_result, done, "_execute")
            except BaseException:
                handler._abandon()
                raise
        if handler._response is None:
            # A callback on the loop is just about to finish it.
            handler._park_until_finished()
        if has_waiting_work():
            run_what_waits()
        assert handler._response is not None
        return handler._response(environ, start_response)

    def streams_body(self, environ: WSGIEnvironment) -> bool:
        """Whether the handler of a request takes its body as it comes.

        Asked by a server that could hand it over so, before there is a body.
        """
        try:
            match = self.find_handler(HTTPServerRequest(environ))
        except Exception:
            # The request itself will fail in the same way, and be answered.
            return False
        return bool(getattr(match.target, "_streams_body", False))

    def decompress_request(self) -> None:
        """Have request bodies inflated: the server's option of that name."""
        self.body_limits = dataclasses.replace(self.body_limits, decompress=True)

    def listen(
        self,
        port: int,
        address: str | None = None,
        *,
        family: int = socket.AF_UNSPEC,
        backlog: int = 1024,
        flags: int | None = None,
        reuse_port: bool = False,
        **options: Any,
    ) -> HTTPServer:
        """Serve this application on a port; returns the server at once.

        It answers as soon as the loop runs: ``IOLoop.current().start()``, or inside
        ``asyncio.run``. All handlers run on the loop, in one thread, unless the option
        ``threads`` says otherwise.

        :param options: for :class:`~wsgitornado.httpserver.HTTPServer`.
        """
        server = HTTPServer(self, **options)
        server.listen(port, address, family, backlog, flags, reuse_port)
        return server

    def add_drain_callback(self, callback: Callable[[], object]) -> None:
        """Have a function called when the server that runs this begins to end.

        Requests in flight have some seconds then (10 on our own server, those of
        ``--graceful-timeout`` in the gunicorn worker). Long polls would wait them out:
        wake them here, so that they answer and their clients come again, elsewhere.
        Event streams end by themselves. Other WSGI servers tell nobody of their end.

        :param callback: called on the event loop, with no arguments; must not block.
        """
        self._drain_callbacks.append(callback)

    def begin_drain(self) -> None:
        """Call what :meth:`add_drain_callback` got: for the server, at its end."""
        for callback in self._drain_callbacks:
            try:
                callback()
            except Exception:
                app_log.error("Exception in drain callback %r", callback, exc_info=True)

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> RouteMatch:
        """The handler class for a request, with what it is to be called with.

        Never None: what no rule takes is for ``default_handler_class``, or a 404.
        """
        router = self.default_router
        if router._rules.version is self._rules_without_hosts:
            # One router less to ask.
            router = self.wildcard_router
        match = router.find_handler(request)
        return self._default_match() if match is None else match

    def find_below(self, request: HTTPServerRequest, **kwargs: Any) -> RouteMatch:
        """The same for a router or an application that this one is a target of.

        The handler belongs to this application: to its settings and its log.
        """
        match = self.find_handler(request, **kwargs)
        return RouteMatch(
            _HandlerWithin(self, match.target),
            match.target_kwargs,
            match.path_args,
            match.path_kwargs,
        )

    def get_handler_delegate(self, *args: Any, **kwargs: Any) -> Any:
        """Tornado's way to call a handler from a router of one's own.

        :raises NotImplementedError: always; a router here returns a ``RouteMatch``.
        """
        raise NotImplementedError(
            "there are no message delegates on WSGI: have your router's find_handler() "
            "return RouteMatch(handler_class, kwargs, path_args, path_kwargs)"
        )

    def add_handlers(self, host_pattern: str, host_handlers: RuleList) -> None:
        r"""Add rules for the hosts that match: ``(r"www\.example\.com", [...])``.

        They are asked before the rules without a host, in the order of these calls;
        if none of them matches the path, the search goes on.
        """
        host_handlers = list(host_handlers)
        host_matches = HostMatches(host_pattern)
        rule = Rule(host_matches, _HandlerRouter(host_handlers))
        self.default_router.rules.insert(-1, rule)
        if self.default_host is not None:
            matches = DefaultHostMatches(self, host_matches.host_pattern)
            self.wildcard_router.add_rules([(matches, host_handlers)])

    def reverse_url(self, name: str, *args: Any) -> str:
        """The path of the rule of this name, with its groups filled.

        Arguments become text and are percent-encoded, except for slashes.

        :raises KeyError: if no rule has the name.
        :raises AssertionError: if there are not as many arguments as groups.
        """
        path = self.default_router.reverse_url(name, *args)
        if path is None:
            raise KeyError(f"{name} not found in named urls")
        return path

    def add_transform(self, transform_class: type[OutputTransform]) -> None:
        """Add a transform after those that are there."""
        self.transforms.append(transform_class)

    def log_request(self, handler: RequestHandler) -> None:
        """Write one line for a request that is over; override it for other lines.

        The setting ``log_function`` is called with the handler in its place. By
        default the access logger gets an info, from 400 on a warning, from 500 on an
        error.
        """
        log_function = self.settings.get("log_function")
        if log_function is not None:
            log_function(handler)
            return
        status_code = handler._status_code
        if status_code < 400:
            level = logging.INFO
        elif status_code < 500:
            level = logging.WARNING
        else:
            level = logging.ERROR
        if access_log.isEnabledFor(level):
            access_log.log(
                level,
                "%d %s %.2fms",
                status_code,
                handler._request_summary(),
                1000 * handler.request.request_time(),
            )

    @property
    def static_handler_class(self) -> type[StaticFileHandler]:
        """What serves ``static_path`` and makes the URLs of its files."""
        handler_class: type[StaticFileHandler]
        handler_class = self.settings.get("static_handler_class", StaticFileHandler)
        return handler_class

    def _static_rules(self) -> RuleList:
        """The rules of ``static_path``; they come before those of the program."""
        settings = self.settings
        if not settings.get("static_path"):
            return []
        arguments = dict(settings.get("static_handler_args") or {})
        arguments["path"] = settings["static_path"]
        prefix = re.escape(settings.get("static_url_prefix", "/static/"))
        patterns = (r"/(robots\.txt)", r"/(favicon\.ico)", rf"{prefix}(.*)")
        handler_class = self.static_handler_class
        return [(pattern, handler_class, arguments) for pattern in patterns]

    def _default_match(self) -> RouteMatch:
        """What answers a request that no rule takes."""
        handler_class = self.settings.get("default_handler_class")
        if handler_class is None:
            return _NOT_FOUND
        return RouteMatch(handler_class, self.settings.get("default_handler_args", {}))

    def _handler_of_last_resort(self, request: HTTPServerRequest) -> RequestHandler:
        """A handler to answer for a mistake made before there was one."""
        return RequestHandler(self, request)


_NOT_FOUND = RouteMatch(ErrorHandler, {"status_code": 404})


class _HandlerRouter(ReversibleRuleRouter):
    """Rules whose targets are handlers, or become handlers."""

    def nested_router(self, rules: RuleList) -> _HandlerRouter:
        return _HandlerRouter(rules)

    def process_rule(self, rule: Rule) -> Rule:
        rule = super().process_rule(rule)
        if _lacks_group(rule):
            gen_log.warning(
                "the pattern %r of a %s has no group for the path of the file, and "
                "each request will fail: expected something like '/files/(.*)'",
                rule.matcher.regex.pattern,  # type: ignore[attr-defined]  # as asked
                rule.target.__name__,
            )
        return rule

    def target_is_plain(self, target: Any) -> bool:
        return _is_handler_class(target) or isinstance(target, _HandlerRouter)

    def get_target_match(
        self, target: Any, request: HTTPServerRequest, **target_params: Any
    ) -> RouteMatch | None:
        if isinstance(target, Router):
            return self._match_of_router(target, request, target_params)
        if _is_handler_class(target):
            return RouteMatch(target, **target_params)
        if callable(target):
            return RouteMatch(FallbackHandler, {"fallback": target})
        return None

    def _match_of_router(
        self, router: Router, request: HTTPServerRequest, params: dict[str, Any]
    ) -> RouteMatch | None:
        """The match of a router of the program's own, whose target may be anything."""
        match = router.find_below(request, **params)
        if match is None or isinstance(match.target, _HandlerWithin):
            return match
        if _is_handler_class(match.target):
            return match
        return self.get_target_match(match.target, request)


def _is_handler_class(target: Any) -> bool:
    return isinstance(target, type) and issubclass(target, RequestHandler)


def _lacks_group(rule: Rule) -> bool:
    """Whether a rule for files gives their handler no path."""
    return (
        isinstance(rule.matcher, PathMatches)
        and not rule.matcher.regex.groups
        and _is_handler_class(rule.target)
        and getattr(rule.target, "get", None) is StaticFileHandler.get
    )


class _HandlerWithin:
    """A handler class of an application inside another one, to which it belongs."""

    __slots__ = ("_application", "_handler_class")

    def __init__(self, application: Application, handler_class: Any) -> None:
        self._application = application
        self._handler_class = handler_class

    def __call__(
        self, _: Application, request: HTTPServerRequest, **kwargs: Any
    ) -> RequestHandler:
        handler: RequestHandler = self._handler_class(
            self._application, request, **kwargs
        )
        return handler
