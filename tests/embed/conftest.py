"""The Django project of the examples, configured for the tests of one file."""

from __future__ import annotations

import contextlib
import importlib
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.apps import apps  # type: ignore[import-untyped]  # it has no annotations
from django.conf import Settings, settings  # type: ignore[import-untyped]  # as above
from django.core.signals import setting_changed  # type: ignore[import-untyped]  # as above
from django.db import connections  # type: ignore[import-untyped]  # as above
from django.test import signals  # type: ignore[import-untyped]  # as above

PROJECT = "examples.django_inside"


@contextlib.contextmanager
def django_settings(module: str) -> Iterator[None]:
    """Have Django configured as it would be in a process of its own.

    It has one configuration in a process, and other tests have theirs.
    """
    apps.populate([])
    former = settings._wrapped
    settings._wrapped = Settings(module)
    # The real ones are slow on purpose.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    apps.set_installed_apps(settings.INSTALLED_APPS)
    forget_connections()
    forget_what_settings_led_to()
    try:
        yield
    finally:
        connections.close_all()
        apps.unset_installed_apps()
        forget_what_settings_led_to()
        settings._wrapped = former
        forget_connections()


def forget_connections() -> None:
    connections._settings = None
    connections.__dict__.pop("settings", None)
    with contextlib.suppress(AttributeError):
        del connections["default"]


def forget_what_settings_led_to() -> None:
    """Empty Django's caches; it has receivers for that, which its own tests use."""
    for name in sorted(dir(settings)):
        # Its receiver for DATABASES only warns that it does nothing.
        if name.isupper() and name not in signals.COMPLEX_OVERRIDE_SETTINGS:
            with warnings.catch_warnings():
                # Some are deprecated, and warn when they are only looked at.
                warnings.simplefilter("ignore")
                value = getattr(settings, name)
            setting_changed.send(sender=None, setting=name, value=value, enter=True)


@pytest.fixture(scope="session")
def board_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("board")


@pytest.fixture(scope="module")
def project(board_data: Path) -> Iterator[ModuleType]:
    """The module that makes the application, with Django ready."""
    with contextlib.ExitStack() as stack:
        # Django sets the time zone of the process.
        stack.callback(time.tzset)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("TZ", "UTC")
        # The settings are read at the first import.
        patch.setenv("DJANGO_INSIDE_DATA", str(board_data))
        stack.enter_context(django_settings(f"{PROJECT}.settings"))
        yield importlib.import_module(f"{PROJECT}.application")


@pytest.fixture
def notices(project: ModuleType) -> Iterator[Any]:
    """The notices in the database, none at first."""
    manager = apps.get_model("django_inside", "Notice").objects
    yield manager
    manager.all().delete()
