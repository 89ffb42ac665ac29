"""The books on the shelves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Book:
    """A book that the library has.

    :ivar name: how addresses call it, and the file with its cover.
    :ivar language: the one that it is written in.
    :ivar about: a sentence in English; the translations have it, too.
    """

    name: str
    title: str
    author: str
    year: int
    language: str
    copies: int
    about: str


SHELF = [
    Book(
        "alice",
        "Alice's Adventures in Wonderland",
        "Lewis Carroll",
        1865,
        "en",
        2,
        "A girl follows a rabbit with a watch, and nothing is as it should be.",
    ),
    Book(
        "frankenstein",
        "Frankenstein",
        "Mary Shelley",
        1818,
        "en",
        2,
        "A student makes a living being, and will not be there for it.",
    ),
    Book(
        "moby-dick",
        "Moby-Dick",
        "Herman Melville",
        1851,
        "en",
        1,
        "A captain, a whale, and all there is to know about ropes.",
    ),
    Book(
        "sandmann",
        "Der Sandmann",
        "E. T. A. Hoffmann",
        1816,
        "de",
        1,
        "Hoffmann's tale of a spyglass, a doll and a fear from childhood.",
    ),
    Book(
        "effi-briest",
        "Effi Briest",
        "Theodor Fontane",
        1895,
        "de",
        2,
        "Fontane's story of a young woman who is married off, and of what people say.",
    ),
    Book(
        "verwandlung",
        "Die Verwandlung",
        "Franz Kafka",
        1915,
        "de",
        1,
        "Kafka's travelling salesman wakes up as a beetle and is late for work.",
    ),
    Book(
        "kalila",
        "كليلة ودمنة",
        "ابن المقفع",
        750,
        "ar",
        1,
        "Two jackals at a lion's court: fables of good and bad advice, by Ibn"
        " al-Muqaffa.",
    ),
    Book(
        "hayy",
        "حي بن يقظان",
        "ابن طفيل",
        1180,
        "ar",
        2,
        "A child grows up alone on an island and thinks: a novel by Ibn Tufayl.",
    ),
    Book(
        "rihla",
        "رحلة ابن بطوطة",
        "ابن بطوطة",
        1355,
        "ar",
        1,
        "Ibn Battuta sets out from Tangier, and is away for twenty-nine years.",
    ),
]

BY_NAME = {book.name: book for book in SHELF}


def search(words: str, language: str) -> list[Book]:
    """The books with all these words in title or author, in this language or in any."""
    wanted = words.casefold().split()
    return [
        book
        for book in SHELF
        if language in ("", book.language)
        and all(word in f"{book.title} {book.author}".casefold() for word in wanted)
    ]
