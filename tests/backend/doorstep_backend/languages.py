"""The languages of customers' pages: sentences from catalogues, dates and numbers by locale."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Final

from babel import Locale  # noqa: TID251 - the only importer, as the next
from babel.dates import format_date, format_time  # noqa: TID251
from babel.messages.catalog import Message  # noqa: TID251
from babel.messages.mofile import write_mo  # noqa: TID251
from babel.messages.pofile import PoFileError, read_po  # noqa: TID251
from babel.numbers import format_decimal  # noqa: TID251

CATALOGUES: Final = Path(__file__).parent / "catalogues"
"""Folder with one catalogue for each language but English, `de.po` for example."""

LONGEST_HEADER: Final = 500
"""Characters of `Accept-Language` that count. Source: a browser with ten languages sends 120."""

_RANGE: Final = re.compile(
    r"\s*([A-Za-z]{2,8})(?:-[A-Za-z0-9]{1,8})*\s*(?:;\s*q=([01](?:\.[0-9]{0,3})?)\s*)?"
)
"""A language with its weight in `Accept-Language`. Source: RFC 9110, sections 12.4.2, 12.5.4."""


_MARK: Final = re.compile(r"%\(\w+\)s|</?\w+>|[%<>&]")
"""Values, tags and percent signs: a translation has those of its sentence."""


@dataclass(frozen=True, slots=True)
class Language:
    """A language that a page is written in.

    Attributes:
        tag: as in `<html lang>` and in the name of its catalogue.
        locale: of dates and numbers.
        sentences: its catalogue; a sentence that the catalogue lacks stays English.
    """

    tag: str
    locale: Locale
    sentences: NullTranslations

    @property
    def name(self) -> str:
        """The language's name for itself, as in `Deutsch`."""
        name = self.locale.get_language_name(self.locale) or self.tag
        return name[:1].upper() + name[1:]

    def gettext(self, sentence: str) -> str:
        """Return a sentence in this language; the empty one stays empty."""
        return self.sentences.gettext(sentence) if sentence else ""

    def ngettext(self, one: str, more: str, count: int) -> str:
        """Return the sentence that fits a count."""
        return self.sentences.ngettext(one, more, count)

    def number(self, number: float) -> str:
        """Format a number without decimals: `1,000`."""
        return format_decimal(f"{number:.0f}", locale=self.locale)

    def day(self, at: date) -> str:
        """Format a day: `1 December 2026`."""
        return format_date(at, "long", self.locale)

    def time(self, at: datetime) -> str:
        """Format a time of the day: `09:15`."""
        return format_time(at, "short", locale=self.locale)


ENGLISH: Final = Language("en", Locale("en", "GB"), NullTranslations())
"""The language of the sentences in the code, and of every page that is not a customer's."""


@dataclass(frozen=True, slots=True)
class Languages:
    """The languages that customers can choose from, by their tags: English is always one."""

    offered: Mapping[str, Language] = field(default_factory=lambda: {ENGLISH.tag: ENGLISH})

    @classmethod
    def read(cls, tags: Iterable[str], folder: Path = CATALOGUES) -> "Languages":
        """Return English, and the languages of these tags.

        Raises:
            ValueError: a catalogue that cannot be read, or would break a page; the text says why.
        """
        return cls({ENGLISH.tag: ENGLISH, **{tag: _read(tag, folder) for tag in tags}})

    def choose(self, link: str, cookie: str, header: str) -> Language:
        """Return the language of the link, else of the cookie, else of `Accept-Language`."""
        for tag in (link, cookie, *_accepted(header)):
            if tag in self.offered:
                return self.offered[tag]
        return ENGLISH


def translatable(sentence: str) -> str:
    """Return the sentence as it is; catalogues get it, and a page translates it later."""
    return sentence


def drafts() -> list[str]:
    """Return the tags of all languages that have a catalogue."""
    return sorted(path.stem for path in CATALOGUES.glob("*.po"))


def _read(tag: str, folder: Path) -> Language:
    path, compiled = folder / f"{tag}.po", BytesIO()
    try:
        with path.open("rb") as file:
            catalogue = read_po(file, locale=tag, abort_invalid=True)
    except (PoFileError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name} cannot be read: {error}") from error
    for message in catalogue:
        _check(path.name, message)
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Language(tag, Locale.parse(tag), GNUTranslations(compiled))


def _check(name: str, message: Message) -> None:
    """Raise ValueError if a translation would break its page: other values, tags or percent signs.

    Sentences of templates are HTML.
    """
    sentences, said = (
        [one] if isinstance(one, str) else list(one) for one in (message.id, message.string or "")
    )
    if not sentences[0]:
        return  # the header
    marks = sorted(_MARK.findall(sentences[-1]))
    for one in filter(None, said):
        if sorted(_MARK.findall(one)) != marks:
            raise ValueError(f"{name}: {one!r} must have the values and tags of {sentences[-1]!r}")


def _accepted(header: str) -> list[str]:
    """Return the languages of `Accept-Language` without their regions, the best first."""
    ranges = [_RANGE.fullmatch(one) for one in header[:LONGEST_HEADER].split(",")]
    weighed = [(float(one[2] or 1), one[1].lower()) for one in ranges if one]
    weighed.sort(key=lambda one: -one[0])
    return [tag for weight, tag in weighed if weight > 0]
