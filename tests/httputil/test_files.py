"""Files to be served: named, found inside their folder, opened without waiting."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.folders import as_nobody, folder_for_all
from wsgitornado.httputil.files import (
    absolute_folder,
    find_file,
    guess_type,
    is_below,
    join_path,
    open_file,
)

# -- Names

path_text = st.text(st.sampled_from("ab./\\ ~%\x00\xe9"), max_size=12)


@pytest.mark.parametrize("folder", ["/srv/files", "/srv/files/", "/", "//srv", "rel"])
@given(path=path_text)
@example(path="..")
@example(path="a/../../b")
@example(path="/etc/passwd")
@example(path=".hidden")
@example(path="a/./b/")
def test_joined_path_is_the_normalized_one(folder: str, path: str) -> None:
    if "\0" not in path:
        assert join_path(folder, path) == os.path.abspath(os.path.join(folder, path))


def test_relative_folder_moves_with_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        assert absolute_folder("files") == str(tmp_path / name / "files")
        assert join_path("files", "a") == str(tmp_path / name / "files" / "a")


@pytest.mark.parametrize(
    ("folder", "path"),
    [("/a", "/a"), ("/a", "/a/b"), ("/", "/"), ("/", "/a"), ("/a/b", "/a/b/c/d")],
)
def test_folder_and_what_is_in_it_are_below_it(folder: str, path: str) -> None:
    assert is_below(folder, path)


@pytest.mark.parametrize(
    ("folder", "path"),
    [
        ("/a", "/ab"),
        ("/a", "/ab/c"),
        ("/a", "/"),
        ("/a", "/b"),
        ("/a/b", "/a"),
        ("/a", "a"),
        ("/a", ""),
        ("/", "a"),
    ],
)
def test_neighbours_of_the_same_prefix_are_not_below_a_folder(
    folder: str, path: str
) -> None:
    assert not is_below(folder, path)


# -- Finding


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with links of every kind, and something secret beside it."""
    root = tmp_path / "root"
    for folder in (root / "sub" / "deep", tmp_path / "rooted", tmp_path / "outside"):
        folder.mkdir(parents=True)
        (folder / "file").write_text(folder.name)
    (root / "file").write_text("root")
    for name, target in {
        "to_file": "file",
        "to_absolute": str(root / "file"),
        "to_sub": "sub",
        "to_link": "to_file",
        "to_root": ".",
        "sub/up": "../file",
        "outside": "../outside/file",
        "outside_folder": "../outside",
        "outside_by_link": "outside",
        "neighbour": "../rooted/file",
        "out_and_in": "../root/file",
        "gone": "nowhere",
        "gone_outside": "../nowhere",
        "circle": "circle",
        "one": "two",
        "two": "one",
    }.items():
        (root / name).symlink_to(target)
    return root


@pytest.mark.parametrize(
    ("path", "target"),
    [
        *(("", ""), ("file", "file"), ("sub", "sub"), ("sub/deep/file",) * 2),
        *(("to_file", "file"), ("to_absolute", "file"), ("to_link", "file")),
        *(("to_sub", "sub"), ("to_sub/deep/file", "sub/deep/file")),
        *(("to_root/to_root/file", "file"), ("sub/up", "file")),
        *(("out_and_in", "file"), ("sub/../file", "file")),
    ],
)
def test_links_inside_the_root_are_followed(root: Path, path: str, target: str) -> None:
    found, status = find_file(str(root), os.path.normpath(root / path))
    assert found == os.path.normpath(root / target)
    assert os.path.samestat(status, (root / target).stat())


@pytest.mark.parametrize(
    "path",
    [
        *("outside", "outside_folder", "outside_folder/file", "outside_by_link"),
        *("neighbour", "gone_outside", "..", "../outside/file", "../rooted/file"),
        *("../rooted", "/etc/passwd", "/", "to_root/../../outside/file"),
        *("sub/../../outside/file", "to_root/outside", "outside_folder/nowhere"),
    ],
)
@pytest.mark.parametrize("is_normalized", [True, False])
def test_what_is_outside_of_the_root_is_refused(
    root: Path, path: str, is_normalized: bool
) -> None:
    target = os.path.join(root, path)
    if is_normalized:
        target = os.path.normpath(target)
    with pytest.raises(PermissionError, match="is not in root static directory"):
        find_file(str(root), target)


@pytest.mark.parametrize(
    "path",
    [
        *("nowhere", "nowhere/file", "file/file", "gone", "gone/file", "circle"),
        *("circle/file", "one", "x" * 255, "x" * 256, "/".join(["x" * 200] * 30)),
        *("sub/" + "x" * 256, "to_sub/" + "x" * 256, "\ud800", "sub/\udfff\ud800"),
        *("a\0b", "file\0", "\0", "sub/\0/file"),
    ],
    ids=lambda path: ascii(path)[:30],
)
def test_what_is_not_there_or_cannot_be_is_missing(root: Path, path: str) -> None:
    with pytest.raises(FileNotFoundError):
        find_file(str(root), f"{root}/{path}")


def test_root_may_be_a_link(root: Path) -> None:
    link = root.parent / "link"
    link.symlink_to("root")
    assert find_file(str(link), f"{link}/file")[0] == f"{link}/file"
    assert find_file(str(link), f"{link}/to_file")[0] == f"{root}/file"
    with pytest.raises(PermissionError):
        find_file(str(link), f"{link}/outside")


def test_whole_file_system_may_be_the_root(root: Path) -> None:
    assert find_file("/", f"{root}/file")[0] == f"{root}/file"
    assert find_file("/", f"{root}/outside")[0] == f"{root.parent}/outside/file"
    assert find_file("/", "/")[0] == "/"


def test_root_that_is_gone_has_nothing(root: Path) -> None:
    with pytest.raises(FileNotFoundError):
        find_file(f"{root}/nowhere", f"{root}/nowhere/file")


@pytest.mark.parametrize("path", ["outside", "outside_folder/file", "outside_by_link"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_links_may_lead_to_folders_that_are_allowed(
    root: Path, path: str, slash: str
) -> None:
    allowed = f"{root.parent}/outside{slash}"
    found, _ = find_file(str(root), f"{root}/{path}", ["/nowhere", allowed])
    assert found == f"{root.parent}/outside/file"


@pytest.mark.parametrize("path", ["file", "to_file", "to_sub/deep/file"])
def test_links_inside_work_beside_allowed_folders(root: Path, path: str) -> None:
    find_file(str(root), f"{root}/{path}", [f"{root.parent}/outside"])


@pytest.mark.parametrize("path", ["neighbour", "gone_outside"])
def test_other_folders_stay_closed(root: Path, path: str) -> None:
    with pytest.raises(PermissionError):
        find_file(str(root), f"{root}/{path}", [f"{root.parent}/outside"])


def test_an_allowed_folder_is_reached_by_links_only(root: Path) -> None:
    outside = f"{root.parent}/outside"
    with pytest.raises(PermissionError):
        find_file(str(root), f"{outside}/file", [outside])


@pytest.mark.parametrize("prefix", ["outside", "roo"])
def test_allowed_folder_is_no_prefix_of_names(root: Path, prefix: str) -> None:
    (root.parent / "outsider").mkdir()
    (root.parent / "outsider" / "file").touch()
    (root / "outsider").symlink_to("../outsider/file")
    with pytest.raises(PermissionError):
        find_file(str(root), f"{root}/outsider", [f"{root.parent}/{prefix}"])


path_below = st.lists(
    st.sampled_from(
        [
            "file",
            "sub",
            "deep",
            "..",
            ".",
            "",
            "to_root",
            "to_sub",
            "up",
            "outside",
            "outside_folder",
            "out_and_in",
            "gone",
            "circle",
            "nowhere",
            "\x00",
        ]
    ),
    max_size=6,
).map("/".join)


def test_nothing_that_is_found_is_outside(root: Path) -> None:
    @given(path_below)
    def check(path: str) -> None:
        try:
            found, status = find_file(str(root), f"{root}/{path}")
        except (FileNotFoundError, PermissionError):
            return
        real = os.path.realpath(found)
        assert found == real
        assert is_below(str(root), real)
        assert os.path.samestat(status, os.stat(real))

    check()


# -- Opening


@pytest.fixture
def special(tmp_path: Path) -> dict[str, str]:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        # A path of its own: the longest that a socket can have is short.
        before = os.getcwd()
        os.chdir(tmp_path)
        listening.bind("socket")
        os.chdir(before)
    return {
        "pipe": f"{tmp_path}/pipe",
        "socket": f"{tmp_path}/socket",
        "folder": str(tmp_path),
        "device": "/dev/null",
        "terminal": "/dev/tty",
    }


@pytest.mark.parametrize("kind", ["pipe", "socket", "folder", "device", "terminal"])
def test_only_regular_files_are_opened(special: dict[str, str], kind: str) -> None:
    descriptors = set(os.listdir("/proc/self/fd"))
    with pytest.raises(PermissionError, match="is not a file"):
        open_file(special[kind])
    assert set(os.listdir("/proc/self/fd")) == descriptors


@pytest.mark.parametrize("path", ["nowhere", "nowhere/x", "x" * 256, "a\0b", "\ud800"])
def test_what_has_vanished_is_missing(tmp_path: Path, path: str) -> None:
    with pytest.raises(FileNotFoundError):
        open_file(f"{tmp_path}/{path}")


def test_open_file_and_its_status_are_of_one_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("content")
    descriptor, status = open_file(str(file))
    try:
        assert os.read(descriptor, 100) == b"content"
        assert stat.S_ISREG(status.st_mode)
        assert status.st_size == 7
        assert not os.get_inheritable(descriptor)
    finally:
        os.close(descriptor)


def test_file_that_may_not_be_read_is_refused() -> None:
    with folder_for_all() as folder:
        file = folder / "file"
        file.write_text("secret")
        file.chmod(0)
        with as_nobody():
            assert find_file(str(folder), str(file))[0] == str(file)
            with pytest.raises(PermissionError):
                open_file(str(file))


def test_folder_that_may_not_be_entered_is_refused() -> None:
    with folder_for_all() as folder:
        closed = folder / "closed"
        closed.mkdir(0)
        with as_nobody(), pytest.raises(PermissionError):
            find_file(str(folder), f"{closed}/file")


def test_other_failures_are_nobodys_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: str, *args: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(OSError, match="Input/output") as raised:
        open_file(f"{tmp_path}/file")
    assert type(raised.value) is OSError


# -- Types


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.txt", "text/plain"),
        ("a.css", "text/css"),
        ("a.js", "text/javascript"),
        ("a.json", "application/json"),
        ("a.tar.gz", "application/gzip"),
        ("a.svgz", "application/gzip"),
        ("a.css.gz", "application/gzip"),
        ("a.bz2", "application/octet-stream"),
        ("a.txt.bz2", "application/octet-stream"),
        ("a.unknown", "application/octet-stream"),
        ("a", "application/octet-stream"),
        (".txt", "application/octet-stream"),
    ],
)
def test_type_follows_from_the_name(name: str, content_type: str) -> None:
    if name == "a.js":
        # Python 3.11's own table; a system may have an older one.
        assert guess_type("/srv/a.js") in (content_type, "application/javascript")
    else:
        assert guess_type(f"/srv/{name}") == content_type
