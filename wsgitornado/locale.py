"""Languages: translated messages, and dates and numbers as they are written there."""

from __future__ import annotations

import codecs
import csv
import datetime
import gettext
import itertools
import os
import re
import threading
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path

from wsgitornado._locale_names import LOCALE_NAMES
from wsgitornado.log import gen_log, one_line

__all__ = [
    "CONTEXT_SEPARATOR",
    "LOCALE_NAMES",
    "CSVLocale",
    "GettextLocale",
    "Locale",
    "get",
    "get_supported_locales",
    "load_gettext_translations",
    "load_translations",
    "set_default_locale",
]

#: What stands between a context and its message in a catalog of gettext.
CONTEXT_SEPARATOR = "\x04"

_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_WEEKDAYS = (
    *("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"),
    *("Saturday", "Sunday"),
)

_RIGHT_TO_LEFT = ("ar", "fa", "he")

# Where the hours are counted to twelve, twice a day.
_TWELVE_HOURS = {
    "en": "{hour}:{minute:02d} {english}",
    "en_US": "{hour}:{minute:02d} {english}",
    "zh_CN": "{chinese}{hour}:{minute:02d}",
}

# The name of a file with translations: "pt_BR".
_CODE = re.compile(r"[a-z]+(?:_[A-Z]+)?")

# What the third column of a file may say.
_FORMS = frozenset({"plural", "singular", "unknown"})

# Browsers name a dozen languages at most. Beyond this many a header only costs time.
_MOST_LANGUAGES = 100


class Locale:
    """A language: translates messages, and writes dates, lists and numbers its way.

    Programs get one from :func:`get`, or as ``self.locale`` of a handler. A class of
    your own defines :meth:`translate` and :meth:`pgettext`; they must be ready when it
    calls ``Locale.__init__``, which translates the names of months and days.

    A locale does not change, so that threads may share it.
    """

    #: As it was loaded: ``pt_BR``.
    code: str

    #: What its speakers call it, ``Português (Brasil)``; "Unknown" if the code is not
    #: in :data:`LOCALE_NAMES`.
    name: str

    #: Whether it is written from right to left: Arabic, Hebrew and Persian.
    rtl: bool

    def __init__(self, code: str) -> None:
        self.code = code
        self.name = LOCALE_NAMES.get(code, {}).get("name", "Unknown")
        self.rtl = code.startswith(_RIGHT_TO_LEFT)
        self._months = [self.translate(month) for month in _MONTHS]
        self._weekdays = [self.translate(day) for day in _WEEKDAYS]

    @classmethod
    def get_closest(cls, *locale_codes: str) -> Locale:
        """The first of these that is supported, or else the default locale.

        For each code the locale of language and region is looked for, then that of the
        language: ``pt-br`` finds ``pt_BR`` or ``pt``, and ``pt`` only ``pt``. Case does
        not matter, nor whether a hyphen or an underscore is between them; codes of more
        parts are passed over. The codes may be any text, of clients too.
        """
        catalogue = _catalogue
        locales = catalogue.locales
        for code in locale_codes:
            if not code:
                continue
            language, _, region = code.replace("-", "_").partition("_")
            if "_" in region:
                continue
            language = language.lower()
            found = locales.get(f"{language}_{region.upper()}") or locales.get(language)
            if found is not None:
                return found
        return catalogue.default

    @classmethod
    def get(cls, code: str) -> Locale:
        """The locale of exactly this code.

        :raises ValueError: if it is not one of :func:`get_supported_locales`.
        """
        locale = _catalogue.locales.get(code)
        if locale is None:
            raise ValueError(
                f"locale {code!r:.50} is not supported: load its translations first, "
                f"or ask for the nearest one by get_closest()"
            )
        return locale

    def translate(
        self,
        message: str,
        plural_message: str | None = None,
        count: int | None = None,
    ) -> str:
        """The message in this language, or as it is where there is no translation.

        :param plural_message: the message for another number of things than one; with
            it *count* says how many there are. The number itself is put in by the
            caller: ``translate("%(n)d day", "%(n)d days", n) % {"n": n}``.
        :raises TypeError: for a plural without *count*.
        """
        raise NotImplementedError(f"{type(self).__qualname__} must define translate()")

    def pgettext(
        self,
        context: str,
        message: str,
        plural_message: str | None = None,
        count: int | None = None,
    ) -> str:
        """:meth:`translate` for a message whose meaning depends on where it stands.

        Only catalogs of gettext have contexts: ``pgettext("month", "May")``.
        """
        raise NotImplementedError(f"{type(self).__qualname__} must define pgettext()")

    def format_date(
        self,
        date: float | datetime.datetime,
        gmt_offset: int = 0,
        relative: bool = True,
        shorter: bool = False,
        full_format: bool = False,
    ) -> str:
        """A moment, in as many words as its distance from now asks for.

        "5 minutes ago", "yesterday at 9:15", "Monday at 9:15", "May 3 at 9:15",
        "May 3, 2020 at 9:15". What is yet to come has always the long form, unless it
        is less than a minute ahead, which clocks that differ can explain.

        :param date: seconds since 1970, or a datetime, which counts as UTC if it has no
            zone, and is shown by the clock of its own zone if it has one.
        :param gmt_offset: minutes that the reader's clock is behind: 300 in New York in
            winter, -60 in Berlin; what ``getTimezoneOffset()`` of JavaScript gives.
        :param relative: False gives no "ago" and no "yesterday".
        :param shorter: leave out the time of day where the date says enough.
        :param full_format: always month, day and year.
        :raises TypeError: if *date* is neither.
        """
        moment = _as_moment(date)
        now = datetime.datetime.now(datetime.UTC)
        if moment > now:
            if relative and moment - now < datetime.timedelta(minutes=1):
                moment = now
            else:
                full_format = True
        age = now - moment
        if relative and not full_format and age.days == 0:
            return self._format_age(age.seconds)
        offset = datetime.timedelta(minutes=gmt_offset)
        local = moment - offset
        if full_format or age.days >= 334:
            # Eleven months: a date of last year would look like one of this year.
            pattern = "%(month_name)s %(day)s, %(year)s"
        elif age.days == 0:
            pattern = "%(time)s"
        elif relative and age.days == 1 and _is_yesterday(local, now - offset):
            pattern = "yesterday"
        elif age.days < 5:
            pattern = "%(weekday)s"
        else:
            pattern = "%(month_name)s %(day)s"
        if not shorter and pattern != "%(time)s":
            pattern += " at %(time)s"
        return self.translate(pattern) % {
            "month_name": self._months[local.month - 1],
            "weekday": self._weekdays[local.weekday()],
            "day": str(local.day),
            "year": str(local.year),
            "time": self._format_time(local),
        }

    def format_day(
        self, date: datetime.date, gmt_offset: int = 0, dow: bool = True
    ) -> str:
        """A day of some year: "Monday, May 3".

        :param date: a date or a datetime.
        :param gmt_offset: as for :meth:`format_date`.
        :param dow: whether to name the day of the week.
        """
        local = date - datetime.timedelta(minutes=gmt_offset)
        pattern = "%(month_name)s %(day)s"
        if dow:
            pattern = "%(weekday)s, " + pattern
        return self.translate(pattern) % {
            "month_name": self._months[local.month - 1],
            "weekday": self._weekdays[local.weekday()],
            "day": str(local.day),
        }

    def list(self, parts: Sequence[str]) -> str:
        """Several things in one phrase: "a, b and c"; an empty text for none."""
        if not parts:
            return ""
        if len(parts) == 1:
            return parts[0]
        comma = " و " if self.code.startswith("fa") else ", "
        return self.translate("%(commas)s and %(last)s") % {
            "commas": comma.join(parts[:-1]),
            "last": parts[-1],
        }

    def friendly_number(self, value: int) -> str:
        """A number as people read it: "1,234,567" in American English.

        Other languages get their digits as they are.
        """
        return f"{value:,}" if self.code in ("en", "en_US") else str(value)

    def _format_age(self, seconds: int) -> str:
        """Less than a day, in the unit that it fills."""
        if seconds < 50:
            return self.translate(
                "1 second ago", "%(seconds)d seconds ago", seconds
            ) % {"seconds": seconds}
        if seconds < 50 * 60:
            minutes = round(seconds / 60)
            return self.translate(
                "1 minute ago", "%(minutes)d minutes ago", minutes
            ) % {"minutes": minutes}
        hours = round(seconds / 3600)
        return self.translate("1 hour ago", "%(hours)d hours ago", hours) % {
            "hours": hours
        }

    def _format_time(self, local: datetime.datetime) -> str:
        pattern = _TWELVE_HOURS.get(self.code)
        if pattern is None:
            return f"{local.hour}:{local.minute:02d}"
        is_morning = local.hour < 12
        return pattern.format(
            hour=local.hour % 12 or 12,
            minute=local.minute,
            english="am" if is_morning else "pm",
            chinese="上午" if is_morning else "下午",
        )


class CSVLocale(Locale):
    """A locale whose messages come from a file of :func:`load_translations`.

    :ivar translations: the translations by form ("plural", "singular" or "unknown"),
        then by message.
    """

    def __init__(self, code: str, translations: dict[str, dict[str, str]]) -> None:
        self.translations = translations
        super().__init__(code)

    def translate(
        self,
        message: str,
        plural_message: str | None = None,
        count: int | None = None,
    ) -> str:
        """See :meth:`Locale.translate`.

        A message that is asked for with its plural is looked for in rows that say
        ``singular`` or ``plural``, any other in rows that say neither.
        """
        form = "unknown"
        if plural_message is not None:
            _check_count(count)
            form = "singular"
            if count != 1:
                form = "plural"
                message = plural_message
        return self.translations.get(form, {}).get(message, message)

    def pgettext(
        self,
        context: str,
        message: str,
        plural_message: str | None = None,
        count: int | None = None,
    ) -> str:
        """:meth:`translate`, with a warning in the log: the files have no contexts."""
        if self.translations:
            gen_log.warning("pgettext is not supported by CSVLocale")
        return self.translate(message, plural_message, count)


class GettextLocale(Locale):
    """A locale whose messages come from a catalog of gettext.

    :param translations: what the standard library has read the catalog into.
    """

    def __init__(self, code: str, translations: gettext.NullTranslations) -> None:
        self.gettext = translations.gettext
        self.ngettext = translations.ngettext
        super().__init__(code)

    def translate(
        self,
        message: str,
        plural_message: str | None = None,
        count: int | None = None,
    ) -> str:
        """See :meth:`Locale.translate`; the catalog has the rule of its plurals."""
        if plural_message is None:
            return self.gettext(message)
        return self.ngettext(message, plural_message, _check_count(count))

    def pgettext(
        self,
        context: str,
        message: str,
        plural_message: str | None = None,
        count: int | None = None,
    ) -> str:
        """See :meth:`Locale.pgettext`.

        A plural that the catalog does not have in this context is looked for without
        it; a single message is not.
        """
        within = context + CONTEXT_SEPARATOR
        if plural_message is None:
            found = self.gettext(within + message)
            return message if CONTEXT_SEPARATOR in found else found
        count = _check_count(count)
        found = self.ngettext(within + message, within + plural_message, count)
        if CONTEXT_SEPARATOR in found:
            found = self.ngettext(message, plural_message, count)
        return found


class _Catalogue:
    """All that is supported at one time. Never changed: another one takes its place."""

    def __init__(self, loaded: dict[str, Locale], default_code: str) -> None:
        self.loaded = loaded
        self.locales = {default_code: CSVLocale(default_code, {}), **loaded}
        self.default = self.locales[default_code]


# Read once by each function, without the lock: it is the old one or the new one.
_catalogue = _Catalogue({}, "en_US")
_lock = threading.Lock()

#: Where translations were last looked for: what reloads programs watches it.
_folder: str | None = None


def get(*locale_codes: str) -> Locale:
    """The locale that fits best: :meth:`Locale.get_closest`.

    >>> get("xx", "en-us").name
    'English (US)'
    """
    return Locale.get_closest(*locale_codes)


def set_default_locale(code: str) -> None:
    """Say what language the program itself speaks; ``en_US`` unless this is called.

    It is supported without translations, and it is what everybody gets who asks for
    none that is supported.
    """
    global _catalogue
    with _lock:
        _catalogue = _Catalogue(_catalogue.loaded, code)


def get_supported_locales() -> frozenset[str]:
    """The codes of all locales: those that were loaded, and the default."""
    return frozenset(_catalogue.locales)


def load_translations(directory: str, encoding: str | None = None) -> None:
    """Load the translations of a directory with one CSV file for each locale.

    The files are named ``de.csv`` or ``pt_BR.csv``. A row has a message, its
    translation, and perhaps ``singular`` or ``plural`` for the forms that
    :meth:`Locale.translate` is asked for with a count::

        "Sign in","Anmelden"
        "%(n)d day","%(n)d Tag","singular"
        "%(n)d days","%(n)d Tage","plural"

    Files of other names, and rows whose third column says something else, are left out
    with a line in the log.

    What was loaded before is replaced at once, for all threads: a request sees either
    the old translations or the new ones. If anything raises, the old ones stay.

    :param encoding: of the files. By default UTF-16 for a file that begins with its
        byte order mark, and UTF-8 otherwise, with or without one.
    :raises OSError: if the directory or a file cannot be read.
    :raises UnicodeError: if a file is not in the encoding; a note names the file.
    :raises csv.Error: if a cell is longer than ``csv.field_size_limit()``; likewise.
    """
    _note_folder(directory)
    loaded: dict[str, Locale] = {}
    for name in sorted(os.listdir(directory)):
        code, suffix = os.path.splitext(name)
        # A name that is nothing but ".csv" has no suffix.
        if suffix != ".csv" and name != ".csv":
            continue
        path = os.path.join(directory, name)
        if not _CODE.fullmatch(code):
            gen_log.error("Unrecognized locale %r (path: %s)", code, one_line(path))
            continue
        try:
            loaded[code] = CSVLocale(code, _read_csv(path, encoding))
        except (UnicodeError, csv.Error) as error:
            error.add_note(f"while reading {path!r}")
            raise
    _replace_loaded(loaded)


def load_gettext_translations(directory: str, domain: str) -> None:
    """Load the gettext catalogs of a directory, as its tools lay them out.

    That is ``{directory}/{code}/LC_MESSAGES/{domain}.mo``. What a catalog of a region
    (``pt_BR``) does not have is looked for in that of the language (``pt``). A catalog
    that cannot be read is left out with a line in the log.

    Like :func:`load_translations` it replaces at once what was loaded before.
    """
    _note_folder(directory)
    loaded: dict[str, Locale] = {}
    for path in sorted(Path(directory).glob("*/LC_MESSAGES")):
        code = path.parent.name
        if code.startswith(".") or not (path / f"{domain}.mo").is_file():
            continue
        try:
            loaded[code] = GettextLocale(code, _read_catalogs(directory, domain, code))
        except Exception as error:
            # The reader raises whatever comes up: OSError, struct.error, UnicodeError.
            gen_log.error("Cannot load translation for %r: %s", code, error)
    _replace_loaded(loaded)


def accepted_languages(header: str) -> list[str]:
    """The languages of an Accept-Language header, the most wanted first.

    Those of weight 0 are left out, and so are those whose weight is no number. Any text
    is safe, and no more than its first hundred languages are looked at.

    >>> accepted_languages("fr;q=0.5, de-AT, de;q=0.9, en;q=0")
    ['de-AT', 'de', 'fr']
    """
    weighted = []
    for item in header.split(",", _MOST_LANGUAGES)[:_MOST_LANGUAGES]:
        code, _, parameters = item.partition(";")
        parameter = parameters.partition(";")[0].strip()
        weight = 1.0
        if parameter.startswith("q="):
            weight = _read_weight(parameter[2:])
        # Not for nan either.
        if weight > 0:
            weighted.append((weight, code.strip()))
    # Equal weights keep their order.
    weighted.sort(key=itemgetter(0), reverse=True)
    return [code for _, code in weighted]


def _read_weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _as_moment(date: float | datetime.datetime) -> datetime.datetime:
    if isinstance(date, (int, float)):
        return datetime.datetime.fromtimestamp(date, datetime.UTC)
    if not isinstance(date, datetime.datetime):
        raise TypeError(
            f"format_date() takes seconds or a datetime: got {date!r}; "
            f"format_day() takes a date"
        )
    return date if date.tzinfo is not None else date.replace(tzinfo=datetime.UTC)


def _is_yesterday(local: datetime.datetime, local_now: datetime.datetime) -> bool:
    return local.date() == local_now.date() - datetime.timedelta(days=1)


def _check_count(count: int | None) -> int:
    if count is None:
        raise TypeError("a plural_message needs a count: how many are there?")
    return count


def translations_folder() -> str | None:
    """The directory whose translations were last asked for; None if none were."""
    return _folder


def _note_folder(directory: str) -> None:
    global _folder
    _folder = os.path.abspath(directory)


def _replace_loaded(loaded: dict[str, Locale]) -> None:
    global _catalogue
    with _lock:
        _catalogue = _Catalogue(loaded, _catalogue.default.code)
    gen_log.debug("Supported locales: %s", sorted(get_supported_locales()))


def _read_csv(path: str, encoding: str | None) -> dict[str, dict[str, str]]:
    """The translations in a file: by form, then by message."""
    translations: dict[str, dict[str, str]] = {}
    with open(path, encoding=encoding or _find_encoding(path)) as file:
        reader = csv.reader(file)
        for row in reader:
            if len(row) < 2:
                continue
            message, translation, form = (cell.strip() for cell in [*row, ""][:3])
            form = form or "unknown"
            if form not in _FORMS:
                gen_log.error(
                    "Unrecognized plural indicator %r in %s line %d",
                    form,
                    os.path.basename(path),
                    reader.line_num,
                )
                continue
            translations.setdefault(form, {})[message] = translation
    return translations


def _find_encoding(path: str) -> str:
    with open(path, "rb") as file:
        start = file.read(2)
    is_utf_16 = start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return "utf-16" if is_utf_16 else "utf-8-sig"


def _read_catalogs(directory: str, domain: str, code: str) -> gettext.NullTranslations:
    """A catalog, and behind it those of the more general codes.

    As ``gettext.translation``, which never reads a file again that it has read before.
    """
    paths = gettext.find(domain, directory, [code], all=True)
    if not paths:
        raise FileNotFoundError(f"No translation file found for domain: {domain!r}")
    catalogs = []
    for path in paths:
        with open(path, "rb") as file:
            catalogs.append(gettext.GNUTranslations(file))
    for specific, general in itertools.pairwise(catalogs):
        specific.add_fallback(general)
    return catalogs[0]
