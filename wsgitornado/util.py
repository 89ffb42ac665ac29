"""Small tools of Tornado's ``util``: imports by name, configurable classes, gunzip."""

from __future__ import annotations

import builtins
import inspect
import re
import sys
import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from types import CodeType, TracebackType
from typing import Any, Generic, NoReturn, Self, TypeAlias, TypeVar, overload

__all__ = [
    "PY3",
    "ArgReplacer",
    "Configurable",
    "GzipDecompressor",
    "ObjectDict",
    "TimeoutError",
    "b",
    "basestring_type",
    "bytes_type",
    "errno_from_exception",
    "exec_in",
    "import_object",
    "is_finalizing",
    "raise_exc_info",
    "re_unescape",
    "timedelta_to_seconds",
    "u",
    "unicode_type",
]

_T = TypeVar("_T")

#: Names from the days of two Pythons; programs that were written then still ask them.
PY3 = True
bytes_type = bytes
unicode_type = str
basestring_type = str

#: Raised when a wait took too long; also reachable as ``gen.TimeoutError`` and
#: ``ioloop.TimeoutError``. Since Python 3.11 the built-in exception and the one of
#: asyncio are the same class, and this is it.
TimeoutError = builtins.TimeoutError  # noqa: A001 - Tornado's name

#: Whether the interpreter is shutting down: :func:`sys.is_finalizing`.
is_finalizing = sys.is_finalizing


def u(text: str) -> str:
    """Return ``text``: once the mark of a text literal in code for two Pythons."""
    return text


def b(text: str) -> bytes:
    """Return ``text`` as Latin-1 bytes: once the mark of a byte literal."""
    return text.encode("latin-1")


class ObjectDict(dict[str, Any]):
    """A dictionary whose items are attributes as well.

    >>> user = ObjectDict(name="Ada")
    >>> user.role = "author"
    >>> user.name, user["role"]
    ('Ada', 'author')

    Reading an attribute that is no key raises AttributeError. Names that ``dict``
    itself uses (``items``, ``get``) can be set, but are read by subscription only.
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


class cached_property(Generic[_T]):  # noqa: N801 - a decorator, named like ``property``
    """A method that is called at most once per object and then is a plain attribute.

    The result is stored in the object's ``__dict__`` under the method's name. This is a
    non-data descriptor, so that from the second access on Python finds the stored value
    without calling anything; ``del`` makes the next access compute again, and the value
    may be set before.

    ``functools.cached_property`` of Python 3.11 takes one lock for all objects of the
    class at each first access: it costs more than most values, and a slow value of one
    request would hold up the others. Without a lock, two threads that meet at
    the first access both compute; the later result stays. Internal, for objects that
    belong to one request.
    """

    def __init__(self, function: Callable[[Any], _T]) -> None:
        self.function = function
        self.name = function.__name__
        self.__doc__ = function.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type | None = None) -> _T: ...

    def __get__(self, instance: object, owner: type | None = None) -> Self | _T:
        if instance is None:
            return self
        value = self.function(instance)
        instance.__dict__[self.name] = value
        return value


def import_object(name: str) -> Any:
    """Import a module, or something in a module, by its dotted name.

    >>> import_object("os.path") is __import__("os").path
    True
    >>> import_object("os.path.join") is __import__("os").path.join
    True

    The name of an attribute may only be the last part. Raises ImportError, with the
    whole name in its ``name``, when the module has no such thing; what goes wrong while
    the module is imported comes out unchanged.
    """
    module_name, _, attribute = name.rpartition(".")
    if not module_name:
        return __import__(name)
    # The list of names makes __import__ return the inner module, and import
    # ``attribute`` first where that is a submodule.
    module = __import__(module_name, fromlist=[attribute])
    try:
        return getattr(module, attribute)
    except AttributeError:
        raise ImportError(
            f"module {module_name!r} has no {attribute!r}", name=name
        ) from None


def exec_in(
    code: str | bytes | CodeType,
    glob: dict[str, Any],
    loc: Mapping[str, Any] | None = None,
) -> None:
    """Execute ``code`` in the namespace ``glob`` (and ``loc``, if given).

    Source text is compiled without the ``from __future__`` imports of this module.
    """
    if not isinstance(code, CodeType):
        code = compile(code, "<string>", "exec", dont_inherit=True)
    exec(code, glob, loc)  # noqa: S102 - executing is what the caller asks for


def raise_exc_info(
    exc_info: tuple[
        type[BaseException] | None, BaseException | None, TracebackType | None
    ],
) -> NoReturn:
    """Raise the exception of a ``sys.exc_info()`` again, with its own traceback.

    Raises TypeError if there is none.
    """
    _, error, traceback = exc_info
    if error is None:
        raise TypeError("raise_exc_info called with no exception")
    try:
        raise error.with_traceback(traceback)
    finally:
        # The traceback now holds this frame; the frame must not hold the traceback.
        del exc_info, error, traceback


def errno_from_exception(e: BaseException) -> int | None:
    """Return the error number of an exception, however it carries it.

    That is its ``errno``, or its first argument if it has no such attribute, or None.
    """
    if hasattr(e, "errno"):
        number: int | None = e.errno
        return number
    return e.args[0] if e.args else None


_ESCAPED_CHARACTER = re.compile(r"\\(.)", re.DOTALL)


def re_unescape(s: str) -> str:
    r"""Undo :func:`re.escape`.

    >>> re_unescape(r"a\.b")
    'a.b'

    Raises ValueError for an escape that ``re.escape`` never writes: a backslash before
    an ASCII letter or digit (``\d``), which means a pattern and not a text.
    """
    return _ESCAPED_CHARACTER.sub(_unescaped, s)


def _unescaped(match: re.Match[str]) -> str:
    character = match[1]
    if character.isascii() and character.isalnum():
        raise ValueError(f"cannot unescape {match[0]!r}: it stands for no single text")
    return character


def timedelta_to_seconds(td: timedelta) -> float:
    """Return ``td.total_seconds()``."""
    return td.total_seconds()


_Configuration: TypeAlias = "tuple[type[Configurable] | None, dict[str, Any] | None]"


class Configurable:
    """A class whose calls make an object of some subclass, chosen once per program.

    The base (the class that :meth:`configurable_base` names) is called as if it were
    the implementation: ``AsyncHTTPClient()`` gives an object of the class that was
    passed to ``AsyncHTTPClient.configure``, or else of :meth:`configurable_default`. A
    subclass that is called by its own name is made as it is.

    Implementations define :meth:`initialize` in place of ``__init__``. ``configure`` is
    for the start of a program: it is not meant to race with other threads.
    """

    #: The chosen class and its arguments, in the namespace of each base.
    __configuration: _Configuration = (None, None)

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        base = cls.configurable_base()
        implementation = cls
        if cls is base:
            implementation = cls.configured_class()
            kwargs = (cls._save_configuration()[1] or {}) | kwargs
        if implementation.configurable_base() is not base:
            # The chosen class is itself the base of others, and makes its own choice.
            return implementation(*args, **kwargs)
        instance = super().__new__(implementation)
        # The two levels of arguments are known only here: __init__ would get the
        # caller's alone.
        instance.initialize(*args, **kwargs)
        return instance

    @classmethod
    def configurable_base(cls) -> type[Configurable]:
        """Return the base of the family: to be overridden, usually to return itself."""
        raise NotImplementedError(f"{cls.__qualname__} must define configurable_base()")

    @classmethod
    def configurable_default(cls) -> type[Configurable]:
        """Return the class to use when nothing was configured: to be overridden."""
        raise NotImplementedError(
            f"{cls.__qualname__} must define configurable_default()"
        )

    def _initialize(self) -> None:
        pass

    #: Called in place of ``__init__``, with the arguments of ``configure`` and those of
    #: the call, which win. Does nothing and takes nothing unless overridden.
    initialize: Callable[..., None] = _initialize

    @classmethod
    def configure(cls, impl: str | type[Configurable] | None, **kwargs: Any) -> None:
        """Choose the class of which calls of the base make objects.

        :param impl: a subclass, or its dotted name, or None for the default.
        :param kwargs: arguments for each object that the base makes; those of an
            earlier call of ``configure`` are dropped.

        Raises ValueError if ``impl`` is no subclass of the class that is configured.
        """
        chosen = import_object(impl) if isinstance(impl, str) else impl
        if chosen is not None and not issubclass(chosen, cls):
            raise ValueError(f"invalid subclass of {cls!r}: {chosen!r}")
        cls._restore_configuration((chosen, kwargs))

    @classmethod
    def configured_class(cls) -> type[Configurable]:
        """Return the class of which calls of the base make objects now."""
        return cls._save_configuration()[0] or cls.configurable_default()

    @classmethod
    def _save_configuration(cls) -> _Configuration:
        """Return what ``configure`` was given: for tests that restore it."""
        # Not by attribute: a base below another base makes its own choice.
        own = vars(cls.configurable_base())
        saved: _Configuration = own.get("_Configurable__configuration", (None, None))
        return saved

    @classmethod
    def _restore_configuration(cls, saved: _Configuration) -> None:
        cls.configurable_base().__configuration = saved


class ArgReplacer:
    """Finds one argument, by its name, in the ``args, kwargs`` of a call.

    For decorators that look at an argument which the caller may pass by position or by
    keyword.

    >>> def fetch(url, callback=None): ...
    >>> callback = ArgReplacer(fetch, "callback")
    >>> callback.get_old_value(["/", print], {}) is print
    True
    >>> callback.replace(repr, ["/"], {})
    (None, ['/'], {'callback': <built-in function repr>})

    ``func`` itself is looked at, not what it wraps; of a bound method, ``self`` counts.
    Raises TypeError for a callable that does not tell its arguments.
    """

    def __init__(self, func: Callable[..., Any], name: str) -> None:
        self.name = name
        #: The position of the argument, or None if it can only come by keyword.
        self.arg_pos: int | None = None
        positional = inspect.getfullargspec(func).args
        if name in positional:
            self.arg_pos = positional.index(name)

    def get_old_value(
        self, args: Sequence[Any], kwargs: dict[str, Any], default: Any = None
    ) -> Any:
        """Return the argument, or ``default`` if the call does not pass it."""
        position = self.arg_pos
        if position is None or position >= len(args):
            return kwargs.get(self.name, default)
        return args[position]

    def replace(
        self, new_value: Any, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> tuple[Any, Sequence[Any], dict[str, Any]]:
        """Put ``new_value`` in the place of the argument.

        Returns the old value (None if there was none), the positional arguments, as a
        new list if they changed, and ``kwargs``, which is changed in place otherwise.
        """
        old_value = self.get_old_value(args, kwargs)
        if self.arg_pos is not None and len(args) > self.arg_pos:
            args = list(args)
            args[self.arg_pos] = new_value
        else:
            kwargs[self.name] = new_value
        return old_value, args, kwargs


class GzipDecompressor:
    """Inflates a gzip stream that arrives in parts.

    Several members one after the other are one stream (RFC 1952, section 2.2).
    Everything here that is not gzip raises :exc:`zlib.error`.
    """

    #: zlib copies the rest of its input at the end of each member. With blocks of this
    #: size a stream of nothing but tiny members costs linear time, too.
    _BLOCK = 4096

    def __init__(self) -> None:
        # None between two members.
        self._member: zlib._Decompress | None = None
        self._unconsumed_tail = b""

    def decompress(self, value: bytes, max_length: int = 0) -> bytes:
        """Return the next part of the output, as far as ``value`` yields it.

        :param max_length: return at most so many bytes. What was not read of ``value``
            is then in :attr:`unconsumed_tail` and must come again before anything else.
            0 means no bound, which lets a few bytes of input fill the memory: it warns
            with DeprecationWarning, as in Tornado.

        Raises ValueError if ``max_length`` is negative.
        """
        if not max_length:
            warnings.warn(
                "GzipDecompressor.decompress without max_length is deprecated",
                DeprecationWarning,
                stacklevel=2,
            )
        output = []
        room = max_length
        unread = memoryview(value)
        while unread:
            if self._member is None:
                self._member = zlib.decompressobj(16 + zlib.MAX_WBITS)
            block = unread[: self._BLOCK]
            part = self._member.decompress(block, room)
            output.append(part)
            left = self._member.unused_data or self._member.unconsumed_tail
            unread = unread[len(block) - len(left) :]
            if self._member.eof:
                self._member = None
            if max_length:
                room -= len(part)
                if not room:
                    break
        self._unconsumed_tail = bytes(unread)
        return b"".join(output)

    @property
    def unconsumed_tail(self) -> bytes:
        """The input that the last call of :meth:`decompress` left unread."""
        return self._unconsumed_tail

    def flush(self) -> bytes:
        """Check that the stream is complete, at its end; returns no bytes.

        Raises ValueError while there is an :attr:`unconsumed_tail`, and zlib.error if
        the stream broke off.
        """
        if self._unconsumed_tail:
            raise ValueError(
                "unconsumed_tail must be passed to decompress before flush"
            )
        if self._member is not None:
            raise zlib.error("incomplete or truncated gzip stream")
        return b""


def _websocket_mask(mask: bytes, data: bytes) -> bytes:
    """Apply a WebSocket mask to a payload, or take it off (RFC 6455, section 5.3).

    Byte ``i`` is combined by XOR with byte ``i % 4`` of the mask. The payload is taken
    as one large number, so that no byte costs a step of Python.
    """
    if len(mask) != 4:
        raise ValueError("mask must be 4 bytes")
    length = len(data)
    key = (bytes(mask) * (length // 4 + 1))[:length]
    masked = int.from_bytes(data, "little") ^ int.from_bytes(key, "little")
    return masked.to_bytes(length, "little")
