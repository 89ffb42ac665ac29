"""Addresses of hosts."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import tornado.netutil

from tests.loops import run_program
from wsgitornado import netutil
from wsgitornado.netutil import (
    BlockingResolver,
    DefaultExecutorResolver,
    DefaultLoopResolver,
    ExecutorResolver,
    OverrideResolver,
    Resolver,
    ThreadedResolver,
)

ALL = [
    Resolver,
    DefaultLoopResolver,
    DefaultExecutorResolver,
    ExecutorResolver,
    BlockingResolver,
    ThreadedResolver,
]


@pytest.fixture(autouse=True)
def no_threads_are_kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(ThreadedResolver, "_pid", None)
    monkeypatch.setattr(ThreadedResolver, "_threads", None)
    yield
    if ThreadedResolver._threads is not None:
        ThreadedResolver._threads.shutdown()


def resolve(resolver: Any, *args: Any) -> Any:
    async def main() -> Any:
        return await resolver.resolve(*args)

    return asyncio.run(main())


@pytest.mark.parametrize("kind", ALL)
def test_all_give_what_tornado_gives(kind: type[Resolver]) -> None:
    resolver = kind()
    for args in (
        ("127.0.0.1", 80),
        ("localhost", 80, socket.AF_INET),
        ("::1", 8080),
    ):
        theirs = resolve(tornado.netutil.Resolver(), *args)
        assert resolve(resolver, *args) == theirs
    resolver.close()
    resolver.close()


@pytest.mark.parametrize("kind", ALL)
def test_name_that_nobody_knows_is_an_error(kind: type[Resolver]) -> None:
    with pytest.raises(socket.gaierror):
        resolve(kind(), "127.0.0.1", 80, socket.AF_INET6)


@pytest.mark.parametrize(
    ("kind", "is_elsewhere"),
    [(DefaultLoopResolver, True), (ThreadedResolver, True), (BlockingResolver, False)],
)
def test_loop_stands_still_only_for_the_one_that_says_so(
    monkeypatch: pytest.MonkeyPatch, kind: type[Resolver], is_elsewhere: bool
) -> None:
    ask = socket.getaddrinfo
    threads: list[threading.Thread] = []

    def remember(*args: Any) -> Any:
        threads.append(threading.current_thread())
        return ask(*args)

    monkeypatch.setattr(socket, "getaddrinfo", remember)
    resolve(kind(), "localhost", 80, socket.AF_INET)
    assert (threads[0] is not threading.current_thread()) is is_elsewhere


def test_program_may_choose_its_resolver() -> None:
    saved = Resolver._save_configuration()
    try:
        Resolver.configure("wsgitornado.netutil.ThreadedResolver", num_threads=3)
        resolver = Resolver()
    finally:
        Resolver._restore_configuration(saved)
    assert isinstance(resolver, ThreadedResolver)
    assert isinstance(resolver.executor, concurrent.futures.ThreadPoolExecutor)
    assert resolver.executor._max_workers == 3
    # All share the threads of the first.
    assert ThreadedResolver().executor is resolver.executor


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this machine cannot fork")
def test_child_has_threads_of_its_own() -> None:
    done = run_program(
        """
        import asyncio, os, socket
        from wsgitornado.netutil import ThreadedResolver

        async def main():
            return await ThreadedResolver().resolve("127.0.0.1", 80)

        print(asyncio.run(main()), flush=True)
        child = os.fork()
        if child == 0:
            print(asyncio.run(main()), flush=True)
            os._exit(0)
        print(os.waitpid(child, 0)[1])
        """,
        "-W",
        "ignore::DeprecationWarning",
    )
    assert done.stderr == ""
    first, second, status = done.stdout.splitlines()
    assert first == second
    assert status == "0"


@pytest.mark.parametrize("is_asked_to", [False, True], ids=["kept", "closed"])
def test_own_executor_is_shut_down_if_asked_for(is_asked_to: bool) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        resolver = ExecutorResolver(executor, close_executor=is_asked_to)
        assert resolve(resolver, "127.0.0.1", 80)
        resolver.close()
        if is_asked_to:
            with pytest.raises(RuntimeError):
                executor.submit(print)
        else:
            executor.submit(int).result()


def test_resolver_must_resolve() -> None:
    class Useless(Resolver):
        pass

    with pytest.raises(NotImplementedError, match="Useless must define resolve"):
        Useless().resolve("localhost", 80)


MAPPING = {
    "example.com": "127.0.1.1",
    ("login.example.com", 443): ("127.0.0.2", 1443),
    ("login.example.com", 443, socket.AF_INET6): ("::1", 2443),
}


@pytest.mark.parametrize(
    ("args", "address"),
    [
        pytest.param(("example.com", 80), ("127.0.1.1", 80), id="host"),
        pytest.param(
            ("login.example.com", 443), ("127.0.0.2", 1443), id="host and port"
        ),
        pytest.param(
            ("login.example.com", 443, socket.AF_INET6),
            ("::1", 2443, 0, 0),
            id="host, port and family",
        ),
        pytest.param(("127.0.0.3", 80), ("127.0.0.3", 80), id="none"),
    ],
)
def test_some_hosts_are_taken_for_others(args: Any, address: Any) -> None:
    for module in (netutil, tornado.netutil):
        resolver = module.OverrideResolver(resolver=module.Resolver(), mapping=MAPPING)
        assert [found for _, found in resolve(resolver, *args)] == [address]


def test_override_closes_what_it_asks() -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        OverrideResolver(ExecutorResolver(executor), {}).close()
        with pytest.raises(RuntimeError):
            executor.submit(print)
