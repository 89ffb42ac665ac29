"""The version of the package, for those who import nothing else of it."""

from __future__ import annotations

__all__ = ["version", "version_info"]

#: The version of this package, as text.
version = "0.1.0"

#: The same as four numbers, for comparisons: major, minor, patch, and 0 for a release.
version_info = (0, 1, 0, 0)
