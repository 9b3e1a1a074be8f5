"""`python -m tests.backend.pages.catalogues` updates the catalogues of customers' pages.

A new sentence gets an empty translation, and one that no page has any more is removed. Name a
language, `nl` for example, to begin its catalogue.

A template has the whole sentence with its values, such as
`{{ _("Order %(number)s", number=order.number) }}`. Python marks it with `translatable(...)`, and
translates it with `visit.language.gettext(...)` when it is shown. A time has the filter
`day_and_time`, a count of days `days`, another number `language.number(...)`. If only a certain
state shows the sentence, add that state to `test_languages.py`.
"""

import argparse
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from babel import Locale  # noqa: TID251 - the catalogues' own tool, as the next
from babel.messages.catalog import Catalog, Message  # noqa: TID251
from babel.messages.extract import extract_python  # noqa: TID251
from babel.messages.pofile import read_po, write_po  # noqa: TID251
from jinja2.ext import babel_extract

from doorstep_backend.languages import CATALOGUES, drafts

COMMAND: Final = "python -m tests.backend.pages.catalogues"

_PACKAGE: Final = CATALOGUES.parent

_ONE: Final = frozenset({"_", "gettext", "translatable"})
"""Functions whose first argument is a sentence."""

_ALL: Final = frozenset({"RetentionLine", "_kept"})
"""Functions of which each text is a sentence."""

_DRAFT: Final = "# {name}: a draft. Nobody who speaks the language has read it yet."

Sentence = str | tuple[str, ...]
"""A sentence, or the two that depend on a count."""


def messages() -> Iterator[tuple[str, Sentence]]:
    """Return each sentence of customers' pages, with the file that has it."""
    for path in sorted(_PACKAGE.rglob("*.py")):
        keywords = dict.fromkeys([*_ONE - {"_"}, *_ALL, "ngettext"])
        with path.open("rb") as file:
            for _, name, said, _ in extract_python(file, keywords, [], {}):
                yield from _of_call(path, str(name), said)
    for path in sorted(_PACKAGE.rglob("*.html")):
        with path.open("rb") as file:
            for _, name, found, _ in babel_extract(file, [*_ONE, "ngettext"], [], {"silent": "no"}):
                yield from _of_call(path, name, found)


def template() -> Catalog:
    """Return all sentences without translations."""
    found = Catalog(charset="utf-8")
    for path, message in messages():
        found.add(message, locations=[(path, 0)])
    return found


def text(tag: str) -> str:
    """Return the catalogue of a language as the command writes it."""
    path, locale = CATALOGUES / f"{tag}.po", Locale.parse(tag)
    head = _DRAFT.format(name=locale.get_display_name("en"))
    catalogue = Catalog(locale=locale)
    if path.exists():
        with path.open("rb") as file:
            catalogue = read_po(file, locale=tag)
        head = path.read_text(encoding="utf-8").partition('\nmsgid ""\n')[0]
    catalogue.update(template(), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    plural = f"nplurals={catalogue.num_plurals}; plural={catalogue.plural_expr};"
    header = ["Content-Type: text/plain; charset=utf-8", f"Language: {tag}"]
    lines = [f'"{line}\\n"' for line in (*header, f"Plural-Forms: {plural}")]
    return "\n".join([head, 'msgid ""', 'msgstr ""', *lines, "", _body(catalogue)])


def _body(catalogue: Catalog) -> str:
    written = io.BytesIO()
    write_po(
        written, catalogue, width=100, omit_header=True, sort_output=True, include_lineno=False
    )
    return written.getvalue().decode().rstrip() + "\n"


def missing(tag: str) -> list[str]:
    """Return the sentences that have no translation; of a pair the first."""
    with (CATALOGUES / f"{tag}.po").open("rb") as file:
        catalogue = read_po(file, locale=tag)
    return [_first(one.id) for one in catalogue if one.id and not _is_translated(one)]


def _first(said: str | tuple[str, ...] | list[str]) -> str:
    return said if isinstance(said, str) else said[0]


def _is_translated(message: Message) -> bool:
    said = message.string or ""
    return bool(said) if isinstance(said, str) else all(said)


def _of_call(path: Path, name: str, said: object) -> Iterator[tuple[str, Sentence]]:
    """Return the sentences of one call; an argument that is no text is None."""
    where = path.relative_to(_PACKAGE).as_posix()
    arguments = said if isinstance(said, tuple) else (said,)
    texts = [one for one in arguments if isinstance(one, str)]
    if name == "ngettext" and len(texts) == 2:
        yield where, (texts[0], texts[1])
    elif name in _ONE and isinstance(arguments[0], str):
        yield where, arguments[0]
    elif name in _ALL:
        for one in texts:
            yield where, one


def _main() -> None:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Update the catalogues.")
    parser.add_argument("tag", nargs="*", help="a language to begin, as nl; default: none")
    for tag in sorted({*drafts(), *parser.parse_args().tag}):
        (CATALOGUES / f"{tag}.po").write_text(text(tag), encoding="utf-8")
        print(f"{tag}: {len(missing(tag))} sentences have no translation")  # noqa: T201


if __name__ == "__main__":
    _main()
