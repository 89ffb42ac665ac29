"""The language that a handler answers in."""

from __future__ import annotations

from wsgitornado.locale import Locale, accepted_languages
from wsgitornado.web.protection import ProtectionChapter

__all__ = ["LanguagesChapter"]


class LanguagesChapter(ProtectionChapter):
    """RequestHandler's part about languages."""

    _locale: Locale | None = None

    @property
    def locale(self) -> Locale:
        """The locale of the user.

        The first time it is asked for it is what :meth:`get_user_locale` gives, or
        else :meth:`get_browser_locale`. ``prepare`` may set another one.
        """
        locale = self._locale
        if locale is None:
            locale = self.get_user_locale()
            if locale is None:
                locale = self.get_browser_locale()
            self._locale = locale
        return locale

    @locale.setter
    def locale(self, value: Locale) -> None:
        self._locale = value

    def get_user_locale(self) -> Locale | None:
        """Override it to answer in the language that the user has chosen.

        Called once per request. None, the default, leaves the choice to the browser.
        Any text is safe for :func:`wsgitornado.locale.get`, which finds the nearest
        locale that there is.
        """
        return None

    def get_browser_locale(self, default: str = "en_US") -> Locale:
        """The locale that suits the header Accept-Language best (RFC 9110, 12.5.4).

        If translations exist for none of its languages, that is the locale of
        :func:`wsgitornado.locale.set_default_locale`.

        :param default: the code to look for when the request does not say anything:
            it has no such header, or accepts nothing in it.
        """
        header = self.request.environ.get("HTTP_ACCEPT_LANGUAGE")
        codes = [] if header is None else accepted_languages(header)
        return Locale.get_closest(*(codes or [default]))
