"""``python -m examples.library``: the library on waitress, or on what is asked for."""

from __future__ import annotations

import sys

from wsgitornado.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["serve", "examples.library:app", *sys.argv[1:]]))
