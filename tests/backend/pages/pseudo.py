"""A language that nobody speaks: each vowel is doubled and accented, so that its pages are long.

It has the place of German; a vowel without an accent was not translated.
"""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

from babel.messages.pofile import write_po  # noqa: TID251 - writes what languages.py reads

from doorstep_backend.languages import Languages
from tests.backend.pages.catalogues import template

TAG: Final = "de"

_LONG: Final = str.maketrans(
    {one: accented * 2 for one, accented in zip("aeiouyAEIOUY", "áéíóúýÁÉÍÓÚÝ", strict=True)}
)

_KEPT: Final = re.compile(r"(%\(\w+\)s|<[^>]+>)")
"""Places for values, and tags."""

_UNTRANSLATED: Final = re.compile(r"[A-Za-z]*[AEIOUYaeiouy][A-Za-z]*")

_SAID: Final = {"alt", "aria-label", "placeholder", "title"}
"""Attributes that people read."""

_NOT_SAID: Final = {"time", "code"}
"""Elements whose text is in no catalogue."""


def pseudo(sentence: str) -> str:
    """Return a sentence in the language that nobody speaks."""
    parts = _KEPT.split(sentence)
    return "".join(part if _KEPT.match(part) else part.translate(_LONG) for part in parts)


def languages(folder: Path) -> Languages:
    """Return English and the language that nobody speaks; its catalogue goes to `folder`."""
    catalogue = template()
    for message in catalogue:
        if isinstance(message.id, str):
            message.string = pseudo(message.id)
        else:
            message.string = tuple(pseudo(one) for one in message.id)
    with (folder / f"{TAG}.po").open("wb") as file:
        write_po(file, catalogue)
    return Languages.read([TAG], folder)


def untranslated(page: str, known: str) -> list[str]:
    """Return the words of a page that are neither translated nor among what is known."""
    reader = _Reader()
    reader.feed(page)
    words = _UNTRANSLATED.findall(" ".join(reader.texts))
    return [word for word in words if word not in known.split()]


class _Reader(HTMLParser):
    """Collects what people read on a page."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._skips = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._skips += tag in _NOT_SAID
        self.texts += [value for name, value in attrs if name in _SAID and value]

    def handle_endtag(self, tag: str) -> None:
        self._skips -= tag in _NOT_SAID

    def handle_data(self, data: str) -> None:
        if not self._skips:
            self.texts.append(data)
