"""The application: our handlers first, Django for the rest."""

from __future__ import annotations

import fcntl
import os
from typing import Any

from django.conf import settings as django_settings  # type: ignore[import-untyped]  # as above
from django.core.management import call_command  # type: ignore[import-untyped]  # it has no annotations
from django.core.wsgi import get_wsgi_application  # type: ignore[import-untyped]  # as above

from wsgitornado.web import Application, FallbackHandler, url


def make_app(**settings: Any) -> Application:
    """Make the application; the tables of the database are made when missing."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "examples.django_inside.settings")
    django = get_wsgi_application()
    with open(django_settings.DATA / "lock", "w") as lock:
        # The workers of a server start at the same time.
        fcntl.flock(lock, fcntl.LOCK_EX)
        call_command("migrate", verbosity=0, interactive=False)
    # By name: they import models, which Django allows from here on.
    handlers = "examples.django_inside.handlers"
    return Application(
        [
            url(r"/", f"{handlers}.BoardHandler", name="board"),
            url(r"/drafts", f"{handlers}.DraftsHandler", name="drafts"),
            url(r"/notices\.json", f"{handlers}.NoticesJSONHandler", name="json"),
            (r".*", FallbackHandler, {"fallback": django}),
        ],
        login_url="/admin/login/",
        **settings,
    )


app = make_app()
