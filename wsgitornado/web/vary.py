"""Vary: what a cache has to look at before it gives an answer to another client."""

from __future__ import annotations

from wsgitornado.httputil.headers import HTTPHeaders

__all__ = ["vary_by"]


def vary_by(headers: HTTPHeaders, name: str) -> None:
    """Add the name of a request header to Vary, unless it is there or in ``*``."""
    vary = headers.get("Vary")
    if not vary:
        headers["Vary"] = name
        return
    names = {listed.strip().lower() for listed in vary.split(",")}
    if names.isdisjoint({"*", name.lower()}):
        headers["Vary"] = f"{vary}, {name}"
