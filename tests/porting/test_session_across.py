"""Two running servers, Tornado's and ours, between which a browser goes to and fro."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.porting.answers import PROGRAMS, Answer
from tests.porting.raw import get, request

pytest.importorskip("tornado")

from tests.porting.servers import OnTornado, OnWaitress, ask, serving

pytestmark = pytest.mark.live

Pair = tuple[OnTornado | OnWaitress, OnTornado | OnWaitress]


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[OnTornado, OnWaitress]]:
    with serving(PROGRAMS / "session.py") as pair:
        yield pair


@pytest.fixture(params=[False, True], ids=["tornado then us", "we then tornado"])
def first_and_second(
    request: pytest.FixtureRequest, servers: tuple[OnTornado, OnWaitress]
) -> Pair:
    return (servers[1], servers[0]) if request.param else servers


def cookie_of(answer: Answer) -> str:
    """What a browser sends back of the cookie that an answer sets."""
    header = next(value for name, value in answer.headers if name == "set-cookie")
    return header.partition(";")[0]


def sign_in(
    server: OnTornado | OnWaitress, token: str, cookie: str, version: int = 2
) -> Answer:
    """Send the form with a token, and with the cookie that came with it."""
    return ask(
        server,
        request(
            "POST",
            "/signin",
            f"Cookie: {cookie}",
            "Content-Type: application/x-www-form-urlencoded",
            body=f"user=ann&version={version}&_xsrf={token}".encode(),
        ),
    )


def signed_cookie(server: OnTornado | OnWaitress, version: int) -> str:
    form = ask(server, get("/signin"))
    return cookie_of(sign_in(server, form.body.decode(), cookie_of(form), version))


def test_a_signed_cookie_of_one_server_is_read_by_the_other(
    first_and_second: Pair,
) -> None:
    first, second = first_and_second
    cookie = signed_cookie(first, version=2)
    answer = ask(second, get("/me", f"Cookie: {cookie}"))
    assert answer.body == b"b'ann' by key 7"


def test_a_signed_cookie_changed_on_the_way_is_nobody_for_the_other(
    first_and_second: Pair,
) -> None:
    first, second = first_and_second
    cookie = signed_cookie(first, version=2)
    last = "0" if cookie[-1] != "0" else "1"
    answer = ask(second, get("/me", f"Cookie: {cookie[:-1]}{last}"))
    assert answer.body == b"None by key 7"


def test_a_token_of_one_server_is_taken_by_the_other(first_and_second: Pair) -> None:
    first, second = first_and_second
    form = ask(first, get("/signin"))
    answer = sign_in(second, form.body.decode(), cookie_of(form))
    assert answer.body == b"signed in"


def test_the_other_server_masks_the_token_of_the_cookie_anew(
    first_and_second: Pair,
) -> None:
    first, second = first_and_second
    cookie = cookie_of(ask(first, get("/signin")))
    token = ask(second, get("/signin", f"Cookie: {cookie}")).body.decode()
    assert token not in cookie
    assert sign_in(first, token, cookie).body == b"signed in"


def test_a_token_of_another_visitor_is_refused(first_and_second: Pair) -> None:
    first, second = first_and_second
    token = ask(first, get("/signin")).body.decode()
    cookie = cookie_of(ask(first, get("/signin")))
    assert sign_in(second, token, cookie).status == "403 Forbidden"
