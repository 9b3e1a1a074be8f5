"""Nothing cites what this repository does not hold, and no number is there by choice alone."""

import re
from pathlib import Path

import pytest

from tests.unit.documents.pages import REPOSITORY, files

ELSEWHERE = re.compile(
    r"\bdesign[\s#]+(section|\d)"
    r"|\bsource:[\s#]+section"
    r"|\bfield[\s#]+facts"
    r"|\bthe[\s#]+issue\b|\bissue\s\d"
    r'|\bour[\s#]+choice(\.|\s*"|$)|\bsource:[\s#]+ours(\.|\s*"|$)',
    re.IGNORECASE,
)
"""Text that is searched; a line may break between two words, in a docstring or a comment."""

BINARY = frozenset({".png", ".jpg", ".svg", ".pyc"})

CORPUS = REPOSITORY / "tests" / "faults" / "fuzz" / "corpus"
"""Its samples are bytes for parsers, whatever their names are."""

FILES = [
    path
    for path in files()
    if path.suffix not in BINARY and path != Path(__file__) and CORPUS not in path.parents
]


def test_nothing_cites_what_is_not_in_the_repository() -> None:
    found = [place for path in FILES for place in _places(path)]

    assert not found, "\n".join([f"{len(found)} times:", *found])


@pytest.mark.parametrize(
    "text",
    [
        "Source: design section 9.",
        "Source: design 6.",
        "by design\n    section 6",
        "# the field\n# facts",
        "30 frames, the issue's figure",
        "Source: issue 3.",
        "Source: section 10.",
        "Source: our choice.",
        '10 s. Source: our choice"""',
        "Source: ours.",
    ],
)
def test_each_way_to_cite_elsewhere_is_seen(text: str) -> None:
    assert ELSEWHERE.search(text)


@pytest.mark.parametrize("text", ["RFC 9110 section 13.1.2", "picamera2 issue #1090", "the issuer"])
def test_public_source_may_be_cited(text: str) -> None:
    assert not ELSEWHERE.search(text)


def _places(path: Path) -> list[str]:
    text, name = path.read_text(encoding="utf-8"), path.relative_to(REPOSITORY)
    places = [text.count("\n", 0, found.start()) + 1 for found in ELSEWHERE.finditer(text)]
    return [f"{name}:{line}" for line in places]
