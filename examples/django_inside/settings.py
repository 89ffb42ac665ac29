"""The settings of the Django project."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile


def read_secret_key(file: Path) -> str:
    """Give the key that signs the sessions: made once, and for its owner's eyes."""
    if not file.exists():
        with NamedTemporaryFile("w", dir=file.parent) as draft:
            draft.write(secrets.token_urlsafe(50))
            draft.flush()
            # Whole as soon as it has its name; another process may have been first.
            with suppress(FileExistsError):
                os.link(draft.name, file)
    return file.read_text()


PROJECT = Path(__file__).resolve().parent
DATA = Path(os.environ.get("DJANGO_INSIDE_DATA") or "django-inside-data").resolve()
DATA.mkdir(parents=True, exist_ok=True)

SECRET_KEY = read_secret_key(DATA / "secret-key")
ALLOWED_HOSTS = os.environ.get(
    "DJANGO_INSIDE_HOSTS", "localhost,127.0.0.1,[::1]"
).split(",")

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATA / "board.sqlite3",
        # Seconds to wait for other threads and processes that write.
        "OPTIONS": {"timeout": 20},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "examples.django_inside",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "examples.django_inside.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

STATIC_URL = "static/"
# The files of the admin and of the board are served from where they are installed.
WHITENOISE_USE_FINDERS = True

TIME_ZONE = "UTC"
USE_TZ = True
