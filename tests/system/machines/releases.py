"""Releases to deploy: this tree under another version, whole or with something broken in it."""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.support.backend import REPOSITORY

Edit = tuple[str, str, str]
"""A file of the tree, a text in it, and its replacement."""

NO_IMPORT: Final[Edit] = ("agent/__init__.py", "__version__ =", "import nothing\n\n__version__ =")
"""A release that cannot even say its version."""

NO_CAPTURE: Final[Edit] = (
    "agent/command/capture.py",
    "import argparse",
    "import nothing, argparse",
)
"""Doctor runs, and capture does not import."""

NEVER_READY: Final[Edit] = (
    "agent/command/capture.py",
    "        from agent.command.capture_process import serve\n",
    "        time.sleep(3600)\n        from agent.command.capture_process import serve\n",
)
"""Capture starts, and stays amber."""

NO_CONTACT: Final[Edit] = (
    "agent/command/sync.py",
    "backend = Backend(config.backend,",
    """import dataclasses as d
        backend = Backend(d.replace(config.backend, url="https://10.77.1.1:9/"),""",
)
"""Doctor reaches the backend, and sync asks another one."""

ADDS_A_TABLE: Final[Edit] = (
    "agent/queue/migrations.py",
    """    ),
}
\"""Statements of each step""",
    """    ),
    "m999_more": ("CREATE TABLE more (number INTEGER PRIMARY KEY) STRICT",),
}
\"""Statements of each step""",
)
"""Its database has one table more."""


def release(folder: Path, version: str, *edits: Edit) -> Path:
    """Makes one as `scripts/release` does, for amd64; returns its folder.

    Raises:
        AssertionError: an edit has no place in the tree.
        subprocess.CalledProcessError: it could not be built.
    """
    source = source_of(version, folder / f"source-{version}")
    for name, before, after in edits:
        text = (source / name).read_text()
        assert before in text, f"{name} has no {before!r}"
        (source / name).write_text(text.replace(before, after, 1))
    return built(source, folder / version, version)


def source_of(version: str, place: Path) -> Path:
    """Copy what a release is made of to a new place, under another version; return the place."""
    shutil.copytree(REPOSITORY, place, ignore=_other_than_product)
    init = place / "agent/__init__.py"
    init.write_text(re.sub(r'(__version__ = )"[^"]+"', rf'\1"{version}"', init.read_text()))
    return place


def built(source: Path, place: Path, version: str) -> Path:
    """The tar of a tree and its checksum; wheels that are there already are taken."""
    there = REPOSITORY / "dist" / "wheelhouse"
    wheels = source / "dist" / "wheelhouse" / version / "amd64"
    wheels.mkdir(parents=True)
    for one in there.glob("*/amd64/*.whl"):
        if not one.name.startswith("doorstep-"):
            os.link(one, wheels / one.name)
    environment: Mapping[str, str] = {
        **os.environ,
        "DOORSTEP_PROVISION_VENV": str(REPOSITORY / ".venv-provision"),
    }
    script = source / "scripts" / "wheelhouse"
    subprocess.run(
        [script, "--arch", "amd64"], env=environment, check=True, stdout=subprocess.DEVNULL
    )
    place.mkdir()
    (wheels.parent / "amd64.tar").rename(place / "amd64.tar")
    shutil.rmtree(source)
    with (place / "amd64.tar").open("rb") as tar:
        digest = hashlib.file_digest(tar, "sha256").hexdigest()
    (place / "SHA256SUMS").write_text(f"{digest}  amd64.tar\n")
    return place


def _other_than_product(folder: str, names: list[str]) -> set[str]:
    if Path(folder) == REPOSITORY:
        wanted = {"agent", "hardware", "systemd", "scripts", "pyproject.toml", "LICENSE"}
        return set(names) - wanted
    return {"__pycache__"} & set(names)
