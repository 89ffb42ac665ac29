"""What StaticFileHandler never serves: other folders, special files, odd names."""

from __future__ import annotations

import errno
import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.folders import as_nobody, folder_for_all
from tests.web.static_site import Site
from wsgitornado.testing import ExpectLog
from wsgitornado.web import StaticFileHandler


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def refusal(site: Site, path: str, **extra: Any) -> int:
    with ExpectLog("wsgitornado.general", "403 GET .* is not "):
        return site.ask(path, **extra).status_code


# -- Outside


@pytest.mark.parametrize(
    "path",
    [
        "../outside/file",
        "sub/../../outside/file",
        "sub/../../../../../../../../../../../../../../../../etc/passwd",
        "%2e%2e/outside/file",
        "%2E%2E%2Foutside%2Ffile",
        "..%2foutside/file",
        ".%2e/outside/file",
        "sub%2f..%2f..%2foutside%2ffile",
        "..//outside//file",
        "./../outside/file",
        "..",
        "../",
        "../..",
        "/etc/passwd",
        "//etc/passwd",
        "%2fetc/passwd",
        "%2f%2fetc/passwd",
        "/",
        "../rooted/file",
        "%2e%2e/rooted/file",
        "../rooted",
        "outside.txt",
        "outside/file",
        "outside",
        "outside/",
        "sub/../outside.txt",
        "sublink/../../outside/file",
        "outside/../../etc/passwd",
        "nowhere/../../outside/file",
    ],
)
@pytest.mark.parametrize("tells_target", [True, False], ids=["raw target", "decoded"])
def test_path_that_leads_outside_is_a_403(
    site: Site, path: str, tells_target: bool
) -> None:
    raw = {"REQUEST_URI": f"/files/{path}"} if tells_target else {}
    assert refusal(site, path, **raw) == 403


def test_absolute_path_of_a_neighbour_is_a_403(site: Site) -> None:
    assert refusal(site, f"{site.root}ed/file") == 403


@pytest.mark.parametrize(
    "path",
    [
        "%252e%252e/outside/file",
        "%252e%252e%252foutside%252ffile",
        "..%5coutside%5cfile",
        "..\\outside\\file",
        "%c0%ae%c0%ae/outside/file",
        "%e0%80%ae%e0%80%ae/outside/file",
        "%uff0e%uff0e/outside/file",
        "\uff0e\uff0e/outside/file",
        "..%00/outside/file",
        "..;/outside/file",
        ".../outside/file",
        "~/file",
        "~root/.profile",
        "file:///etc/passwd",
        "$HOME/file",
        "digits.txt%00.html",
        "digits.txt%00",
    ],
)
def test_other_spellings_of_a_way_out_find_nothing(site: Site, path: str) -> None:
    path = path.encode().decode("latin-1") if not path.isascii() else path
    with ExpectLog("wsgitornado.general", "400 GET .*Invalid unicode", required=False):
        assert site.ask(path).status_code in (400, 404)


pieces = st.lists(
    st.sampled_from(
        [
            *("..", ".", "", "sub", "outside", "file", "digits.txt", "etc", "passwd"),
            *("sublink", "%2e%2e", "%2f", "\\", "~", "\0", "rooted", "outside.txt"),
            *("link.txt", "circle", "dangling", "pipe", "\xff"),
        ]
    ),
    max_size=8,
).map("/".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces)
@example("sub/../../rooted/file")
def test_no_path_shows_anything_outside(site: Site, path: str) -> None:
    inside = {p.read_bytes() for p in site.root.rglob("*") if p.is_file()}
    inside -= {b"outside", b"<p>index of outside"}
    with ExpectLog("wsgitornado.general", "40[03] GET", required=False):
        answer = site.ask("", PATH_INFO=f"/files/{path}")
    assert answer.status_code in (200, 400, 403, 404)
    if answer.status_code == 200:
        assert answer.body in inside


@pytest.mark.parametrize("path", ["link.txt", "sublink/../link.txt", "looks.txt"])
def test_links_inside_are_followed(site: Site, path: str) -> None:
    assert site.ask(path).status_code == 200


def test_type_is_that_of_the_file_that_a_link_leads_to(site: Site) -> None:
    assert site.ask("looks.txt").headers["Content-Type"] == "text/css"


@pytest.mark.parametrize("path", ["dangling", "circle", "circle/file", "dangling/x"])
def test_link_that_leads_nowhere_is_a_404(site: Site, path: str) -> None:
    assert site.ask(path).status_code == 404


@pytest.mark.parametrize("as_list", [True, False], ids=["list", "text"])
@pytest.mark.parametrize("place", ["rule", "class"])
def test_links_may_lead_to_allowed_folders(
    tmp_path: Path, as_list: bool, place: str
) -> None:
    folder = str(tmp_path / "outside")
    allowed: Any = [folder] if as_list else folder

    class Allowing(StaticFileHandler):
        allowed_symlink_directory = allowed if place == "class" else None

    arguments = {"allowed_symlink_directory": allowed} if place == "rule" else {}
    site = Site(tmp_path, Allowing, arguments)
    assert site.ask("outside.txt").text == "outside"
    assert site.ask("outside/file").text == "outside"
    assert site.ask("link.txt").text == "0123456789"
    assert refusal(site, "../outside/file") == 403
    (site.root / "other").symlink_to("../rooted/file")
    assert refusal(site, "other") == 403


def test_page_of_an_allowed_folder_is_shown(tmp_path: Path) -> None:
    arguments = {
        "default_filename": "index.html",
        "allowed_symlink_directory": str(tmp_path / "outside"),
    }
    site = Site(tmp_path, arguments=arguments)
    assert site.ask("outside").headers["Location"] == "/files/outside/"
    assert site.ask("outside/").text == "<p>index of outside"


# -- Special files


def test_no_request_waits_for_a_pipe(site: Site) -> None:
    statuses: list[int] = []
    thread = threading.Thread(
        target=lambda: statuses.append(refusal(site, "pipe")), daemon=True
    )
    thread.start()
    thread.join(10)
    assert statuses == [403]


@pytest.mark.parametrize("name", ["null", "zero", "tty", "fd", "shm"])
def test_devices_are_no_files(tmp_path: Path, name: str) -> None:
    site = Site(tmp_path, arguments={"path": "/dev"})
    with ExpectLog("wsgitornado.general", "403 GET .*is not"):
        assert site.ask(name).status_code == 403


def test_sockets_are_no_files(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(site.root)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        assert refusal(site, "socket") == 403


class Swapping(StaticFileHandler):
    """Puts something else in the place of a file once it was looked at."""

    swap: Any

    def set_extra_headers(self, path: str) -> None:
        type(self).swap(Path(str(self.absolute_path)))


def swapping(swap: Any) -> type[Swapping]:
    return type("Swap", (Swapping,), {"swap": staticmethod(swap)})


def by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("swap", [by_pipe, by_folder])
def test_file_that_becomes_something_else_is_a_403(tmp_path: Path, swap: Any) -> None:
    site = Site(tmp_path, swapping(swap))
    assert refusal(site, "digits.txt") == 403


def test_file_that_vanishes_is_a_404(tmp_path: Path) -> None:
    site = Site(tmp_path, swapping(Path.unlink))
    answer = site.ask("digits.txt")
    assert answer.status_code == 404
    assert "Etag" not in answer.headers


# -- Names and rights


def test_failure_of_the_system_is_no_clients_mistake(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.ask("digits.txt")

    def fail(path: str, *args: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "open", fail)
    with ExpectLog("wsgitornado.application", "Uncaught exception"):
        assert site.ask("digits.txt").status_code == 500


@pytest.mark.parametrize(
    "path",
    [
        *("x" * 255, "x" * 256, "x" * 5000, "/".join(["x" * 200] * 30)),
        *("sub/" + "x" * 256, "sub/" * 2000 + "style.css", "digits.txt/x"),
        *("%00", "a%00b", "sub/%00/style.css", "%00/../digits.txt"),
        *("%ED%A0%80", "%01%02%7F", "a" * 100 + "/.." * 3 + "/" + "y" * 256),
    ],
    ids=lambda path: path[:25],
)
@pytest.mark.parametrize("default", [None, "index.html", "x" * 256])
def test_name_that_no_file_can_have_is_the_clients_mistake(
    tmp_path: Path, path: str, default: str | None
) -> None:
    site = Site(tmp_path, arguments={"default_filename": default})
    with ExpectLog("wsgitornado.general", "40[03] GET", required=False):
        assert site.ask(path).status_code in (400, 403, 404)


def test_path_that_is_no_utf8_is_a_400(site: Site) -> None:
    with ExpectLog("wsgitornado.general", "400 GET .*Invalid unicode in url"):
        assert site.ask("caf%E9.txt").status_code == 400


@pytest.mark.parametrize("path", ["closed/file", "secret"])
def test_what_we_may_not_read_is_a_403(path: str) -> None:
    with folder_for_all() as folder:
        site = Site(folder)
        (site.root / "closed").mkdir(0)
        (site.root / "secret").write_text("secret")
        (site.root / "secret").chmod(0)
        with (
            as_nobody(),
            ExpectLog("wsgitornado.general", "403 GET .*Permission denied"),
            ExpectLog("wsgitornado.general", "Could not open static file", False),
        ):
            assert site.ask(path).status_code == 403
