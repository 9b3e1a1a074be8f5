"""The repository's own files, as git would list them, and its Markdown pages."""

from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).parents[3]

FOLDERS: Final = ("agent", "hardware", "scripts", "systemd", "tests")

_FOREIGN: Final = frozenset({"node_modules", "__pycache__", ".ruff_cache", ".mypy_cache"})
"""Folders that tools make."""


def files(*suffixes: str) -> list[Path]:
    """Every file of ours in FOLDERS and at the top; with these suffixes, where some are given."""
    below = [path for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*")]
    return sorted(
        path
        for path in [*REPOSITORY.iterdir(), *below]
        if path.is_file()
        and _FOREIGN.isdisjoint(path.parts)
        and (not suffixes or path.suffix in suffixes)
    )


def pages() -> list[Path]:
    """Every Markdown page."""
    return files(".md")
