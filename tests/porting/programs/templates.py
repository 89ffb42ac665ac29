"""Templates that cover the whole language, each one asked for by a request."""

from __future__ import annotations

from tornado import web
from tornado.template import DictLoader

from tests.porting.raw import get
from tests.template.families import INHERITANCE, WHITESPACE
from tests.template.pages import CONTROL, EXPRESSIONS, FUNCTIONS

PAGES = {
    page.name.replace(" ", "_"): page
    for page in [*EXPRESSIONS, *CONTROL, *FUNCTIONS, *INHERITANCE, *WHITESPACE]
}


class Show(web.RequestHandler):
    def get(self, name: str) -> None:
        page = PAGES[name]
        loader = DictLoader(page.templates, **page.loader)
        try:
            output = loader.load(page.main).generate(**page.kwargs)
        except Exception as e:
            output = f"raised {type(e).__name__}".encode()
        self.write(output)


def make_app() -> web.Application:
    return web.Application([(r"/(\w+)", Show)])


REQUESTS = {name: get(f"/{name}") for name in PAGES}
