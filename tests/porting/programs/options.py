"""Options: a program that imports the package alone and is set up by its options."""

from __future__ import annotations

import datetime

import tornado

from tests.porting.raw import get

parser = tornado.options.OptionParser()
parser.define("greeting", default="hello", group="application")
parser.define("names", multiple=True, group="application")
parser.define("numbers", type=int, multiple=True, group="application")
parser.define("patience", type=datetime.timedelta, group="application")
parser.define("port", default=8888, help="where to listen")

COMMAND_LINE = [
    "program",
    "--greeting=good day",
    "--names=Ada,Grace",
    "--numbers=1:3,7",
    "--patience=1h 30m",
    "--",
    "--port=1",
]

remaining = parser.parse_command_line(COMMAND_LINE)


class Shown(tornado.web.RequestHandler):
    def get(self, name: str) -> None:
        value = self.settings.get(name, getattr(parser, name, "no such option"))
        self.write(tornado.escape.json_encode({name: str(value)}))


class Rest(tornado.web.RequestHandler):
    def get(self) -> None:
        self.write({"remaining": remaining, "port": parser["port"]})


class Refused(tornado.web.RequestHandler):
    def get(self) -> None:
        try:
            parser.port = self.get_argument("port")
        except tornado.options.Error as error:
            self.write(str(error))


def make_app() -> tornado.web.Application:
    return tornado.web.Application(
        [(r"/shown/(\w+)", Shown), (r"/rest", Rest), (r"/refused", Refused)],
        **parser.group_dict("application"),
    )


REQUESTS = {
    "greeting": get("/shown/greeting"),
    "names": get("/shown/names"),
    "numbers": get("/shown/numbers"),
    "patience": get("/shown/patience"),
    "unknown": get("/shown/nope"),
    "remaining": get("/rest"),
    "refused": get("/refused?port=x"),
}
