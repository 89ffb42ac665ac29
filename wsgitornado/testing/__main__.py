"""``python -m wsgitornado.testing tests.test_rooms``: run tests by their names."""

from __future__ import annotations

from typing import NoReturn

from wsgitornado.testing.program import main


def all() -> NoReturn:  # noqa: A001 - what main() runs if it is told nothing
    """There is nothing here to run."""
    raise SystemExit("No tests specified")


if __name__ == "__main__":
    main()
