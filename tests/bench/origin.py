"""What was measured and when, so that a figure can be told from an older one."""

import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Final

from agent import __version__
from tests.support.backend import REPOSITORY

OTHERS: Final = ("persist-queue", "litequeue", "tuspy")
"""Packages that are measured beside the product; curl and tus-js-client come with no metadata."""


def facts() -> dict[str, str]:
    """Says date, version and commit, which a copy without git has not, and those of the others."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "version": __version__,
        "commit": _commit(),
        "others": ", ".join(f"{name} {version(name)}" for name in OTHERS),
    }


def _commit() -> str:
    told = _git("rev-parse", "--short=12", "HEAD")
    if not told:
        return "unknown"
    return f"{told} with changes" if _git("status", "--porcelain") else told


def _git(*words: str) -> str:
    try:
        done = subprocess.run(
            ["git", *words], cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
