"""Notes of a release: its section of the changelog, and no other."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.device import REPOSITORY

PROGRAM = REPOSITORY / "scripts" / "releasing" / "notes.py"

CHANGELOG = """# Changelog

## 2026.12.1

New.

### A part of it

- one

## 2026.12.0

Before.
"""


def _notes(tmp_path: Path, changelog: str, version: str) -> subprocess.CompletedProcess[str]:
    place = tmp_path / "CHANGELOG.md"
    place.write_text(changelog)
    command = [sys.executable, str(PROGRAM), str(place), version, "abc123"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_section_ends_where_the_next_begins(tmp_path: Path) -> None:
    assert _notes(tmp_path, CHANGELOG, "2026.12.1").stdout == (
        "# Doorstep 2026.12.1\n\nNew.\n\n### A part of it\n\n- one\n\nBuilt from commit abc123.\n"
    )
    assert "Before." in _notes(tmp_path, CHANGELOG, "2026.12.0").stdout


@pytest.mark.parametrize(
    ("changelog", "version", "said"),
    [
        (CHANGELOG, "2026.12.2", "it has no section `## 2026.12.2`"),
        (CHANGELOG, "2026.12", "it has no section `## 2026.12`"),
        ("", "2026.12.1", "it has no section `## 2026.12.1`"),
        ("## 2026.12.1 (unreleased)\n\nNew.\n", "2026.12.1", "is called `2026.12.1 (unreleased)`"),
        ("## [2026.12.1] - unreleased\n\nNew.\n", "2026.12.1", "a release has the number alone"),
        ("## 2026.12.1\n\n## 2026.12.0\n\nBefore.\n", "2026.12.1", "is empty"),
    ],
)
def test_version_that_the_changelog_does_not_know_is_refused(
    tmp_path: Path, changelog: str, version: str, said: str
) -> None:
    ran = _notes(tmp_path, changelog, version)

    assert ran.returncode == 2
    assert said in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    assert ran.stdout == ""
