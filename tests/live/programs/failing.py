"""A shop that fails in its handlers and in its templates, under development."""

from __future__ import annotations

from typing import Any

from wsgitornado.template import DictLoader
from wsgitornado.web import Application, RequestHandler

TEMPLATES = {
    "base.html": "<!DOCTYPE html>\n<body>\n{% block body %}{% end %}\n</body>\n",
    "basket.html": """{% extends "base.html" %}
{% block body %}
<h1>Your basket</h1>
<ul>
{% for name, price in prices %}
  <li>{{ name }}: {{ price.amount }}</li>
{% end %}
</ul>
{% end %}
""",
    "wrong.html": "<p>\n{% if %}\n</p>\n",
}


class PriceError(Exception):
    """A price that cannot be told."""


def price_of(name: str) -> int:
    prices = {"tea": 3, "coffee": 4}
    # What nobody sells has no price.
    return prices[name]


class Price(RequestHandler):
    def get(self, name: str) -> None:
        try:
            price = price_of(name)
        except KeyError as error:
            error.add_note("The names are those of the catalogue.")
            session = self.get_cookie("session", "nobody")
            message = f"<b>{name}</b> has no price, as {session} should know"
            raise PriceError(message) from error
        self.write(str(price))


class Basket(RequestHandler):
    def get(self) -> None:
        self.render("basket.html", prices=[("tea", 3)])


class Wrong(RequestHandler):
    def get(self) -> None:
        self.render("wrong.html")


class Deep(RequestHandler):
    def get(self, *args: Any) -> None:
        self.get(*args)


class Enter(RequestHandler):
    def get(self) -> None:
        self.set_cookie("session", "f00dfeedf00dfeed")


app = Application(
    [
        (r"/price/(?P<name>\w+)", Price),
        (r"/basket", Basket),
        (r"/wrong", Wrong),
        (r"/deep", Deep),
        (r"/enter", Enter),
    ],
    debug=True,
    cookie_secret="the key that signs the baskets",
    template_loader=DictLoader(TEMPLATES),
)
