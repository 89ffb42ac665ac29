"""The worker without gunicorn around it: settings, requests on their way, the face."""

from __future__ import annotations

import importlib.abc
import io
import logging
import sys
from typing import TYPE_CHECKING, Any

import pytest
from gunicorn.glogging import Logger

from tests.httpserver.gunicorns import a_worker, make_config
from tests.support import make_environ
from wsgitornado import httpserver
from wsgitornado.httpserver import GunicornWorker, Limits
from wsgitornado.httpserver.gunicorn_worker import _ERRORS, _Arrivals, _limits
from wsgitornado.httpserver.parsers import RequestError

if TYPE_CHECKING:
    from gunicorn.config import Config

# What is refused


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("proxy_protocol", True, id="the PROXY protocol"),
        pytest.param("proxy_protocol", "v2", id="its second version"),
        pytest.param("protocol", "uwsgi", id="uwsgi"),
        pytest.param("http_protocols", "h2,h1", id="HTTP/2"),
        pytest.param("http2_cleartext", "prior-knowledge", id="HTTP/2 without TLS"),
    ],
)
def test_protocol_that_is_not_served_is_refused(name: str, value: Any) -> None:
    config = make_config(**{name: value})
    with pytest.raises(RuntimeError, match=f"{name} is not supported by GunicornWork"):
        GunicornWorker.check_config(config, Logger(config))


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="defaults"),
        pytest.param({"proxy_protocol": False}, id="no PROXY protocol"),
        pytest.param({"http_protocols": "h1"}, id="HTTP/1"),
    ],
)
def test_usual_settings_are_taken(
    settings: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    config = make_config(**settings)
    GunicornWorker.check_config(config, Logger(config))


def test_settings_that_this_gunicorn_does_not_know_are_not_asked_for() -> None:
    config = make_config()
    for name in ("http_protocols", "http2_cleartext", "protocol", "asgi_loop"):
        del config.settings[name]
    GunicornWorker.check_config(config, Logger(config))


def test_what_would_read_less_strictly_is_ignored_aloud() -> None:
    config = make_config(permit_obsolete_folding=True, header_map="dangerous")
    log = Logger(config)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    log.error_log.addHandler(handler)
    GunicornWorker.check_config(config, log)
    log.error_log.removeHandler(handler)
    assert stream.getvalue() == (
        "permit_obsolete_folding is ignored: GunicornWorker reads strictly\n"
        "header_map is ignored: GunicornWorker drops header names with underscores\n"
    )


def test_limit_that_no_request_can_keep_is_refused() -> None:
    config = make_config(limit_request_line=15)
    with pytest.raises(RuntimeError, match="limit is too small: max_request_line is"):
        GunicornWorker.check_config(config, Logger(config))


USUAL = Limits()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param({}, (4094, 8190, 100, USUAL.max_header_size), id="defaults"),
        pytest.param(
            {
                "limit_request_line": 0,
                "limit_request_field_size": 0,
                "limit_request_fields": 0,
            },
            (USUAL.max_header_size, USUAL.max_header_size, 32768, 65536),
            id="none",
        ),
        pytest.param(
            {
                "limit_request_line": USUAL.max_request_line + 1,
                "limit_request_field_size": USUAL.max_header_line + 1000,
            },
            (8193, 17384, 100, USUAL.max_header_size + 1001),
            id="long lines",
        ),
    ],
)
def test_limits_are_gunicorns(
    settings: dict[str, int], expected: tuple[int, ...]
) -> None:
    limits = Limits(**_limits(make_config(**settings)))
    assert expected == (
        limits.max_request_line,
        limits.max_header_line,
        limits.max_header_fields,
        limits.max_header_size,
    )


# Requests on their way in


def arrive(
    config: Config, target: str = "/", *headers: tuple[str, str], **extra: Any
) -> dict[str, Any]:
    environ = make_environ(target, "GET", headers, RAW_URI=target, **extra)
    with a_worker(config) as worker:
        _Arrivals(worker).apply_to_environ(environ)
    return environ


HTTPS = ("X-Forwarded-Proto", "https")


@pytest.mark.parametrize(
    ("allowed", "address", "scheme"),
    [
        pytest.param("*", "192.0.2.1", "https", id="all"),
        pytest.param("192.0.2.1,10.0.0.1", "192.0.2.1", "https", id="one of two"),
        pytest.param("192.0.2.1", "192.0.2.2", "http", id="another"),
        pytest.param("192.0.2.0/24", "192.0.2.200", "https", id="a network"),
        pytest.param("192.0.2.0/24", "192.0.3.1", "http", id="beside a network"),
        pytest.param("fe80::/10", "fe80::1%eth0", "https", id="with a zone"),
        pytest.param("192.0.2.1", "::1", "http", id="another version"),
        pytest.param("", "127.0.0.1", "http", id="none"),
    ],
)
def test_scheme_is_believed_of_addresses_that_are_allowed(
    allowed: str, address: str, scheme: str
) -> None:
    config = make_config(forwarded_allow_ips=allowed)
    environ = arrive(config, "/", HTTPS, REMOTE_ADDR=address, REMOTE_PORT="5000")
    assert environ["wsgi.url_scheme"] == scheme


def test_headers_that_contradict_each_other_count_only_from_a_proxy() -> None:
    config = make_config(forwarded_allow_ips="192.0.2.1")
    both = (HTTPS, ("X-Forwarded-Ssl", "off"))
    arrive(config, "/", *both, REMOTE_ADDR="192.0.2.9", REMOTE_PORT="5000")
    with pytest.raises(RequestError, match="headers differ about the scheme"):
        arrive(config, "/", *both, REMOTE_ADDR="192.0.2.1", REMOTE_PORT="5000")


def test_allowed_addresses_may_be_a_text_as_in_older_versions() -> None:
    config = make_config()
    config.settings["forwarded_allow_ips"].value = "192.0.2.1, 192.0.2.2"
    environ = arrive(config, "/", HTTPS, REMOTE_ADDR="192.0.2.2", REMOTE_PORT="1")
    assert environ["wsgi.url_scheme"] == "https"


@pytest.mark.parametrize("mount", ["/a", "/a/"])
@pytest.mark.parametrize(
    ("target", "rest"), [("/a", ""), ("/a/", "/"), ("/a/b%20c?d", "/b c")]
)
def test_script_name_of_the_environment_is_taken_off_the_path(
    monkeypatch: pytest.MonkeyPatch, mount: str, target: str, rest: str
) -> None:
    monkeypatch.setenv("SCRIPT_NAME", mount)
    environ = arrive(make_config(), target)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/a", rest)


@pytest.mark.parametrize("target", ["/", "/ab", "/b/a"])
def test_what_is_beside_script_name_is_not_found(
    monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    monkeypatch.setenv("SCRIPT_NAME", "/a")
    with pytest.raises(RequestError, match="not below SCRIPT_NAME") as caught:
        arrive(make_config(), target)
    assert caught.value.status_code == 404


# wsgi.errors


def test_errors_go_where_gunicorns_go_and_else_to_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stream = io.StringIO()
    log = logging.getLogger("gunicorn.error")
    before, log.handlers = log.handlers, [logging.StreamHandler(stream)]
    try:
        print("to the log", file=_ERRORS)
        _ERRORS.writelines(["and ", "more\n"])
        log.handlers = []
        print("to nobody else", file=_ERRORS)
        # It is no request's own.
        _ERRORS.close()
        assert _ERRORS.writable()
        print("again", file=_ERRORS)
    finally:
        log.handlers = before
    assert stream.getvalue() == "to the log\nand more\n"
    assert capsys.readouterr().err == "to nobody else\nagain\n"


# The face


class NoGunicorn(importlib.abc.MetaPathFinder):
    """Finds what an installation without gunicorn would not."""

    def find_spec(self, name: str, *args: object) -> None:
        if name.partition(".")[0] == "gunicorn":
            raise ModuleNotFoundError(f"No module named {name!r}", name="gunicorn")


def test_worker_without_gunicorn_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "wsgitornado.httpserver.gunicorn_worker")
    for name in [*sys.modules]:
        if name == "gunicorn" or name.startswith("gunicorn."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [NoGunicorn(), *sys.meta_path])
    with pytest.raises(ModuleNotFoundError, match="pip install gunicorn"):
        _ = httpserver.GunicornWorker
