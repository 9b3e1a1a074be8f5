"""The writing rules of CONTRIBUTING.md hold in every page, help text and docstring."""

import subprocess
from pathlib import Path

import pytest

from tests.unit.documents import prose
from tests.unit.documents.pages import REPOSITORY, files


def test_no_sentence_breaks_the_writing_rules() -> None:
    found = prose.findings(files(".md", ".py"))

    assert not found, "\n".join([f"{len(found)} sentences; CONTRIBUTING.md has the rules:", *found])


@pytest.mark.parametrize(
    "sentence",
    [
        "Who asks is named.",
        "- Whose keys are old is not ready.",
        "It waits. Of these, two are left.",
        "Where it fails, it asks again.",
        "| The queue | What is lost is counted. |",
        "The file lies in the folder.",
        "The rule stands there.",
        "Nothing [but for](page.md) the key.",
        "All others are so.",
    ],
)
def test_sentence_of_a_page_is_found(sentence: str) -> None:
    assert list(prose.of_page(f"# Title\n\n{sentence}\n"))


@pytest.mark.parametrize(
    "text",
    [
        "## What it is",
        "Who may look?",
        "```\nWhat is code is not read.\n```",
        "The command prints `stands in` for it.",
        "Of the 12 patterns, eight answer a press.",
        "Read [the page](besides.md).",
        "The lights are so bright that everybody sees them.",
    ],
)
def test_text_that_is_right_or_no_prose_is_not_found(text: str) -> None:
    assert not list(prose.of_page(text))


@pytest.mark.parametrize(
    "code",
    [
        'def f():\n    """The queue."""',
        'def f():\n    """Returns the queue."""',
        'def f():\n    """Unless it is full."""',
        'class F:\n    """Return the queue."""',
        'class F:\n    @property\n    def f(self):\n        """Return the queue."""',
        'class F:\n    """One queue."""',
        'A = 1\n"""How long it waits."""',
        '"""What leaves the device."""',
        'add_argument("--f", help="what is told in words")',
    ],
)
def test_docstring_or_help_text_is_found(code: str) -> None:
    assert list(prose.of_code(code, all_docstrings=True))


@pytest.mark.parametrize(
    "code",
    [
        'def f():\n    """Return the queue."""',
        'class F:\n    """A queue."""',
        'A = 1\n"""Longest wait, in seconds."""',
        'add_argument("--f", help="delete records older than N days")',
    ],
)
def test_docstring_or_help_text_that_is_right_is_not_found(code: str) -> None:
    assert not list(prose.of_code(code, all_docstrings=True))


@pytest.mark.parametrize(
    ("subject", "is_right"),
    [
        ("Add a camera driver", True),
        ("The camera has a driver", False),
        ("Add a camera driver.", False),
        (f"Add {'x' * 69}", False),
    ],
)
def test_commit_subject_is_checked(tmp_path: Path, subject: str, *, is_right: bool) -> None:
    (tmp_path / "message").write_text(f"{subject}\n\nThe body is free.\n")

    ended = subprocess.run(
        [REPOSITORY / "scripts" / "check-subjects", tmp_path / "message"],
        stderr=subprocess.PIPE,
        check=False,
    )

    assert (ended.returncode == 0) is is_right, ended.stderr
