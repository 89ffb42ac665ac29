"""``serve``: how an application is found, proxies, access logs, the environment."""

from __future__ import annotations

import json
import logging
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reloading import BOUND, Program, ask, running
from wsgitornado.__main__ import main
from wsgitornado.commands.loading import UsageError, load_application
from wsgitornado.commands.proxies import TrustedProxies, trust_list

PROGRAM = """
from wsgitornado.web import Application, RequestHandler

class Show(RequestHandler):
    def get(self):
        request = self.request
        self.write(f"{request.remote_ip} {request.protocol} {request.host}")

class Client(Application):
    def __init__(self):
        super().__init__([("/", Show)])

app = Application([("/", Show)])
believing = Application([("/", Show)], xheaders=True)

def make_app():
    return Application([("/made", Show)])

def make_nothing():
    return None

def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['REMOTE_ADDR']} {environ['wsgi.url_scheme']}".encode()]

def any_arguments(*arguments):
    return wsgi(*arguments)

def one_argument(environ):
    return None

class site:
    app = app

builtin = max
_hidden = app
"""

SERVE = ["-m", "wsgitornado", "serve", "--port", "0"]

ON_ALL = pytest.mark.parametrize("server", ["waitress", "wsgiref", "loop"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    # Of a name that no other test has imported.
    (tmp_path / "shop.py").write_text(PROGRAM)
    return tmp_path


@pytest.fixture
def shop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", sys.path[:])
    yield
    sys.modules.pop("shop", None)


# -- What is served


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        ("shop:app", "Application"),
        ("shop:site.app", "Application"),
        ("shop:make_app", "Application"),
        ("shop:make_app()", "Application"),
        ("shop:Client", "Client"),
        ("shop:wsgi", "function"),
        ("shop:any_arguments", "function"),
        ("shop:one_argument", "function"),
        ("shop:builtin", "builtin_function_or_method"),
    ],
)
def test_factory_is_called_and_an_application_is_not(spec: str, kind: str) -> None:
    assert type(load_application(spec)).__name__ == kind


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("shop:()", "expected MODULE:NAME, as in guestbook:app, got 'shop:()'"),
        ("shop:make_nothing", "shop:make_nothing gives no WSGI application: None"),
        ("shop:site.none", "the module 'shop' has no 'site.none'"),
        ("shop:ap", "the module 'shop' has no 'ap'; did you mean 'app'?"),
        ("shop:belief", "the module 'shop' has no 'belief'; did you mean 'believing'?"),
        ("shop:xyz", "the module 'shop' has no 'xyz'"),
        ("shpo:app", "there is no module 'shpo' here; did you mean 'shop'?"),
        ("shop.py:app", "there is no module 'shop.py' here; did you mean 'shop'?"),
        ("shop.site:app", "there is no module 'shop.site' here; did you mean 'shop'?"),
        ("zzz:app", "there is no module 'zzz' here"),
    ],
)
def test_what_cannot_be_served_is_explained_with_what_may_be_meant(
    spec: str, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        load_application(spec)
    assert str(caught.value) == message


@pytest.mark.usefixtures("shop")
def test_names_of_functions_are_proposed_where_there_is_no_application(
    folder: Path,
) -> None:
    (folder / "shop.py").write_text("from os import path\ndef make_app(): pass\n")
    with pytest.raises(
        UsageError, match=r"no 'create_app'; did you mean 'make_app'\?$"
    ):
        load_application("shop:create_app")


# -- Behind proxies

SAID = {"X_Forwarded_For": "1.2.3.4, 10.1.1.1", "X_Forwarded_Proto": "https"}


@pytest.mark.live
@ON_ALL
@pytest.mark.parametrize(
    ("spec", "options", "answer"),
    [
        ("app", [], "127.0.0.1 http HOST"),
        ("app", ["--proxy-headers"], "10.1.1.1 https HOST"),
        ("app", ["--trusted-proxies", "127.0.0.1,10.0.0.0/8"], "1.2.3.4 https HOST"),
        ("app", ["--trusted-proxies", "*"], "1.2.3.4 https HOST"),
        ("app", ["--trusted-proxies", "10.0.0.0/8"], "127.0.0.1 http HOST"),
        (
            "app",
            ["--trusted-proxies", "127.0.0.1", "--no-proxy-headers"],
            "127.0.0.1 http HOST",
        ),
        # Who is not trusted does not deceive an application that believes all.
        ("believing", ["--trusted-proxies", "10.0.0.0/8"], "127.0.0.1 http HOST"),
        ("wsgi", ["--proxy-headers"], "10.1.1.1 https"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_proxies_are_believed_by_their_address(
    folder: Path, server: str, spec: str, options: list[str], answer: str
) -> None:
    with running(
        folder, *SERVE, f"shop:{spec}", "--server", server, *options
    ) as program:
        port = program.wait_for_port()
        expected = answer.replace("HOST", f"127.0.0.1:{port}")
        assert ask(port, **SAID) == expected


@pytest.mark.live
@pytest.mark.parametrize("server", ["waitress", "loop"])
def test_who_may_open_a_unix_socket_is_a_trusted_proxy(
    folder: Path, server: str
) -> None:
    options = ["--server", server, "--unix-socket", "socket", "--proxy-headers"]
    with running(folder, *SERVE, "shop:app", *options) as program:
        program.wait_for("listening on unix:socket")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(folder / "socket"))
            client.sendall(
                b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                b"X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\n\r\n"
            )
            with client.makefile("rb") as answer:
                assert answer.read().endswith(b"\r\n\r\n1.2.3.4 https a")


@pytest.mark.parametrize(
    ("text", "address", "is_trusted"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("10.0.0.0/8", "10.255.255.255", True),
        ("10.0.0.0/8", "11.0.0.0", False),
        ("10.0.0.7/8", "10.1.1.1", True),
        ("10.0.0.0/8", "::ffff:10.1.1.1", True),
        ("::1, fd00::/8", "fd12::1", True),
        ("*", "2001:db8::1", True),
        ("*", "192.0.2.1", True),
        ("*", "localhost", False),
        ("*", "", False),
        ("", "127.0.0.1", False),
    ],
)
def test_networks_of_proxies(text: str, address: str, is_trusted: bool) -> None:
    environ = {"REMOTE_ADDR": address, "HTTP_X_REAL_IP": "1.2.3.4"}
    TrustedProxies(trust_list(text)).apply_to_environ(environ)
    assert (environ["REMOTE_ADDR"] == "1.2.3.4") is is_trusted
    assert ("HTTP_X_REAL_IP" in environ) is is_trusted


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("6.6.6.6, 1.2.3.4, 10.0.0.1", "1.2.3.4"),
        ("10.0.0.2, 10.0.0.1", "10.0.0.2"),
        ("nonsense, 10.0.0.1", "10.0.0.9"),
        ("", "10.0.0.9"),
    ],
)
def test_client_is_the_nearest_that_is_no_proxy(forwarded: str, client: str) -> None:
    environ = {"REMOTE_ADDR": "10.0.0.9", "HTTP_X_FORWARDED_FOR": forwarded}
    TrustedProxies(trust_list("10.0.0.0/8")).apply_to_environ(environ)
    assert environ["REMOTE_ADDR"] == client


# -- Access logs


def output_of(program: subprocess.Popen[str], port: int) -> tuple[str, str]:
    ask(port, "/?secret=1")
    program.terminate()
    return program.communicate(timeout=BOUND)


@pytest.mark.live
@pytest.mark.parametrize(
    ("server", "spec", "handler"),
    [
        ("waitress", "app", "shop.Show"),
        ("wsgiref", "app", "shop.Show"),
        ("loop", "app", "shop.Show"),
        ("loop", "wsgi", None),
    ],
)
def test_access_log_of_json_is_all_of_the_output(
    folder: Path, server: str, spec: str, handler: str | None
) -> None:
    options = [f"shop:{spec}", "--server", server, "--access-log", "json"]
    with subprocess.Popen(
        [sys.executable, *SERVE, *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        port = int(process.stderr.readline().rpartition(":")[2])
        output, log = output_of(process, port)
    (line,) = output.splitlines()
    found = json.loads(line)
    assert found.pop("time").endswith("Z")
    assert found.pop("duration_ms") >= 0
    assert found.pop("handler", None) == handler
    assert found == {
        "method": "GET",
        "path": "/",
        "status": 200,
        "remote_ip": "127.0.0.1",
    }
    assert "GET" not in log


@pytest.mark.live
@ON_ALL
@pytest.mark.parametrize(("mode", "count"), [("text", 1), ("off", 0)])
def test_access_log_is_text_or_nothing(
    folder: Path, server: str, mode: str, count: int
) -> None:
    options = ["shop:app", "--server", server, "--access-log", mode]
    with running(folder, *SERVE, *options) as program:
        ask(program.wait_for_port())
        program.process.send_signal(signal.SIGTERM)
        assert program.wait() == 0
        assert program.rest().count("200 GET / (127.0.0.1)") == count


@pytest.mark.usefixtures("shop")
def test_server_that_logs_nothing_of_a_callable_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["serve", "shop:wsgi", "--access-log", "json"]) == 2
    expected = "wsgitornado: --access-log json: waitress writes no lines for an"
    assert capsys.readouterr().err.startswith(expected)


# -- The environment


@pytest.mark.live
def test_environment_stands_for_options(folder: Path) -> None:
    variables = {
        "WSGITORNADO_APPLICATION": "shop:app",
        "WSGITORNADO_PORT": "0",
        "WSGITORNADO_SERVER": "loop",
        "WSGITORNADO_ACCESS_LOG": "off",
        "WSGITORNADO_TRUSTED_PROXIES": "*",
        "WSGITORNADO_PROXY_HEADERS": "yes",
        "WSGITORNADO_RELOAD": "No",
        "WSGITORNADO_HOST": "",
    }
    with running(folder, "-m", "wsgitornado", "serve", **variables) as program:
        port = program.wait_for_port()
        assert ask(port, **SAID) == f"1.2.3.4 https 127.0.0.1:{port}"
        program.process.send_signal(signal.SIGTERM)
        assert program.wait() == 0
        assert program.rest() == ""


@pytest.mark.usefixtures("shop")
def test_command_line_wins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WSGITORNADO_APPLICATION", "shop:app")
    monkeypatch.setenv("WSGITORNADO_SERVER", "nonsense")
    monkeypatch.setenv("WSGITORNADO_PROXY_HEADERS", "nonsense")
    arguments = ["--server", "wsgiref", "--no-proxy-headers", "--unix-socket", "a"]
    assert main(["serve", *arguments]) == 2
    assert "--unix-socket is for" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("PORT", "http", "argument --port: a port is a number from 0 to 65535: http"),
        ("SERVER", "x", "argument --server: invalid choice: 'x' (choose from loop,"),
        ("LOOP", "x", "argument --loop: invalid choice: 'x'"),
        ("ACCESS_LOG", "x", "argument --access-log: invalid choice: 'x'"),
        ("TRUSTED_PROXIES", "x", "argument --trusted-proxies: expected addresses and"),
        ("RELOAD", "x", "wsgitornado: WSGITORNADO_RELOAD is yes or no, not 'x'"),
    ],
)
def test_wrong_value_in_the_environment_is_explained_with_status_2(
    variable: str,
    value: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(f"WSGITORNADO_{variable}", value)
    try:
        status: object = main(["serve", "shop:app"])
    except SystemExit as caught:
        status = caught.code
    assert status == 2
    assert message in capsys.readouterr().err


def test_help_shows_examples_and_what_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WSGITORNADO_HOST", "100%d")
    with pytest.raises(SystemExit) as caught:
        main(["serve", "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert "wsgitornado serve guestbook:app --reload\n" in text
    assert "the address to listen on (100%d)" in text


# -- Reloading


@pytest.mark.live
@ON_ALL
def test_reload_survives_a_mistake_and_comes_back(folder: Path, server: str) -> None:
    with running(folder, *SERVE, "shop:app", "--server", server, "--reload") as program:
        before = program.wait_for_port()
        assert ask(before).endswith(f"http 127.0.0.1:{before}")
        program.write("shop.py", "def\n")
        program.wait_for(r"File .*shop\.py")
        program.wait_for("SyntaxError: invalid syntax")
        program.wait_for("waiting for a change")
        with pytest.raises(ConnectionRefusedError):
            ask(before)
        program.write("shop.py", PROGRAM.replace("{request.protocol}", "again"))
        port = program.wait_for_port()
        assert ask(port) == f"127.0.0.1 again 127.0.0.1:{port}"
        assert "importlib" not in program.seen
        program.process.send_signal(signal.SIGTERM)
        assert program.wait() == 0


@pytest.mark.live
def test_reload_begins_with_a_mistake_or_with_nothing(folder: Path) -> None:
    (folder / "shop.py").unlink()
    with running(folder, *SERVE, "shop:app", "--reload") as program:
        program.wait_for("^wsgitornado: there is no module 'shop' here$")
        program.wait_for("waiting for a change")
        program.write("shop.py", "import no_such_part\n")
        program.wait_for("ModuleNotFoundError: No module named 'no_such_part'")
        program.wait_for("waiting for a change")
        program.write("no_such_part.py", "")
        program.wait_for("the module 'shop' has no 'app'$")
        program.write("shop.py", PROGRAM)
        _answers(program)


@pytest.mark.live
def test_debug_is_enough_under_serve(folder: Path) -> None:
    text = PROGRAM.replace(
        'app = Application([("/", Show)])',
        'app = Application([("/", Show)], debug=True)',
    )
    (folder / "shop.py").write_text(text)
    with running(folder, *SERVE, "shop:app") as program:
        _answers(program)
        program.write("shop.py", "1 / 0\n")
        program.wait_for("ZeroDivisionError")
        program.write("shop.py", text)
        _answers(program)


def _answers(program: Program) -> None:
    port = program.wait_for_port()
    assert ask(port).endswith(f":{port}")


def test_mistake_in_the_command_ends_also_with_reload(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["--server", "wsgiref", "--reload", "--threads", "0"]
    assert main(["serve", "shop:app", *arguments]) == 2
    assert "needs a thread at least" in capsys.readouterr().err


@pytest.fixture(autouse=True)
def logging_is_put_back() -> Iterator[None]:
    access = logging.getLogger("wsgitornado.access")
    before = access.level, access.propagate, access.handlers[:]
    yield
    assert (access.level, access.propagate, access.handlers) == before
