"""The application: which handler answers what, and the settings of all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from examples.library import handlers, modules
from examples.library.records import Records
from wsgitornado import locale
from wsgitornado.web import Application, url

HERE = Path(__file__).resolve().parent


def make_app(
    data_dir: str | os.PathLike[str] | None = None, **settings: Any
) -> Application:
    """Make the library whose data lies in a folder, made here when it is missing."""
    folder = data_dir or os.environ.get("LIBRARY_DATA") or "library-data"
    records = Records(Path(folder))

    locale.set_default_locale("en")
    locale.load_translations(str(HERE / "locale"))

    book = r"/books/([a-z-]+)"
    return Application(
        [
            url(r"/", handlers.HomeHandler, name="home"),
            url(r"/books", handlers.CatalogueHandler, name="catalogue"),
            url(book, handlers.BookHandler, name="book"),
            url(rf"{book}/borrow", handlers.BorrowHandler, name="borrow"),
            url(rf"{book}/return", handlers.ReturnHandler, name="return"),
            url(r"/loans", handlers.LoansHandler, name="loans"),
            url(r"/join", handlers.JoinHandler, name="join"),
            url(r"/signin", handlers.SignInHandler, name="signin"),
            url(r"/signout", handlers.SignOutHandler, name="signout"),
            url(r"/language", handlers.LanguageHandler, name="language"),
            url(r"/about", handlers.AboutHandler, name="about"),
        ],
        default_handler_class=handlers.NotFoundHandler,
        template_path=str(HERE / "templates"),
        static_path=str(HERE / "static"),
        ui_modules=modules,
        ui_methods={"time_html": modules.time_html},
        cookie_secret=records.find_secret("cookies"),
        login_url="/signin",
        xsrf_cookies=True,
        xsrf_cookie_kwargs={"httponly": True, "samesite": "Lax"},
        records=records,
        **settings,
    )


app = make_app(debug=bool(os.environ.get("LIBRARY_DEBUG")))
