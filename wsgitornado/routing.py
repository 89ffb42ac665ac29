r"""Which handler answers a request: matchers, rules, and routers that hold rules.

A rule pairs a matcher with a target. A :class:`RuleRouter` asks its rules in the order
in which they were added, and the first that matches *and* whose target takes the
request wins. The usual matcher is :class:`PathMatches`::

    router = ReversibleRuleRouter([
        (r"/", Home),
        (r"/user/(\d+)", User, {"database": database}, "user"),
        (HostMatches(r".*\.example\.com"), [(r"/", Other)]),
    ])
    router.reverse_url("user", 5)  # "/user/5"

An index by the literal text that patterns begin with leaves out the rules that cannot
match, so that five hundred rules cost no more than five.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote, unquote_to_bytes

from wsgitornado._route_index import (
    NOTHING,
    Attempt,
    Candidate,
    Literal,
    RouteIndex,
    WatchedList,
    literal,
    url_pieces,
)
from wsgitornado.log import app_log
from wsgitornado.util import import_object

if TYPE_CHECKING:
    from wsgitornado.httputil.request import HTTPServerRequest

__all__ = [
    "AnyMatches",
    "DefaultHostMatches",
    "HostMatches",
    "Matcher",
    "PathMatches",
    "ReversibleRouter",
    "ReversibleRuleRouter",
    "RouteMatch",
    "Router",
    "Rule",
    "RuleList",
    "RuleRouter",
    "URLSpec",
]

_EMPTY: Mapping[str, Any] = MappingProxyType({})

# How often the attributes of any finished rule were set. Routers compare it.
_edits = 0


class RouteMatch:
    """What a router found: the target, and what it is to be called with.

    It stands where Tornado has an ``HTTPMessageDelegate``: a router here only says who
    answers, and who asked it makes the call.

    Rules without groups give the same object each time, to all threads, and
    ``target_kwargs`` is the rule's own dictionary: nothing in a match is to be
    changed.

    :param target: the target of the rule: a handler class, a WSGI callable, ...
    :param target_kwargs: the keyword arguments of the rule, for ``initialize``.
    :param path_args: the unnamed groups, percent-decoded; None where a group took no
        part in the match.
    :param path_kwargs: the same for named groups.
    """

    __slots__ = ("path_args", "path_kwargs", "target", "target_kwargs")

    def __init__(
        self,
        target: Any,
        target_kwargs: Mapping[str, Any] = _EMPTY,
        path_args: Sequence[bytes | None] = (),
        path_kwargs: Mapping[str, bytes | None] = _EMPTY,
    ) -> None:
        self.target = target
        self.target_kwargs = target_kwargs
        self.path_args = path_args
        self.path_kwargs = path_kwargs

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.target!r}, {dict(self.target_kwargs)!r}, "
            f"{list(self.path_args)!r}, {dict(self.path_kwargs)!r})"
        )


class Matcher:
    """Decides whether a rule applies to a request. A base class."""

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        """Return None if the request does not match; to be overridden.

        A dictionary, which may be empty, means that it matches. Its items are passed
        on as keyword arguments: ``path_args`` and ``path_kwargs`` reach a handler,
        anything else only a router or a :meth:`RuleRouter.get_target_match` that
        knows it.
        """
        raise NotImplementedError(f"{type(self).__name__} must override match()")

    def reverse(self, *args: Any) -> str | None:
        """Return a path that matches, made with these arguments; None by default."""
        return None


class AnyMatches(Matcher):
    """Matches every request."""

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        return {}


class HostMatches(Matcher):
    """Matches requests whose host name, without the port, matches a pattern.

    :param host_pattern: a regular expression. As text it gets a ``$`` at its end if
        it has none; a compiled one is taken as it is. Host names are lower case.
    :raises TypeError: if it is neither text nor a compiled pattern for text.
    """

    def __init__(self, host_pattern: str | re.Pattern[str]) -> None:
        self.host_pattern = _compiled(host_pattern)

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        return {} if self.host_pattern.match(request.host_name) else None


class DefaultHostMatches(Matcher):
    """Matches every request if the application's ``default_host`` matches a pattern.

    It stands after the rules for hosts, for requests that none of these took. An empty
    ``default_host`` matches nothing.

    When the setting ``xheaders`` says that a proxy is in front, a request with an
    ``X-Real-Ip`` is left alone: it came through the proxy and names the host that it
    wants. Without the setting anybody may have written this header, and it counts for
    nothing (Tornado always minds it).

    :param application: has ``default_host`` and ``settings``.
    """

    def __init__(self, application: Any, host_pattern: str | re.Pattern[str]) -> None:
        self.application = application
        self.host_pattern = _compiled(host_pattern)

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        default_host = self.application.default_host
        if not default_host:
            return None
        if self.application.settings.get("xheaders") and "X-Real-Ip" in request.headers:
            return None
        return {} if self.host_pattern.match(default_host) else None


class PathMatches(Matcher):
    r"""Matches requests whose path matches a pattern; its groups become arguments.

    Groups are matched in the path as it was sent, and then percent-decoded, once, to
    bytes; plus signs stay. Unnamed groups give positional arguments and named groups
    keyword arguments: ``/(?P<year>\d+)/(?P<month>\d+)``.

    :param path_pattern: a regular expression. As text it gets a ``$`` at its end if it
        has none; a compiled one is taken as it is, and without a ``$`` it matches
        longer paths too.
    :raises TypeError: if it is neither text nor a compiled pattern for text.
    :raises AssertionError: if some groups have names and some have none.
    """

    def __init__(self, path_pattern: str | re.Pattern[str]) -> None:
        self.regex = _compiled(path_pattern)
        named = len(self.regex.groupindex)
        if named not in (0, self.regex.groups):
            # Tornado's type and words, which programs may have in their tests.
            raise AssertionError(
                "groups in url regexes must either be all named or all positional: "
                f"{self.regex.pattern!r} has {named} named of {self.regex.groups}; "
                "a group that is no argument is written (?:...)"
            )

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        found = self.regex.match(request.path)
        if found is None:
            return None
        if not self.regex.groups:
            return {}
        if self.regex.groupindex:
            return {"path_args": [], "path_kwargs": _named_arguments(found)}
        return {"path_args": list(_arguments(found)), "path_kwargs": {}}

    def reverse(self, *args: Any) -> str | None:
        """Return the path with these arguments in place of the groups, in order.

        Arguments that are not text or bytes go through :class:`str`; all are
        percent-encoded, except for slashes. Outside of the groups the pattern is
        taken literally.

        :raises AssertionError: if there are not as many arguments as groups.
        :raises ValueError: if the pattern is too complicated: with a class like
            ``\\d`` outside of its groups, with groups in groups, or with a
            non-capturing group beside them.
        """
        pieces = self._pieces
        if pieces is None:
            raise ValueError(
                f"Cannot reverse url regex {self.regex.pattern}: outside of its groups "
                "it needs plain text, and no group may hold or be a special one"
            )
        if len(args) != len(pieces) - 1:
            raise AssertionError(
                "required number of arguments not found: "
                f"{self.regex.pattern} takes {len(pieces) - 1}, got {len(args)}"
            )
        return pieces[0] + "".join(
            _quoted(arg) + piece for arg, piece in zip(args, pieces[1:], strict=True)
        )

    @cached_property
    def _pieces(self) -> tuple[str, ...] | None:
        return url_pieces(self.regex)


class Rule:
    """A matcher, the target of the requests that it matches, and what goes along.

    :param matcher: decides about requests.
    :param target: a handler class, a WSGI callable, a :class:`Router`, or a list of
        rules; or the dotted name of one of these, which is imported at once.
    :param target_kwargs: keyword arguments for the target: a handler gets them in
        ``initialize``.
    :param name: the name for ``reverse_url``.
    :raises TypeError: if matcher or target_kwargs are something else.
    :raises ImportError: if a dotted name leads nowhere.
    """

    def __init__(
        self,
        matcher: Matcher,
        target: Any,
        target_kwargs: dict[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        _check_rule(matcher, target_kwargs)
        if isinstance(target, str):
            target = import_object(target)
        self.matcher = matcher
        self.target = target
        self.target_kwargs = {} if target_kwargs is None else target_kwargs
        self.name = name

    def __setattr__(self, attribute: str, value: object) -> None:
        global _edits
        is_edit = attribute in self.__dict__
        super().__setattr__(attribute, value)
        if is_edit:
            _edits += 1

    def reverse(self, *args: Any) -> str | None:
        """Return what :meth:`Matcher.reverse` of the matcher says."""
        return self.matcher.reverse(*args)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.matcher!r}, {self.target!r}, "
            f"kwargs={self.target_kwargs!r}, name={self.name!r})"
        )


class URLSpec(Rule):
    """A rule for paths: the usual element of the list that an Application takes.

    :param pattern: a regular expression for :class:`PathMatches`.
    :param handler: the handler class, or its dotted name. It may be given as
        ``handler_class`` too.
    :param kwargs: keyword arguments for the handler's ``initialize``.
    :param name: the name for ``reverse_url``.
    :raises TypeError: without a handler, or with two.
    """

    def __init__(
        self,
        pattern: str | re.Pattern[str],
        handler: Any = None,
        kwargs: dict[str, Any] | None = None,
        name: str | None = None,
        *,
        handler_class: Any = None,
    ) -> None:
        if (handler is None) == (handler_class is None):
            raise TypeError(
                "a URLSpec needs a handler, once, as handler or as handler_class: "
                f"got {handler!r} and {handler_class!r} for {pattern!r}"
            )
        matcher = PathMatches(pattern)
        target = handler_class if handler is None else handler
        super().__init__(matcher, target, kwargs, name)
        self.regex = matcher.regex
        self.handler_class = self.target
        self.kwargs = kwargs

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.regex.pattern!r}, {self.handler_class!r}, "
            f"kwargs={self.kwargs!r}, name={self.name!r})"
        )


#: The rules that a router takes. A tuple or list has two to four elements: a pattern
#: or a matcher, the target, the keyword arguments, the name.
RuleList: TypeAlias = Iterable[
    Rule
    | list[Any]
    | tuple[str | re.Pattern[str] | Matcher, Any]
    | tuple[str | re.Pattern[str] | Matcher, Any, dict[str, Any] | None]
    | tuple[str | re.Pattern[str] | Matcher, Any, dict[str, Any] | None, str | None]
]


class Router:
    """Finds who answers a request. A base class."""

    def find_handler(
        self, request: HTTPServerRequest, **kwargs: Any
    ) -> RouteMatch | None:
        """Return a match for the request, or None; to be overridden.

        :param kwargs: when the router is itself the target of a rule, what that rule's
            matcher found, and its ``target_kwargs``.
        """
        raise NotImplementedError(f"{type(self).__name__} must override find_handler()")

    def find_below(
        self, request: HTTPServerRequest, **kwargs: Any
    ) -> RouteMatch | None:
        """Return a match for the router that has this one among its targets.

        The same as :meth:`find_handler`, unless the handlers that are found belong to
        this router and no other, as those of an application do.
        """
        return self.find_handler(request, **kwargs)


class ReversibleRouter(Router):
    """A router whose rules have names, from which paths can be made. A base class."""

    def reverse_url(self, name: str, *args: Any) -> str | None:
        """Return the path for the rule of this name, or None; to be overridden."""
        raise NotImplementedError(f"{type(self).__name__} must override reverse_url()")


class RuleRouter(Router):
    """A router made of rules: the first that matches and whose target answers wins.

    :param rules: see :meth:`add_rules`.
    """

    def __init__(self, rules: RuleList | None = None) -> None:
        self.rules = []
        if rules:
            self.add_rules(rules)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "get_target_delegate" in cls.__dict__:
            raise TypeError(
                f"{cls.__qualname__}.get_target_delegate() would never be called: "
                "override get_target_match(), which returns a RouteMatch or None"
            )

    @property
    def rules(self) -> WatchedList[Rule]:
        """The rules in their order. The list may be changed at any time, in place."""
        return self._rules

    @rules.setter
    def rules(self, rules: Iterable[Rule]) -> None:
        if not isinstance(rules, WatchedList):
            rules = WatchedList(rules)
        self._rules: WatchedList[Rule] = rules
        self._index = _Index(self, rules)

    def add_rules(self, rules: RuleList) -> None:
        """Append rules: :class:`Rule` objects, or tuples or lists of their arguments.

        In these, text or a compiled regular expression in place of the matcher is the
        pattern of a :class:`PathMatches`.

        :raises TypeError: if an element is neither, or has something in a wrong place.
        :raises ValueError: if a tuple or list has not two to four elements.
        """
        for rule in rules:
            self._rules.append(self.process_rule(_rule_of(rule)))

    def process_rule(self, rule: Rule) -> Rule:
        """Return the rule to append for a new one; may be overridden.

        A target that is a list or tuple of rules becomes a router with these.
        """
        if isinstance(rule.target, (list, tuple)):
            rule.target = self.nested_router(rule.target)
        return rule

    def nested_router(self, rules: RuleList) -> Router:
        """Make the router for a target that is a list of rules; may be overridden."""
        return RuleRouter(rules)

    def find_handler(
        self, request: HTTPServerRequest, **kwargs: Any
    ) -> RouteMatch | None:
        """Return what the first rule gives that has an answer, or None.

        A rule whose target is a router that finds nothing has none, and the search
        goes on. Keyword arguments are not used: a router below another one matches
        the same request on its own.
        """
        index = self._index
        if index.version is not self._rules.version or index.edits != _edits:
            index = self._index = _Index(self, self._rules)
        path = request.path
        ready = index.ready.get(path)
        if ready is not None:
            return ready
        for attempt in index.attempts(path):
            match = attempt(request, path)
            if match is not None:
                return match
        return None

    def get_target_match(
        self, target: Any, request: HTTPServerRequest, **target_params: Any
    ) -> RouteMatch | None:
        """Return the match for a target whose rule has matched; may be overridden.

        A :class:`Router` is asked in turn, and any other callable is the target of a
        match. None, for everything else, lets the search go on with the next rule.

        :param target_params: what the matcher found, and ``target_kwargs`` if the rule
            has some.
        :raises TypeError: if a matcher found something that no handler can get.
        """
        if isinstance(target, Router):
            return target.find_below(request, **target_params)
        if callable(target):
            return RouteMatch(target, **target_params)
        return None

    def target_is_plain(self, target: Any) -> bool:
        """Whether :meth:`get_target_match` does nothing of its own for a target.

        That is, no more than the method of :class:`RuleRouter`; then it is not called,
        and a match costs less. A subclass that overrides :meth:`get_target_match` may
        override this as well, to say which targets it has no interest in; otherwise it
        sees them all. Asked once for each rule, not for each request.
        """
        return type(self).get_target_match is RuleRouter.get_target_match

    def get_target_delegate(self, target: Any, request: Any, **params: Any) -> Any:
        """Tornado's name for what :meth:`get_target_match` is here.

        :raises NotImplementedError: always: on WSGI there are no message delegates.
        """
        raise NotImplementedError(
            "there are no message delegates on WSGI: "
            "call or override get_target_match(), which returns a RouteMatch or None"
        )


class ReversibleRuleRouter(ReversibleRouter, RuleRouter):
    """A :class:`RuleRouter` whose rules may have names.

    ``named_rules`` holds those that were added by :meth:`~RuleRouter.add_rules`.
    """

    def __init__(self, rules: RuleList | None = None) -> None:
        self.named_rules: dict[str, Rule] = {}
        super().__init__(rules)

    def process_rule(self, rule: Rule) -> Rule:
        """Remember the name of a rule; a second use of it takes it over, and warns."""
        rule = super().process_rule(rule)
        name = rule.name
        if not name:
            return rule
        if self.named_rules.setdefault(name, rule) is not rule:
            app_log.warning(
                "Multiple handlers named %s; replacing previous value", name
            )
            self.named_rules[name] = rule
        return rule

    def nested_router(self, rules: RuleList) -> Router:
        return ReversibleRuleRouter(rules)

    def reverse_url(self, name: str, *args: Any) -> str | None:
        """Return the path for the rule of this name, or None if there is none.

        Names of this router come first, then those of the routers among its targets.
        For the arguments, and what is raised, see :meth:`PathMatches.reverse`.
        """
        rule = self.named_rules.get(name)
        if rule is not None:
            return rule.matcher.reverse(*args)
        for rule in self._rules:
            if isinstance(rule.target, ReversibleRouter):
                path = rule.target.reverse_url(name, *args)
                if path is not None:
                    return path
        return None


class _Index(RouteIndex[RouteMatch]):
    """The index of a router's rules, with what it takes to see that it is outdated."""

    __slots__ = ("edits", "version")

    def __init__(self, router: RuleRouter, rules: WatchedList[Rule]) -> None:
        # Before the rules are read: a change in between makes the next request look
        # again, and never goes unseen.
        self.edits = _edits
        self.version = rules.version
        super().__init__([_candidate(router, rule) for rule in tuple(rules)])


def _candidate(router: RuleRouter, rule: Rule) -> Candidate[RouteMatch]:
    """Say what is known about a rule before any request."""
    matcher, target, target_kwargs = rule.matcher, rule.target, rule.target_kwargs
    is_plain = router.target_is_plain(target)
    is_final = is_plain and callable(target) and not isinstance(target, Router)
    if type(matcher) is AnyMatches:
        if is_final:
            match = RouteMatch(target, target_kwargs)
            return Candidate(NOTHING, lambda request, path: match, certain=match)
        if is_plain and isinstance(target, Router) and not target_kwargs:
            return Candidate(NOTHING, lambda request, path: target.find_below(request))
    if (
        not isinstance(matcher, PathMatches)
        or type(matcher).match is not PathMatches.match
    ):
        return Candidate(NOTHING, _asking(router, rule))
    text = literal(matcher.regex)
    if not is_final:
        return Candidate(text, _asking(router, rule))
    if _takes_one_segment(matcher.regex, text.text):
        return Candidate(text, _one_segment(text.text, target, target_kwargs))
    if matcher.regex.groups:
        return Candidate(text, _capturing(matcher.regex, target, target_kwargs))
    match = RouteMatch(target, target_kwargs)
    if text.is_whole:
        return Candidate(text, lambda request, path: match, certain=match)
    search = matcher.regex.match
    return Candidate(text, lambda request, path: match if search(path) else None)


def _asking(router: RuleRouter, rule: Rule) -> Attempt[RouteMatch]:
    """Ask the matcher, and then the router what becomes of the target."""

    def attempt(request: HTTPServerRequest, path: str) -> RouteMatch | None:
        params = rule.matcher.match(request)
        if params is None:
            return None
        if rule.target_kwargs:
            params = {**params, "target_kwargs": rule.target_kwargs}
        return router.get_target_match(rule.target, request, **params)

    return attempt


def _takes_one_segment(regex: re.Pattern[str], prefix: str) -> bool:
    """Whether a pattern is plain text, then ``([^/]+)$``."""
    before, group, after = regex.pattern.partition("([^/]+)$")
    if not group or after or regex.groups != 1:
        return False
    return literal(re.compile(before + "$", regex.flags)) == Literal(prefix, True)


def _one_segment(
    prefix: str, target: Any, kwargs: dict[str, Any]
) -> Attempt[RouteMatch]:
    """The commonest pattern, ``prefix([^/]+)$``, without a regular expression.

    Asked only for paths that begin with the prefix: what is left is the argument,
    unless it is empty or has a slash in it.
    """
    length = len(prefix)
    new = object.__new__

    def attempt(request: HTTPServerRequest, path: str) -> RouteMatch | None:
        segment = path[length:]
        if not segment or "/" in segment:
            return None
        # RouteMatch() written out: half of its cost is the call of __init__.
        match = new(RouteMatch)
        match.target = target
        match.target_kwargs = kwargs
        match.path_args = (
            unquote_to_bytes(segment) if "%" in segment else segment.encode(),
        )
        match.path_kwargs = _EMPTY
        return match

    return attempt


def _capturing(
    regex: re.Pattern[str], target: Any, kwargs: dict[str, Any]
) -> Attempt[RouteMatch]:
    """Match a path, and take its groups for arguments."""
    search = regex.match

    def single(request: HTTPServerRequest, path: str) -> RouteMatch | None:
        found = search(path)
        if found is None:
            return None
        return RouteMatch(target, kwargs, (_argument(found[1]),))

    def positional(request: HTTPServerRequest, path: str) -> RouteMatch | None:
        found = search(path)
        if found is None:
            return None
        return RouteMatch(target, kwargs, _arguments(found))

    def named(request: HTTPServerRequest, path: str) -> RouteMatch | None:
        found = search(path)
        if found is None:
            return None
        return RouteMatch(target, kwargs, (), _named_arguments(found))

    if regex.groupindex:
        return named
    return single if regex.groups == 1 else positional


def _rule_of(rule: Any) -> Rule:
    """Return the rule that a tuple or list describes; a rule as it is."""
    if isinstance(rule, Rule):
        return rule
    if not isinstance(rule, (tuple, list)):
        raise TypeError(
            "a rule is a Rule, a URLSpec, or a tuple (pattern, target, kwargs, name): "
            f"got {rule!r}"
        )
    if not 2 <= len(rule) <= 4:
        raise ValueError(
            "a rule has two to four elements, (pattern, target, kwargs, name): "
            f"got {len(rule)} in {rule!r}"
        )
    matcher, *rest = rule
    if isinstance(matcher, (str, re.Pattern)):
        matcher = PathMatches(matcher)
    return Rule(matcher, *rest)


def _check_rule(matcher: object, target_kwargs: object) -> None:
    if not callable(getattr(matcher, "match", None)) or isinstance(matcher, re.Pattern):
        raise TypeError(
            f"the matcher of a rule must be a Matcher: got {matcher!r}; "
            "for a pattern use URLSpec or PathMatches"
        )
    if target_kwargs is not None and not isinstance(target_kwargs, Mapping):
        hint = ""
        if isinstance(target_kwargs, str):
            hint = f"; a name comes after them: {{}}, {target_kwargs!r}"
        raise TypeError(
            "the keyword arguments of a rule must be a dict or None: "
            f"got {target_kwargs!r}{hint}"
        )


def _compiled(pattern: str | re.Pattern[str]) -> re.Pattern[str]:
    text = pattern.pattern if isinstance(pattern, re.Pattern) else pattern
    if not isinstance(text, str):
        raise TypeError(
            "a pattern must be a str or a compiled regular expression for str: "
            f"got {pattern!r}"
        )
    if isinstance(pattern, re.Pattern):
        return pattern
    return re.compile(pattern if pattern.endswith("$") else pattern + "$")


def _arguments(found: re.Match[str]) -> tuple[bytes | None, ...]:
    return tuple(map(_argument, found.groups()))


def _named_arguments(found: re.Match[str]) -> dict[str, bytes | None]:
    return {name: _argument(value) for name, value in found.groupdict().items()}


def _argument(group: str | None) -> bytes | None:
    """Percent-decode a group once; plus signs mean themselves in a path."""
    if group is None:
        return None
    return unquote_to_bytes(group) if "%" in group else group.encode()


def _quoted(arg: Any) -> str:
    return quote(arg if isinstance(arg, (str, bytes)) else str(arg))
