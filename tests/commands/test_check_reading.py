"""``check``: what it finds of Tornado in a program, and how it judges it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.checked import found_in
from wsgitornado import _absent
from wsgitornado.commands.judging import Verdict, judge_keywords, named

Check = Callable[..., list[str]]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    def check(source: str, others: dict[str, str] | None = None) -> list[str]:
        files = [tmp_path / "program.py"]
        files[0].write_text(source)
        for name, text in (others or {}).items():
            files.append(tmp_path / name)
            files[-1].parent.mkdir(exist_ok=True)
            files[-1].write_text(text)
        return found_in(*files, root=tmp_path)

    return check


def news(found: list[str]) -> list[str]:
    return [line for line in found if " works " not in line]


# -- Names


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import tornado.web\ntornado.web.url", "2 works web.url"),
        ("import tornado.web as w\nw.url", "2 works web.url"),
        ("import tornado\ntornado.web.url", "2 works web.url"),
        ("from tornado import web\nweb.url", "2 works web.url"),
        ("from tornado import web as w\nw.url", "2 works web.url"),
        ("from tornado.web import url", "1 works web.url"),
        ("from tornado.web import url as u", "1 works web.url"),
        ("def f():\n    import tornado.web\n    tornado.web.url", "3 works web.url"),
        ("import tornado.web\nw = tornado.web\nw.url", "3 works web.url"),
        ("import tornado.web\nlambda: tornado.web.url", "2 works web.url"),
        ("if 1:\n    import tornado.web as w\nx = (\n  w\n  .url)", "5 works web.url"),
        ("from tornado.web import *\nurl", "1 works web"),
        ("x = 'tornado.web.RedirectHandler'", "1 works web.RedirectHandler"),
    ],
)
def test_name_is_found_however_it_is_imported(
    check: Check, source: str, expected: str
) -> None:
    found = check(source)
    assert expected in found
    assert not news(found)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import tornado.nothing", ["1 missing nothing"]),
        ("import tornado.tcpserver", ["1 missing tcpserver"]),
        ("import tornado.platform.twisted", ["1 missing platform.twisted"]),
        ("from tornado import nothing", ["1 missing nothing"]),
        ("from tornado.nothing import a, b", ["1 missing nothing"]),
        ("from tornado.nothing import *", ["1 missing nothing"]),
        ("from tornado.web import Nothing", ["1 missing web.Nothing"]),
        ("from tornado.iostream import IOStream", ["1 missing iostream.IOStream"]),
        (
            "from tornado import gen\n@gen.engine\ndef f(): pass",
            ["2 missing gen.engine"],
        ),
        ("import tornado.web as w\nw.Nothing.below", ["2 missing web.Nothing"]),
        ("x = 'tornado.web.Nothing'", ["1 missing web.Nothing"]),
        ("x = 'tornado.curl_httpclient.C'", ["1 missing curl_httpclient"]),
        ("from tornado.web import *\nNothing", ["2 missing web.Nothing"]),
        ("from tornado.web import *\ngen.coroutine", ["2 missing web.gen"]),
        (
            "from tornado.ioloop import IOLoop\nIOLoop.current().nothing",
            ["2 missing ioloop.IOLoop.nothing"],
        ),
        (
            "from tornado.ioloop import IOLoop\nloop = x or IOLoop.instance()\n"
            "loop.start()\nloop.nothing()",
            ["4 missing ioloop.IOLoop.nothing"],
        ),
        (
            "from tornado.ioloop import IOLoop\nx = 0 if y else IOLoop()\nx.nothing",
            ["3 missing ioloop.IOLoop.nothing"],
        ),
        (
            "from tornado.locks import Lock\ndef f(lock: Lock): lock.nothing",
            ["2 missing locks.Lock.nothing"],
        ),
        (
            "from tornado.locks import Lock\nlock: Lock\nlock.nothing",
            ["3 missing locks.Lock.nothing"],
        ),
    ],
)
def test_missing_name_is_found(check: Check, source: str, expected: list[str]) -> None:
    assert news(check(source)) == expected


@pytest.mark.parametrize(
    "source",
    [
        "import tornadoes; tornadoes.web.x",
        "from .tornado import x",
        "x = 'tornado.conf'",
        "x = 'tornado.web is a module'",
        "from tornado.options import options\noptions.anything.at_all",
        "import tornado.web as w\ndef f(w): w.Nothing",
        "import tornado.web\ntornado.web.url = 3",
        "from tornado.httputil import responses\nresponses.anything",
        "x.tornado.web",
        "from tornado import gen\ngen.coroutine.anything",
        "import tornado.web as w\nw().anything",
        "x = 'tornado.options.options.port'",
        "from tornado.options.options import anything",
        "from tornado.util import ObjectDict\nObjectDict().anything",
        "from tornado.web import *\nfrom elsewhere import *\nAnything",
        "from tornado.web import *\ndef f(a, *b, c=1, **d):\n"
        "    global g; g = 1\n    return a, b, c, d, __file__, len\ng",
        "from tornado.web import *\nx = lambda y: [y + z for z in y]",
        "from tornado.web import *\ntry: pass\nexcept ValueError as e: e",
        "from tornado.web import *\nmatch 1:\n  case [a, *b]: a, b\n"
        "  case {'k': 1, **c}: c\n  case {'k': 2}: pass\n"
        "  case int() as d: d\n  case _: pass",
        "from tornado.web import *\nx: int\nx\nimport a.b\na\ndef f(): f",
        "from tornado.web import *\nif (n := 1): n\nfor i, j in []: i, j",
        "from tornado.web import url\nx = x.y\nx.z",
    ],
)
def test_nothing_is_said_of_what_is_not_known_to_be_of_tornado(
    check: Check, source: str
) -> None:
    assert not news(check(source))


@pytest.mark.skipif(
    sys.version_info < (3, 12),
    reason="Python 3.12 has type parameters, this machine's has not",
)
def test_type_parameters_are_names(check: Check) -> None:
    source = "from tornado.web import *\ndef f[T](x: T): T\nclass C[U]:\n    y = U\n"
    assert not news(check(source.replace("(x: T)", "(x)")))


@pytest.mark.parametrize("caught", ["ImportError", "(KeyError, Exception)", ""])
def test_import_that_may_fail_only_differs(check: Check, caught: str) -> None:
    source = f"try:\n    import tornado.nothing\nexcept {caught}:\n    pass\n"
    assert check(source) == ["2 differs nothing"]


def test_import_that_may_fail_in_another_way_is_missing(check: Check) -> None:
    source = (
        "try:\n    import tornado.nothing\nexcept KeyError:\n    import tornado.no\n"
        "else:\n    import tornado.none\nfinally:\n    import tornado.never"
    )
    assert check(source) == [
        "2 missing nothing",
        "4 missing no",
        "6 missing none",
        "8 missing never",
    ]


@pytest.mark.parametrize("name", sorted(_absent.ADVICE))
def test_what_cannot_be_comes_with_its_advice(tmp_path: Path, name: str) -> None:
    judged = named(f"tornado.{name}")
    assert judged is not None
    assert judged[0].verdict is Verdict.MISSING
    assert judged[0].reason == _absent.ADVICE[name]


def test_module_that_needs_what_is_not_installed_differs(
    monkeypatch: pytest.MonkeyPatch, check: Check
) -> None:
    def lacks(name: str) -> None:
        raise ModuleNotFoundError("needs something", name="something")

    monkeypatch.setattr("importlib.import_module", lacks)
    assert check("from tornado import nothing") == ["1 differs nothing"]


@pytest.mark.parametrize("name", ["access", "application", "general"])
def test_logger_of_tornado_differs(check: Check, name: str) -> None:
    found = check(f"import logging\nlogging.getLogger('tornado.{name}')")
    assert found == [f"2 differs {name}"]


@pytest.mark.parametrize(
    "arguments",
    ["'tornado.general', 'x'", "logger='tornado.general', regex='x'"],
    ids=["by position", "by keyword"],
)
def test_expect_log_takes_a_logger_of_tornado(check: Check, arguments: str) -> None:
    found = check(f"from tornado.testing import ExpectLog\nExpectLog({arguments})")
    assert found == ["1 works testing.ExpectLog"]


# -- Handlers

HANDLER = "import tornado.web\nclass H(tornado.web.RequestHandler):\n"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("    def get(self): self.write('')", "3 works web.RequestHandler.get"),
        ("    def get(self): self.write('')", "3 works web.RequestHandler.write"),
        ("    def get(me): me.write('')", "3 works web.RequestHandler.write"),
        (
            "    async def get(self): self.path_args",
            "3 works web.RequestHandler.path_args",
        ),
        ("    SUPPORTED_METHODS = ()", "3 works web.RequestHandler.SUPPORTED_METHODS"),
        ("    application: int = 1", "3 works web.RequestHandler.application"),
        (
            "    def get(self): super().get()",
            "3 works web.RequestHandler.get",
        ),
        (
            "    def get(self): self.request.headers.get_all()",
            "3 works httputil.HTTPHeaders.get_all",
        ),
        (
            "    def get(self):\n        def f(): self.finish()",
            "4 works web.RequestHandler.finish",
        ),
        (
            "    def f(self): self.request.connection.stream",
            "3 differs httputil.RequestConnection.stream",
        ),
        (
            "    def f(self): self.request.connection.finish()",
            "3 missing httputil.RequestConnection.finish",
        ),
        (
            "    def f(self): self.request.nothing",
            "3 missing httputil.HTTPServerRequest.nothing",
        ),
        ("    def f(self): self.nothing()", "3 missing web.RequestHandler.nothing"),
        ("    def f(self): super().nothing()", "3 missing web.RequestHandler.nothing"),
        (
            "    def on_connection_close(self): pass",
            "3 differs web.RequestHandler.on_connection_close",
        ),
    ],
)
def test_what_a_handler_uses_and_overrides_is_judged(
    check: Check, body: str, expected: str
) -> None:
    assert expected in check(HANDLER + body)


@pytest.mark.parametrize(
    "body",
    [
        "    def own(self): self.own()",
        "    def f(self): self.x = 1\n    def g(self): self.x",
        "    x = 1\n    def f(self): self.x",
        "    if 1:\n        def x(self): pass\n    def f(self): self.x()",
        "    @staticmethod\n    def f(self): self.x",
        "    def f(self): setattr(self, 'x', 1); self.x",
        "    def f(self, n): setattr(self, n, 1); self.x",
        "    def f(self): self.__dict__.update(x=1); self.x",
        "    def f(self): self.settings['x'].anything",
        "    pass\nclass X(H):\n    x = 1\nclass Y(H):\n    def f(self): self.x",
        "    pass\nclass X(H, metaclass=M):\n    def f(self): self.x",
        "    pass\nclass X(H, Unknown):\n    def f(self): self.x",
        "    pass\nclass X(Unknown):\n    def f(self): self.x",
        "    pass\nclass X:\n    def f(self): self.x",
        "    pass\nclass X(object):\n    def f(self): self.x",
        "    pass\nclass X(X):\n    def f(self): self.x",
        "    pass\nsuper().x",
        "    class Meta:\n        def f(self): self.x",
        "    def f(self): (lambda: self.request)().x",
    ],
)
def test_what_may_be_the_programs_own_is_not_judged(check: Check, body: str) -> None:
    assert not news(check(HANDLER + body))


def test_handlers_of_other_files_are_followed(check: Check) -> None:
    base = "from tornado.web import RequestHandler\nclass Base(RequestHandler): pass\n"
    found = check(
        "from base import Base\nimport base\nfrom package.deep import Deep\n"
        "import package.deep as deep\nfrom package import deep as again\n"
        "class A(Base):\n    def f(self): self.nothing\n"
        "class B(base.Base):\n    def f(self): self.nothing\n"
        "class C(Deep):\n    def f(self): self.nothing\n"
        "class D(deep.Deep):\n    def f(self): self.nothing\n"
        "class E(again.Deep):\n    def f(self): self.nothing\n",
        {
            "base.py": base,
            "package/__init__.py": "",
            "package/deep.py": "from ..base import Base as Deep\nfrom . import no",
        },
    )
    name = "missing web.RequestHandler.nothing"
    assert news(found) == [f"{line} {name}" for line in (7, 9, 11, 13, 15)]


def test_names_of_a_star_import_from_the_program_are_followed(check: Check) -> None:
    found = check(
        "from base import *\nBase.url_for\nclass A(Base):\n    def f(s): s.nothing",
        {"base.py": "from tornado.web import RequestHandler as Base"},
    )
    assert news(found) == [
        "2 missing web.RequestHandler.url_for",
        "4 missing web.RequestHandler.nothing",
    ]


def test_module_is_not_guessed_where_two_have_the_name(check: Check) -> None:
    found = check(
        "from base import Base\nBase.nothing",
        {
            "a/base.py": "from tornado.web import RequestHandler as Base",
            "b/base.py": "",
        },
    )
    assert news(found) == []


# -- Arguments and settings


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("Application(debug=True)", ["differs web.Application(debug)"]),
        ("Application(own=1, nothing=2)", []),
        ("Application([], default_host='')", []),
        ("Application(**settings)", ["differs web.Application(autoreload)"]),
        ("Application(**dict(debug=1, **x))", ["differs web.Application(debug)"]),
        ("Application(**unknown)", []),
        ("Application(**{1: 2, 'debug': 1, **x})", ["differs web.Application(debug)"]),
        ("Application().listen(80, xheaders=True, max_body_size=1)", []),
        ("Application().listen(80, no=1)", ["missing web.Application.listen(no)"]),
        ("HTTPServer(a, xheaders=True, idle_connection_timeout=1)", []),
        ("HTTPServer(a, no=1)", ["missing httpserver.HTTPServer(no)"]),
        ("url('', H, nothing=1)", ["missing web.URLSpec(nothing)"]),
    ],
)
def test_keyword_arguments_are_judged(
    check: Check, call: str, expected: list[str]
) -> None:
    source = (
        "from tornado.web import *\nfrom tornado.httpserver import HTTPServer\n"
        f"def f(a, H, x, unknown):\n    settings = {{'autoreload': True}}\n    {call}"
    )
    found = [line.partition(" ")[2] for line in news(check(source))]
    assert found == [line.replace("URLSpec", "url") for line in expected]


def test_settings_that_we_read_work(check: Check) -> None:
    found = check("from tornado.web import Application\nApplication(cookie_secret='')")
    assert "2 works web.Application(cookie_secret)" in found


@pytest.mark.parametrize(
    "call",
    [
        "super().__init__([], debug=True)",
        "tornado.web.Application.__init__(self, [], debug=True)",
    ],
)
def test_settings_of_an_application_of_the_programs_own_are_judged(
    check: Check, call: str
) -> None:
    source = (
        "import tornado.web\nclass App(tornado.web.Application):\n"
        f"    def __init__(self):\n        {call}\n"
    )
    assert news(check(source)) == ["4 differs web.Application(debug)"]


def test_settings_for_an_inherited_constructor_are_judged(check: Check) -> None:
    source = "import tornado.web\nclass App(tornado.web.Application): pass\n"
    assert news(check(f"{source}App([], debug=True)")) == [
        "3 differs web.Application(debug)"
    ]


def test_callback_of_an_old_flush_is_noticed(check: Check) -> None:
    found = check(HANDLER + "    def f(self): self.flush(callback=print)")
    assert news(found) == ["3 differs web.RequestHandler.flush(callback)"]


def test_nothing_is_said_of_a_call_of_what_is_no_function() -> None:
    judged = named("tornado.web.DEFAULT_SIGNED_VALUE_VERSION")
    assert judged is not None
    assert judged[1] is None
    loop = named("tornado.options.options")
    assert loop is not None
    assert loop[1] is not None
    assert judge_keywords(loop[1], ["x"]) == []
