"""Loading translations: files and catalogs, and what is wrong with them."""

from __future__ import annotations

import codecs
import csv
import logging
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.catalogs import compile_catalog, write_catalog, write_files
from wsgitornado import locale
from wsgitornado.locale import CSVLocale, GettextLocale
from wsgitornado.testing import ExpectLog

LOG = "wsgitornado.general"


@pytest.fixture(autouse=True)
def catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is loaded, and what is loaded is forgotten after the test."""
    monkeypatch.setattr(locale, "_catalogue", locale._Catalogue({}, "en_US"))


def translations(code: str) -> dict[str, dict[str, str]]:
    found = locale.Locale.get(code)
    assert isinstance(found, CSVLocale)
    return found.translations


def load(directory: Path, content: str | bytes, encoding: str | None = None) -> object:
    """The translations of one file, as they were read."""
    locale.load_translations(write_files(directory, de=content), encoding)
    return translations("de")


# CSV


def test_files_are_locales(tmp_path: Path) -> None:
    directory = write_files(
        tmp_path, de='"Sign in","Anmelden"\n', pt_BR="Sign in,Entrar\n", haw=""
    )
    (tmp_path / "readme.txt").write_text("a,b\n")
    (tmp_path / "fr.CSV").write_text("a,b\n")
    locale.load_translations(directory)
    assert locale.get_supported_locales() == {"de", "en_US", "haw", "pt_BR"}
    assert locale.get("pt-br").translate("Sign in") == "Entrar"
    assert locale.get("de-CH").translate("Sign in") == "Anmelden"
    assert locale.get("haw").translate("Sign in") == "Sign in"


@pytest.mark.parametrize(
    ("content", "read"),
    [
        pytest.param("a,b\nc,d\n", {"unknown": {"a": "b", "c": "d"}}, id="two columns"),
        pytest.param(
            "a,b,singular\na,c,plural\na,d,unknown\n",
            {"singular": {"a": "b"}, "plural": {"a": "c"}, "unknown": {"a": "d"}},
            id="forms",
        ),
        pytest.param("a,b,\n", {"unknown": {"a": "b"}}, id="form left empty"),
        pytest.param("a,b,plural,note\n", {"plural": {"a": "b"}}, id="four columns"),
        pytest.param(" a , b , plural \n", {"plural": {"a": "b"}}, id="spaces"),
        pytest.param('"a, ""b""","c"\n', {"unknown": {'a, "b"': "c"}}, id="quotes"),
        pytest.param('"a\r\nb","c"\n', {"unknown": {"a\nb": "c"}}, id="line break"),
        pytest.param("\na\n# a note\na,b\n", {"unknown": {"a": "b"}}, id="one column"),
        pytest.param("a,b\na,c\n", {"unknown": {"a": "c"}}, id="twice"),
        pytest.param("a,b\r\nc,d\r", {"unknown": {"a": "b", "c": "d"}}, id="line ends"),
        pytest.param("", {}, id="empty"),
    ],
)
def test_rows(tmp_path: Path, content: str, read: object) -> None:
    assert load(tmp_path, content) == read


def test_row_of_an_unknown_form_is_left_out_with_a_line_in_the_log(
    tmp_path: Path,
) -> None:
    with ExpectLog(LOG, "Unrecognized plural indicator 'many' in de.csv line 2"):
        assert load(tmp_path, "a,b\nc,d,many\ne,f\n") == {
            "unknown": {"a": "b", "e": "f"}
        }


@pytest.mark.parametrize(
    "name",
    [
        "es_419",
        "es-LA",
        "zh_Hans",
        "es_la",
        "ES",
        "e1",
        "é",
        "",
        ".es",
        "es.old",
        "e\n",
    ],
    ids=ascii,
)
def test_file_that_is_named_by_no_code_is_left_out(tmp_path: Path, name: str) -> None:
    directory = write_files(tmp_path, **{name: "a,b\n", "de": "a,b\n"})
    with ExpectLog(LOG, r"Unrecognized locale .* \(path: .*\.csv\)$"):
        locale.load_translations(directory)
    assert locale.get_supported_locales() == {"de", "en_US"}


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        pytest.param("ä,ö\n".encode(), None, id="utf-8"),
        pytest.param(codecs.BOM_UTF8 + "ä,ö\n".encode(), None, id="utf-8 with mark"),
        pytest.param("ä,ö\n".encode("utf-16"), None, id="utf-16"),
        pytest.param(
            codecs.BOM_UTF16_BE + "ä,ö\n".encode("utf-16-be"), None, id="big-endian"
        ),
        pytest.param("ä,ö\n".encode("latin-1"), "latin-1", id="latin-1"),
        pytest.param("ä,ö\n".encode("utf-16-le"), "utf-16-le", id="utf-16 unmarked"),
    ],
)
def test_encodings(tmp_path: Path, data: bytes, encoding: str | None) -> None:
    assert load(tmp_path, data, encoding) == {"unknown": {"ä": "ö"}}


@pytest.mark.parametrize(
    ("content", "encoding", "error"),
    [
        pytest.param(b"\xe4,\xf6\n", None, UnicodeError, id="encoding"),
        pytest.param(b"a,b", "utf-16", UnicodeError, id="no mark"),
        pytest.param("a," + "b" * 131_073, None, csv.Error, id="too long a cell"),
    ],
)
def test_file_that_cannot_be_read_is_named_and_nothing_changes(
    tmp_path: Path, content: str | bytes, encoding: str | None, error: type[Exception]
) -> None:
    locale.load_translations(write_files(tmp_path / "old", fr="a,old\n"))
    new = "a,new\n".encode(encoding or "ascii")
    directory = write_files(tmp_path / "new", fr=new, pt=content)
    with pytest.raises(error) as caught:
        locale.load_translations(directory, encoding)
    assert "pt.csv" in caught.value.__notes__[0]
    assert locale.get("fr").translate("a") == "old"


def test_longest_cell_of_a_file(tmp_path: Path) -> None:
    assert load(tmp_path, "a," + "b" * 131_072) == {"unknown": {"a": "b" * 131_072}}


def test_directory_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        locale.load_translations(str(tmp_path / "missing"))


def test_unknown_encoding_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="nothing-like-this"):
        locale.load_translations(write_files(tmp_path, de="a,b"), "nothing-like-this")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(data=st.binary(max_size=80))
def test_any_content_loads_or_raises_what_is_documented(
    tmp_path: Path, data: bytes
) -> None:
    directory = write_files(tmp_path, de=data)
    logger = logging.getLogger(LOG)
    logger.disabled = True
    try:
        locale.load_translations(directory)
    except (UnicodeError, csv.Error):
        pass
    finally:
        logger.disabled = False


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    messages=st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="\r")).map(str.strip),
        st.text(st.characters(codec="utf-8", exclude_characters="\r")).map(str.strip),
        min_size=1,
    )
)
def test_what_a_spreadsheet_writes_is_read_back(
    tmp_path: Path, messages: dict[str, str]
) -> None:
    with open(tmp_path / "de.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(messages.items())
    locale.load_translations(str(tmp_path))
    assert translations("de") == {"unknown": messages}


# Gettext


def test_catalogs_are_locales(tmp_path: Path) -> None:
    write_catalog(tmp_path, "de", {"Sign in": "Anmelden", "day\0days": "Tag\0Tage"})
    write_catalog(tmp_path, "pt_BR", {"Sign in": "Entrar"})
    (tmp_path / "fr" / "LC_MESSAGES").mkdir(parents=True)
    (tmp_path / "it").mkdir()
    (tmp_path / "site.pot").write_text("")
    write_catalog(tmp_path, ".svn", {})
    locale.load_gettext_translations(str(tmp_path), "site")
    assert locale.get_supported_locales() == {"de", "en_US", "pt_BR"}
    found = locale.get("de-AT")
    assert isinstance(found, GettextLocale)
    assert found.translate("Sign in") == "Anmelden"
    assert found.translate("day", "days", 2) == "Tage"
    assert locale.get("pt-BR").translate("Sign in") == "Entrar"
    assert locale.get("xx").translate("Sign in") == "Sign in"


def test_other_domains_are_left_alone(tmp_path: Path) -> None:
    directory = write_catalog(tmp_path, "de", {})
    locale.load_gettext_translations(directory, "shop")
    assert locale.get_supported_locales() == {"en_US"}


def test_directory_without_catalogs_has_no_locales(tmp_path: Path) -> None:
    locale.load_gettext_translations(str(tmp_path / "missing"), "site")
    assert locale.get_supported_locales() == {"en_US"}


def test_region_has_what_the_language_has(tmp_path: Path) -> None:
    write_catalog(tmp_path, "pt", {"Sign in": "Entrar", "bus": "autocarro"})
    write_catalog(tmp_path, "pt_BR", {"bus": "ônibus"})
    locale.load_gettext_translations(str(tmp_path), "site")
    found = locale.get("pt_BR")
    assert found.translate("bus") == "ônibus"
    assert found.translate("Sign in") == "Entrar"


@pytest.mark.parametrize(
    ("code", "content"),
    [
        pytest.param("fr", b"no catalog", id="magic number"),
        pytest.param("fr", b"", id="empty"),
        pytest.param("fr", compile_catalog({"a": "b"})[:-4], id="cut"),
        pytest.param("fr", compile_catalog({"a": "b"}, plurals="plural=x"), id="rule"),
        pytest.param("ES", compile_catalog({"a": "b"}), id="code"),
    ],
)
def test_catalog_that_cannot_be_read_is_left_out(
    tmp_path: Path, code: str, content: bytes
) -> None:
    write_catalog(tmp_path, "de", {"a": "A"})
    write_catalog(tmp_path, code, content)
    with ExpectLog(LOG, f"Cannot load translation for '{code}': "):
        locale.load_gettext_translations(str(tmp_path), "site")
    assert locale.get_supported_locales() == {"de", "en_US"}


# Again


def test_loading_again_reads_again_and_forgets_the_rest(tmp_path: Path) -> None:
    locale.load_translations(write_files(tmp_path, de="a,1\n", fr="a,1\n"))
    (tmp_path / "fr.csv").unlink()
    locale.load_translations(write_files(tmp_path, de="a,2\n"))
    assert locale.get("de").translate("a") == "2"
    assert locale.get_supported_locales() == {"de", "en_US"}


def test_catalogs_are_read_again(tmp_path: Path) -> None:
    for text in ("1", "2"):
        directory = write_catalog(tmp_path, "de", {"a": text})
        locale.load_gettext_translations(directory, "site")
        assert locale.get("de").translate("a") == text


def test_default_locale_stays_and_takes_its_translations(tmp_path: Path) -> None:
    locale.set_default_locale("de")
    locale.load_translations(write_files(tmp_path, de="a,A\n", fr="a,B\n"))
    assert locale.get_supported_locales() == {"de", "fr"}
    assert locale.get("xx").translate("a") == "A"


def test_threads_see_the_old_translations_or_the_new_ones(tmp_path: Path) -> None:
    versions = ("1", "2")
    directories = [
        write_files(tmp_path / v, de=f"a,{v}\nb,{v}\nc,{v}\n", fr=f"a,{v}\n")
        for v in versions
    ]
    locale.load_translations(directories[0])
    seen: set[tuple[str, ...]] = set()
    is_over = threading.Event()

    def look() -> None:
        while not is_over.is_set():
            found = locale.get("de")
            seen.add((found.code, *map(found.translate, "abc")))
            assert locale.get_supported_locales() == {"de", "en_US", "fr"}

    readers = [threading.Thread(target=look) for _ in range(2)]
    for reader in readers:
        reader.start()
    for turn in range(40):
        locale.load_translations(directories[turn % 2])
        locale.set_default_locale("en_US")
    is_over.set()
    for reader in readers:
        reader.join()
    assert seen <= {("de", v, v, v) for v in versions}
    assert seen
