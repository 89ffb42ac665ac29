"""The plugin of pytest: fixtures made from the ``app`` of the user.

pytest loads it in every project of an environment, so that it imports nothing: the
package loads its modules on first use.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

import wsgitornado

if TYPE_CHECKING:
    from wsgitornado.testing import Client, LiveServer


@pytest.fixture
def wsgitornado_client(request: pytest.FixtureRequest) -> Client:
    """A webtest client for the fixture `app`: wsgitornado.testing.client(app)."""
    return wsgitornado.testing.client(_app_of(request))


@pytest.fixture
def wsgitornado_live_server(request: pytest.FixtureRequest) -> Iterator[LiveServer]:
    """The fixture `app`, served in a thread: its address is .url."""
    with wsgitornado.testing.LiveServer(_app_of(request)) as server:
        yield server


class _ShortNames:
    @pytest.fixture
    def client(self, wsgitornado_client: Client) -> Client:
        """The same as wsgitornado_client, where no other plugin has a client."""
        return wsgitornado_client

    @pytest.fixture
    def live_server(self, wsgitornado_live_server: LiveServer) -> LiveServer:
        """The same as wsgitornado_live_server, where no other plugin has one."""
        return wsgitornado_live_server


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Give the fixtures their short names, unless another plugin has one of them.

    Both or none: a client of Django and a server of ours would not meet.
    """
    manager = config.pluginmanager
    if not (_is_taken(manager, "client") or _is_taken(manager, "live_server")):
        manager.register(_ShortNames(), "wsgitornado-short-names")


def _is_taken(manager: pytest.PytestPluginManager, name: str) -> bool:
    """Whether a plugin has a fixture of that name: pytest-django, pytest-flask.

    Files of the user, which are plugins as well, override ours or build on them.
    """
    return any(
        hasattr(plugin, name)
        and os.path.basename(getattr(plugin, "__file__", None) or "") != "conftest.py"
        for plugin in manager.get_plugins()
    )


def _app_of(request: pytest.FixtureRequest) -> Any:
    try:
        return request.getfixturevalue("app")
    except pytest.FixtureLookupError as error:
        if error.argname != "app":
            raise
    pytest.fail(
        f"the fixture {request.fixturename!r} needs one named 'app' that returns your "
        "application; in conftest.py:\n\n"
        "    @pytest.fixture\n"
        "    def app():\n"
        "        return make_app()",
        pytrace=False,
    )
