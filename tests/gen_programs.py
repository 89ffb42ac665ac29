"""Small programs that run on Tornado's gen and on ours, to be compared."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import tornado.concurrent
import tornado.gen

import wsgitornado.concurrent
import wsgitornado.gen

__all__ = ["Package", "Program", "run"]


@dataclass
class Package:
    """One of the two, and what was seen while a program ran on it."""

    name: str
    gen: Any
    concurrent: Any
    seen: list[object] = field(default_factory=list)

    def see(self, what: object) -> None:
        self.seen.append(what)

    def coroutine(self, function: Callable[..., Any]) -> Callable[..., Any]:
        decorated: Callable[..., Any] = self.gen.coroutine(function)
        return decorated

    def done(self, value: object) -> Any:
        future = self.concurrent.Future()
        future.set_result(value)
        return future

    def failed(self, error: BaseException) -> Any:
        future = self.concurrent.Future()
        future.set_exception(error)
        return future

    def later(self, value: object) -> Any:
        """A future that has its result two turns from now."""
        future = self.concurrent.Future()
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, future.set_result, value)
        return future

    def attempt(self, function: Callable[..., object], *args: Any, **kw: Any) -> None:
        """Note the kind of the exception that a call raises."""
        try:
            function(*args, **kw)
        except Exception as error:
            self.see(type(error).__name__)
        else:
            self.see("nothing raised")


class LogOf(logging.Filter):
    """What is logged for programs to see; it goes no further."""

    def __init__(self, package: Package) -> None:
        super().__init__()
        self.package = package

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        self.package.see((record.levelname, record.msg, repr(error)))
        return False


#: A generator, which runs as a coroutine of the package that is its argument.
Program = Callable[[Package], Any]


def run(name: str, function: Program) -> tuple[object, list[object]]:
    """The result of a program, or its exception, and what was seen."""
    modules = {
        "tornado": (tornado.gen, tornado.concurrent),
        "wsgitornado": (wsgitornado.gen, wsgitornado.concurrent),
    }
    package = Package(name, *modules[name])
    logger = logging.getLogger(f"{name}.application")
    collect = LogOf(package)

    def complain(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # When what nobody asked for is complained about is up to the collector.
        if "never retrieved" not in context["message"]:
            package.see(repr(context))

    async def main() -> object:
        asyncio.get_running_loop().set_exception_handler(complain)
        try:
            return await package.coroutine(function)(package)
        finally:
            # What a failure has left behind comes to its end as well.
            for _ in range(50):
                await asyncio.sleep(0)

    logger.addFilter(collect)
    try:
        result: object = asyncio.run(main())
    except (Exception, asyncio.CancelledError) as error:
        result = f"raised {error!r}"
    finally:
        logger.removeFilter(collect)
    return result, package.seen
