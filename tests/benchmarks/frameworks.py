"""Which frameworks there are, and which of them are installed here."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.cases import Case, Request
from tests.benchmarks.clients import Client, WSGIClient

__all__ = ["FRAMEWORKS", "Framework", "installed"]


@dataclass(frozen=True)
class Framework:
    """A column of the table: what must be installed, and where its programs are."""

    name: str
    package: str
    module: str

    def application(self, case: Case) -> Any:
        """A fresh application for the case, or None where the framework has none."""
        builder = self._programs().BUILDERS.get(case.name)
        return None if builder is None else builder()

    def client(self, case: Case) -> Client | None:
        """What asks that application, its cookie fetched; None where there is none."""
        application = self.application(case)
        if application is None:
            return None
        connect: Callable[[Any, Request], Client]
        connect = getattr(self._programs(), "connect", WSGIClient)
        request = case.request
        if case.brings_cookie:
            request = _with_cookie(connect(application, request), request)
        return connect(application, request)

    def _programs(self) -> Any:
        return importlib.import_module(f"tests.benchmarks.apps.{self.module}")


def _with_cookie(client: Client, request: Request) -> Request:
    cookie, _, _ = client.ask().headers["set-cookie"].partition(";")
    return Request(path=request.path, cookie=cookie)


#: All of them by name, in the order of the columns.
FRAMEWORKS = {
    framework.name: framework
    for framework in [
        Framework("bare", "wsgiref", "bare"),
        Framework("ours", "wsgitornado", "with_wsgitornado"),
        Framework("falcon", "falcon", "with_falcon"),
        Framework("bottle", "bottle", "with_bottle"),
        Framework("flask", "flask", "with_flask"),
        Framework("django", "django", "with_django"),
        Framework("tornado", "tornado", "with_tornado"),
    ]
}


def installed() -> list[str]:
    """The names of the frameworks that can be asked here."""
    return [
        name
        for name, framework in FRAMEWORKS.items()
        if importlib.util.find_spec(framework.package) is not None
    ]
