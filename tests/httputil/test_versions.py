"""The cache of versions: bounded, shared by threads, and dropped for what changes."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from wsgitornado.httputil.versions import Version, VersionCache, appearance

SEEN = (1, 2, 3)


def filled(count: int, limit: int) -> VersionCache:
    cache = VersionCache()
    for number in range(count):
        cache.put(number, Version(str(number), SEEN), limit)
    return cache


@pytest.mark.parametrize(("count", "left"), [(10, 10), (11, 10), (1000, 10)])
def test_no_more_versions_are_kept_than_the_limit(count: int, left: int) -> None:
    cache = filled(count, limit=10)
    assert len(cache) == left
    assert cache.get(count - 1) == ((str(count - 1)), SEEN)


def test_the_one_not_used_for_longest_is_forgotten() -> None:
    cache = filled(3, limit=3)
    assert cache.get(0) is not None
    cache.put(3, Version("3", SEEN), 3)
    assert [cache.get(key) is not None for key in range(4)] == [
        True,
        False,
        True,
        True,
    ]


def test_version_of_a_file_that_looks_otherwise_is_forgotten() -> None:
    cache = filled(2, limit=10)
    cache.forget_unless(0, SEEN)
    cache.forget_unless(1, (1, 2, 4))
    cache.forget_unless("unknown", SEEN)
    assert cache.get(0) is not None
    assert cache.get(1) is None


def test_forgetting_what_is_not_there_is_no_error() -> None:
    cache = filled(1, limit=10)
    cache.forget("unknown")
    cache.clear()
    assert len(cache) == 0


@pytest.mark.parametrize("change", ["size", "time", "file"])
def test_a_file_that_was_changed_looks_otherwise(tmp_path: Path, change: str) -> None:
    file = tmp_path / "file"
    file.write_text("one")
    before = appearance(file.stat())
    assert appearance(file.stat()) == before
    if change == "size":
        file.write_text("longer")
    elif change == "time":
        os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))
    else:
        other = tmp_path / "other"
        other.write_text("two")
        other.replace(file)
    assert appearance(file.stat()) != before


def test_threads_share_it() -> None:
    cache = VersionCache()
    failures: list[BaseException] = []

    def use(offset: int) -> None:
        try:
            for number in range(2000):
                key = (number + offset) % 20
                cache.get(key)
                cache.put(key, Version(None, None), 10)
                cache.forget((key + 1) % 20)
        except BaseException as error:  # told to the test
            failures.append(error)

    threads = [threading.Thread(target=use, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(cache) <= 10
