"""What visitors send in forms, and what may be wrong with it.

No handler and no request is needed here, so that all of it is easily tested.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

NAME_LIMIT = 40
PASSWORD_MINIMUM = 8
PASSWORD_LIMIT = 200
REVIEW_LIMIT = 1000

#: Gives a message in the language of the visitor: ``locale.translate``.
Translate = Callable[[str], str]

#: By the field: a sentence that says what to do about it.
Problems = dict[str, str]


@dataclass(frozen=True)
class Credentials:
    """A name and a password, as somebody joins or signs in."""

    name: str = ""
    password: str = ""

    def find_problems(self, _: Translate) -> Problems:
        """What is wrong with them for somebody who joins."""
        problems = {}
        if not self.name:
            problems["name"] = _("Please tell us your name.")
        elif len(self.name) > NAME_LIMIT:
            problems["name"] = too_long(_, NAME_LIMIT)
        if len(self.password) < PASSWORD_MINIMUM:
            least = _("Please use at least %(count)d letters, digits or signs.")
            problems["password"] = least % {"count": PASSWORD_MINIMUM}
        elif len(self.password) > PASSWORD_LIMIT:
            problems["password"] = too_long(_, PASSWORD_LIMIT)
        return problems


@dataclass(frozen=True)
class ReviewDraft:
    """A review as it is being written; the stars are what the form has sent."""

    stars: str = ""
    text: str = ""

    def find_problems(self, _: Translate) -> Problems:
        problems = {}
        if self.stars not in ("1", "2", "3", "4", "5"):
            problems["stars"] = _("Please choose from one to five stars.")
        if not self.text:
            problems["text"] = _("Please write a few words.")
        elif len(self.text) > REVIEW_LIMIT:
            problems["text"] = too_long(_, REVIEW_LIMIT)
        return problems


def too_long(_: Translate, limit: int) -> str:
    return _("Please use at most %(count)d letters.") % {"count": limit}
