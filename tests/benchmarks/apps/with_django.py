"""The programs as Django views, without middleware.

The ETag is computed in the program (Django's middleware would use MD5). The package
has no annotations, hence ``Any``.
"""

from __future__ import annotations

import types
from typing import Any

import django  # type: ignore[import-untyped]  # it has no annotations
from django.conf import settings  # type: ignore[import-untyped]  # as above
from django.core.handlers.wsgi import (  # type: ignore[import-untyped]  # as above
    WSGIHandler,
    WSGIRequest,
)
from django.http import (  # type: ignore[import-untyped]  # as above
    HttpResponse,
    JsonResponse,
)
from django.shortcuts import render  # type: ignore[import-untyped]  # as above
from django.urls import path  # type: ignore[import-untyped]  # as above
from django.views.static import serve  # type: ignore[import-untyped]  # as above

from tests.benchmarks.apps.templates import DJANGO
from tests.benchmarks.cases import (
    COOKIE,
    COOKIE_SECRET,
    FORM_NAMES,
    GREETING,
    HELLO,
    JSON_OBJECT,
    QUERY_NAMES,
    ROWS,
    TITLE,
    etag_of,
    static_folder,
)


def hello(request: Any) -> Any:
    body = HELLO.encode()
    return HttpResponse(body, headers={"Etag": etag_of(body)})


def json_object(request: Any) -> Any:
    return JsonResponse(JSON_OBJECT)


def greeting(request: Any, name: str) -> Any:
    return HttpResponse(GREETING % name)


def form(request: Any) -> Any:
    values = [request.GET[name] for name in QUERY_NAMES]
    values += [request.POST[name] for name in FORM_NAMES]
    return HttpResponse(",".join(values))


def signed_cookie(request: Any) -> Any:
    visits = int(request.get_signed_cookie(COOKIE, 0)) + 1
    response = HttpResponse(str(visits))
    response.set_signed_cookie(COOKIE, str(visits))
    return response


def rows(request: Any) -> Any:
    return render(request, "rows.html", {"title": TITLE, "rows": ROWS})


def upload(request: Any) -> Any:
    return HttpResponse(str(len(request.FILES["file"].read())))


def _application(*patterns: Any) -> Any:
    """A WSGI callable with these routes.

    Django has one table of routes in a process unless a request brings its own, which
    here its class does.
    """
    routes = types.ModuleType("routes")
    vars(routes)["urlpatterns"] = list(patterns)
    _configure()
    application = WSGIHandler()
    application.request_class = type("Request", (WSGIRequest,), {"urlconf": routes})
    return application


def _configure() -> None:
    if settings.configured:
        return
    loader = ("django.template.loaders.locmem.Loader", {"rows.html": DJANGO})
    settings.configure(
        ALLOWED_HOSTS=["*"],
        LOGGING_CONFIG=None,
        MIDDLEWARE=[],
        ROOT_URLCONF=types.ModuleType("no_routes"),
        SECRET_KEY=COOKIE_SECRET,
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {"loaders": [loader]},
            }
        ],
    )
    django.setup()


def _routes(count: int) -> Any:
    return _application(
        *[path(f"section{number}/<str:name>", greeting) for number in range(count)]
    )


def _static() -> Any:
    folder = {"document_root": static_folder()}
    return _application(path("static/<path:path>", serve, folder))


BUILDERS = {
    "hello": lambda: _application(path("", hello)),
    "json": lambda: _application(path("json", json_object)),
    "path50": lambda: _routes(50),
    "path500": lambda: _routes(500),
    "form": lambda: _application(path("form", form)),
    "cookie": lambda: _application(path("cookie", signed_cookie)),
    "template": lambda: _application(path("rows", rows)),
    "404": lambda: _application(path("", hello)),
    "upload": lambda: _application(path("upload", upload)),
    "static4k": _static,
    "static1m": _static,
}
