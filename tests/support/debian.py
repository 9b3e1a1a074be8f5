"""Debian 13 roots for the rigs, made by scripts/debian.sh from this machine's apt sources."""

import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Final

SCRIPT: Final = Path(__file__).parents[2] / "scripts/debian.sh"


def sources() -> str:
    """Return the apt sources that a root is made of; a rig's cache key needs them.

    Raises:
        subprocess.CalledProcessError: this machine has no source for Debian 13; stderr says so.
    """
    command = [str(SCRIPT), "--sources"]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def make(root: Path, packages: Iterable[str], said: IO[bytes] | None = None) -> None:
    """Make a root of this machine's architecture; what the tools say goes to `said`, or stderr.

    Raises:
        subprocess.CalledProcessError: a tool failed.
    """
    command = ["dpkg", "--print-architecture"]
    here = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    words = [str(SCRIPT), str(root), here, ",".join(packages)]
    subprocess.run(words, stdout=said, stderr=said, check=True)
