"""What ``check`` says of names that are here and do not do quite what Tornado's do.

The whole of it is the page "differences from Tornado"; here are the names that a
program has to use to notice. That a name is missing is for nobody to write down.
"""

from __future__ import annotations

from typing import Final

__all__ = ["DIFFERENCES", "LOGGERS", "REFUSED"]

#: By the name below ``tornado``; with an argument in brackets.
DIFFERENCES: Final = {
    "log.access_log": "its name is wsgitornado.access",
    "log.app_log": "its name is wsgitornado.application",
    "log.gen_log": "its name is wsgitornado.general",
    "process.Subprocess": "its pipes are PipeReader and PipeWriter, without "
    "read_until_regex, read_into and set_close_callback",
    "process.Subprocess.initialize": "it does nothing, and need not be called",
    "process.Subprocess.uninitialize": "it does nothing, and need not be called",
    "routing.Router.find_handler": "it returns a RouteMatch, no message delegate",
    "version": "it is the version of wsgitornado, except under run",
    "version_info": "it is the version of wsgitornado, except under run",
    "web.Application(autoreload)": "a server that is not ours ignores it",
    "web.Application(debug)": "a server that is not ours does not reload the program",
    "web.Application(wsgi)": "an Application is always a WSGI callable",
    "web.Application.find_handler": "it returns a RouteMatch, no message delegate",
    "web.FallbackHandler": "its fallback is a WSGI callable: environ, start_response",
    "web.RequestHandler.flush(callback)": "removed in Tornado 6.0; it works here",
    "web.RequestHandler.get_error_html": "it is called, with a DeprecationWarning: "
    "write_error is the name since Tornado 3",
    "web.RequestHandler.on_connection_close": "servers other than the loop server "
    "notice late that a client has left",
    "web.asynchronous": "removed in Tornado 6.0; it works here",
}

#: Names that are here to say that they cannot be used.
REFUSED: Final = {
    "routing.RuleRouter.get_target_delegate": "there are no message delegates: "
    "override get_target_match, which returns a RouteMatch",
    "web.Application.get_handler_delegate": "there are no message delegates: have "
    "find_handler return a RouteMatch",
}

#: What the loggers of Tornado are called here.
LOGGERS: Final = {
    "tornado.access": "the logger is wsgitornado.access, except under run",
    "tornado.application": "the logger is wsgitornado.application, except under run",
    "tornado.general": "the logger is wsgitornado.general, except under run",
}
