"""Pages lead somewhere: every link, heading, path and module that a page names is there."""

import re
from pathlib import Path

import pytest

from tests.unit.documents.pages import FOLDERS, REPOSITORY, pages

PAGES = [str(page.relative_to(REPOSITORY)) for page in pages()]

_PATH = re.compile(rf"(?:{'|'.join(FOLDERS)}|\.ci)/[\w.*/-]*|[A-Z]+\.md|pyproject\.toml")
"""A word in back-quotes, or in a block of code, that can only be a path of this repository."""


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", _without_code((REPOSITORY / page).read_text()))

    assert [link for link in links if not _is_there(REPOSITORY / page, link)] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_path_that_a_page_names_exists(page: str) -> None:
    paths = [word for word in _code_words(page) if _PATH.fullmatch(word)]

    assert [path for path in paths if not list(REPOSITORY.glob(path.rstrip("/")))] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_module_that_a_page_runs_exists(page: str) -> None:
    modules = re.findall(r"python -m (tests[\w.]*)", (REPOSITORY / page).read_text())

    assert [name for name in modules if not _runs(name)] == []


def test_dead_link_is_found() -> None:
    page = REPOSITORY / "README.md"

    assert not _is_there(page, "agent/NOWHERE.md")
    assert not _is_there(page, "CHANGELOG.md#no-such-heading")
    assert _is_there(page, "CHANGELOG.md#changelog")


def _runs(module: str) -> bool:
    path = REPOSITORY / module.rstrip(".").replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()


def _is_there(page: Path, link: str) -> bool:
    if re.match(r"[a-z]+:", link):
        return True
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    return target.exists() and (not anchor or anchor in _anchors(target))


def _anchors(page: Path) -> set[str]:
    """The names that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", _without_code(page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def _code_words(page: str) -> list[str]:
    text = (REPOSITORY / page).read_text()
    blocks = re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", _without_code(text))
    return " ".join([*blocks, *spans]).split()


def _without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
