"""Languages: which one a browser gets, and what is written in it."""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tornado import locale, web

from tests.porting.raw import get

UTC = datetime.UTC

#: One file with the mark of an encoding: Tornado takes that of the first for all.
FILES = {
    "de": (
        '"Sign in","Anmelden"\n'
        '"%(n)d day","%(n)d Tag","singular"\n'
        '"%(n)d days","%(n)d Tage","plural"\n'
        '"February","Februar"\n'
        '"Saturday","Samstag"\n'
        '"%(commas)s and %(last)s","%(commas)s und %(last)s"\n'
        '"%(month_name)s %(day)s, %(year)s at %(time)s",'
        '"%(day)s. %(month_name)s %(year)s um %(time)s"\n'
        '"%(month_name)s %(day)s, %(year)s","%(day)s. %(month_name)s %(year)s"\n'
        '"%(weekday)s, %(month_name)s %(day)s","%(weekday)s, %(day)s. %(month_name)s"\n'
    ),
    "de_AT": "Sign in,Servus\n",
    "fa": "Sign in,\u0648\u0631\u0648\u062f\n",
    "haw": "",
    "pt_BR": "\ufeffSign in,Entrar\n",
    "zh_CN": "Sign in,\u767b\u5f55\n",
}

DAY = datetime.datetime(2001, 2, 3, 0, 5)
NOON = datetime.datetime(2001, 2, 3, 12, 30, tzinfo=UTC)
EAST = datetime.timezone(datetime.timedelta(hours=9))


def plural(found: Any, n: int) -> str:
    text: str = found.translate("%(n)d day", "%(n)d days", n)
    return text % {"n": n}


#: What is written, by its name.
TEXTS: dict[str, Callable[[Any], Any]] = {
    "about": lambda x: (x.code, x.name, x.rtl),
    "translate": lambda x: (x.translate("Sign in"), x.translate("Sign out")),
    "plural": lambda x: [plural(x, n) for n in (0, 1, 2, -1, 100)],
    "plural_unknown": lambda x: [x.translate("x", "xs", n) for n in (0, 1, 2)],
    "pgettext": lambda x: x.pgettext("menu", "Sign in"),
    "pgettext_plural": lambda x: x.pgettext("menu", "%(n)d day", "%(n)d days", 2),
    "date": lambda x: x.format_date(DAY, relative=False),
    "date_relative": lambda x: x.format_date(DAY),
    "date_shorter": lambda x: x.format_date(DAY, shorter=True),
    "date_full": lambda x: x.format_date(NOON, full_format=True),
    "date_offset": lambda x: [x.format_date(NOON, o) for o in (300, -570)],
    "date_zone": lambda x: x.format_date(NOON.astimezone(EAST)),
    "date_seconds": lambda x: [x.format_date(n) for n in (0, 1e9, -1.5)],
    "date_of_the_future": lambda x: x.format_date(DAY.replace(year=2999)),
    "date_out_of_range": lambda x: x.format_date(1e12),
    "now": lambda x: x.format_date(datetime.datetime.now(UTC), full_format=True)[:3],
    "day": lambda x: (x.format_day(DAY), x.format_day(NOON.date(), dow=False)),
    "day_offset": lambda x: [x.format_day(DAY, o) for o in (60, -60)],
    "list": lambda x: [x.list("abcd"[:n]) for n in range(5)],
    "number": lambda x: [x.friendly_number(n) for n in (0, 999, 1000, 1234567)],
    "number_negative": lambda x: [x.friendly_number(n) for n in (-1, -123, -1234)],
}


class Text(web.RequestHandler):
    def get(self, name: str) -> None:
        self.write(repr(TEXTS[name](self.locale)))


class Negotiated(web.RequestHandler):
    def get(self) -> None:
        given = self.get_arguments("default")
        self.write(self.get_browser_locale(*given).code)


class OfUser(web.RequestHandler):
    def get_user_locale(self) -> Any:
        codes = self.get_arguments("lang")
        return locale.get(*codes) if codes else None

    def get(self) -> None:
        self.write(f"{self.locale.code} {self.locale is self.locale}")


class Assigned(web.RequestHandler):
    def prepare(self) -> None:
        self.locale = locale.get("zh_CN")

    def get(self) -> None:
        self.write(self.locale.translate("Sign in"))


class Supported(web.RequestHandler):
    def get(self) -> None:
        self.write({"codes": sorted(locale.get_supported_locales())})


class Unknown(web.RequestHandler):
    def get(self) -> None:
        self.locale = locale.Locale.get("xx")


class Names(web.RequestHandler):
    def get(self) -> None:
        names = locale.LOCALE_NAMES  # type: ignore[attr-defined]  # documented
        self.write({code: names[code]["name"] for code in names})


def make_app() -> web.Application:
    with tempfile.TemporaryDirectory() as directory:
        for code, text in FILES.items():
            Path(directory, f"{code}.csv").write_text(text, encoding="utf-8")
        locale.load_translations(directory)
    return web.Application(
        [
            (r"/text/(\w+)", Text),
            (r"/negotiated", Negotiated),
            (r"/user", OfUser),
            (r"/assigned", Assigned),
            (r"/supported", Supported),
            (r"/unknown", Unknown),
            (r"/names", Names),
        ]
    )


HEADERS = {
    "one": "de",
    "case": "DE-at",
    "region_without_language": "pt",
    "language_without_region": "de-CH",
    "underscore": "de_AT",
    "three_letters": "haw-US",
    "three_parts": "zh-Hans-CN,de;q=0.1",
    "browser": "de-AT,de;q=0.9,en-US;q=0.8,en;q=0.7",
    "weights": "de;q=0.1,zh-CN;q=0.9,pt-BR;q=0.5",
    "equal_weights": "pt-BR;q=0.5,de;q=0.5",
    "weight_zero": "de;q=0,fa;q=0.1",
    "all_zero": "de;q=0",
    "weight_of_letters": "de;q=high,fa;q=0.1",
    "weight_empty": "de;q=,fa;q=0.1",
    "weight_negative": "de;q=-1,fa;q=0.1",
    "weight_not_a_number": "de;q=nan,fa;q=0.1",
    "weight_infinite": "de,fa;q=inf",
    "weight_above_one": "de,fa;q=5",
    "weight_with_exponent": "de;q=1e-1,fa;q=0.2",
    "weight_in_quotes": 'de;q="1",fa;q=0.2',
    "weight_in_capitals": "de;Q=0.1,fa;q=0.2",
    "weight_after_parameter": "de;level=1;q=0.1,fa;q=0.2",
    "parameter_after_weight": "de;q=0.1;level=1,fa;q=0.2",
    "spaces": " de ; q=0.1 , fa ; q=0.2 ",
    "tabs": "de\t;\tq=0.1,\tfa;q=0.2",
    "star": "*",
    "star_first": "*,de;q=0.1",
    "english": "en",
    "english_first": "en,de",
    "unknown": "sv",
    "unknown_first": "sv,xx-yy,de",
    "empty": "",
    "commas": ",,,",
    "commas_around": ",de,",
    "semicolons": ";;;",
    "high": "d\xe9,\xff;q=\xb2,de",
    "hyphens": "-,--,_,de-,-AT",
    "long": f"{'d' * 3000},de",
    "many": "xx," * 100 + "de",
    "hundred": "xx," * 99 + "de",
    "several": ",".join(f"x{n};q=0.{n:03}" for n in range(1, 99)) + ",de;q=0.0001",
}


def accept(target: str, language: str) -> bytes:
    return get(target, f"Accept-Language: {language}")


LANGUAGES = {
    "english": "en",
    "german": "de",
    "austrian": "de-AT",
    "persian": "fa",
    "chinese": "zh-CN",
    "hawaiian": "haw",
}

REQUESTS = {
    **{
        f"negotiated_{name}": accept("/negotiated", header)
        for name, header in HEADERS.items()
    },
    **{
        f"default_{name}": accept("/negotiated?default=de", HEADERS[name])
        for name in ("unknown", "all_zero", "empty", "english")
    },
    **{
        f"{name}_{language}": accept(f"/text/{name}", code)
        for name in TEXTS
        for language, code in LANGUAGES.items()
    },
    "no_header": get("/negotiated"),
    "no_header_with_default": get("/negotiated?default=de-AT"),
    "no_header_with_unknown_default": get("/negotiated?default=sv"),
    "two_headers": get("/negotiated", "Accept-Language: sv", "Accept-Language: de"),
    "user_without_choice": accept("/user", "de"),
    "user_choice": accept("/user?lang=zh-cn", "de"),
    "user_choices": accept("/user?lang=sv&lang=pt-br", "de"),
    "user_choice_unknown": accept("/user?lang=sv", "de"),
    "user_choice_empty": accept("/user?lang=", "de"),
    "user_choice_of_control_characters": get("/user?lang=d%00e%0A&lang=de%0D%0A"),
    "user_choice_of_a_path": get("/user?lang=../../etc/passwd"),
    "user_choice_of_emoji": get("/user?lang=%F0%9F%98%80"),
    "assigned": accept("/assigned", "de"),
    "supported": get("/supported"),
    "unknown": get("/unknown"),
    "names": get("/names"),
}
