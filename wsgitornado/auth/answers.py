"""Reading what a provider answers."""

from __future__ import annotations

from typing import Any, Final

from wsgitornado.auth.errors import AuthError
from wsgitornado.escape import json_decode
from wsgitornado.httpclient import HTTPResponse

__all__ = ["MOST_BYTES", "check_size", "decode_answer", "read_object"]

#: Bytes of an answer about a token or a person: those of the large providers have a few
#: thousand. What a program asks of an API has the limit of the HTTP client.
MOST_BYTES: Final = 1024 * 1024


def check_size(response: HTTPResponse) -> bytes:
    """The body of an answer, before anything is made of it.

    :raises AuthError: if it is longer than an answer of its kind.
    """
    body = response.body
    if len(body) > MOST_BYTES:
        raise AuthError(
            f"the provider's answer has {len(body)} bytes; {MOST_BYTES} are the limit"
        )
    return body


def decode_answer(response: HTTPResponse) -> Any:
    """The value of an answer in JSON.

    :raises AuthError: if it is none.
    """
    try:
        return json_decode(response.body)
    except UnicodeDecodeError:
        problem = "no UTF-8"
    except (ValueError, RecursionError) as error:
        problem = str(error)
    # Not from that error, which holds the text, and the tokens in it.
    raise AuthError(f"the provider's answer is not JSON: {problem}")


def read_object(response: HTTPResponse, *names: str) -> dict[str, Any]:
    """The members of a JSON object.

    :param names: of members that have to be there, and to be text.
    :raises AuthError: for anything else.
    """
    check_size(response)
    members = decode_answer(response)
    if not isinstance(members, dict):
        raise AuthError("the provider's answer is not a JSON object")
    for name in names:
        if not isinstance(members.get(name), str):
            raise AuthError(f"the provider's answer has no {name}")
    return members
