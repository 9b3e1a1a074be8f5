"""The writing rules of CONTRIBUTING.md hold in every page, help text and docstring."""

import subprocess
from pathlib import Path

import pytest

from tests.unit.documents import prose
from tests.unit.documents.pages import REPOSITORY


def test_no_sentence_breaks_the_writing_rules() -> None:
    found = prose.findings(prose.prose_files())

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
    "code",
    [
        "def test_what_is_lost_is_counted(): ...",
        "def test_without_a_key_sync_waits(): ...",
        "def test_starting_twice_is_refused(): ...",
        "def test_photo_lies_in_the_folder(): ...",
        'def test_f():\n    """Else it waits."""',
        'class F:\n    """What is lost."""',
    ],
)
def test_test_is_found(code: str) -> None:
    assert list(prose.of_tests(code))


@pytest.mark.parametrize(
    "code",
    [
        "def test_nothing_is_lost_without_a_key(): ...",
        'def test_f():\n    """The photo is kept."""',
        "def what_is_lost(): ...",
    ],
)
def test_test_that_is_right_is_not_found(code: str) -> None:
    assert not list(prose.of_tests(code))


@pytest.mark.parametrize(
    ("code", "is_right"),
    [
        ('raise E(f"{x}: ask whoever runs it")', False),
        ('raise E("It waits. Who asks is named.")', False),
        ('"""Whoever reads it."""\nx = "the office reads it"', True),
        ('title = "Who looked at a photo"', True),
    ],
)
def test_message_is_judged(code: str, *, is_right: bool) -> None:
    assert (not list(prose.of_messages(code))) is is_right


@pytest.mark.parametrize(
    ("text", "is_right"),
    [
        ("# Whoever asks, waits.", False),
        ("x = 1  # it is told", False),
        ("<p>The photo\nlies in {{ x }}</p>", False),
        ("<h2>What waits</h2>{# whoever #}", True),
        ('msgid "the office"', True),
    ],
)
def test_text_of_another_file_is_judged(text: str, *, is_right: bool) -> None:
    assert (not list(prose.of_text(text))) is is_right


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
