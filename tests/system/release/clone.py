"""A repository of its own with these files in one commit, and wheels with real metadata."""

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from agent import __version__
from tests.support.device import REPOSITORY

REQUIREMENTS = REPOSITORY / "scripts" / "provisioning" / "requirements.txt"

GIT = ("git", "-c", "user.name=test", "-c", "user.email=test@example.com")

BACKEND = "tests/backend/doorstep_backend"

MAKE_ENVIRONMENT = (
    "pyproject.toml",
    "tests/backend/pyproject.toml",
    "constraints.txt",
    f"{BACKEND}/copies/model.txt",
)
"""Files from which scripts/environment.sh makes the stamp."""

NEEDED = (
    *("agent", BACKEND, "scripts", ".gitignore", "CHANGELOG.md", "LICENSE", "README.md"),
    *MAKE_ENVIRONMENT,
)

SMALL_WHEELHOUSE = """#!/usr/bin/env bash
set -euo pipefail
mkdir -p dist/wheelhouse
rm -rf dist/wheelhouse/*
cp -r "$WHEELHOUSE" "dist/wheelhouse/$VERSION"
"""
"""In the place of scripts/wheelhouse, which needs the network and 150 MB."""


def pins() -> dict[str, str]:
    """Return the version of each package that a device installs from PyPI."""
    return dict(re.findall(r"^([a-z0-9.-]+)==([^\s;]+)", REQUIREMENTS.read_text(), re.MULTILINE))


def make_wheel(folder: Path, name: str, version: str, metadata: str) -> Path:
    """A wheel of its metadata alone, and of one that it carries inside, as setuptools does."""
    stem = f"{name.replace('-', '_')}-{version}"
    wheel = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        packed.writestr(f"{stem}.dist-info/METADATA", metadata)
        packed.writestr(f"{name}/_vendor/other-1.dist-info/METADATA", "Name: other\nVersion: 1\n")
    return wheel


def make_wheelhouse(folder: Path, version: str = __version__) -> Path:
    """As scripts/wheelhouse leaves it, with the pinned packages that are installed here."""
    for arch in ("amd64", "arm64"):
        place = folder / arch
        place.mkdir(parents=True)
        ours = f"Name: doorstep\nVersion: {version}\nLicense-Expression: MIT\n"
        make_wheel(place, "doorstep", version, ours)
        for name, pinned in pins().items():
            try:
                stated = distribution(name).read_text("METADATA")
            except PackageNotFoundError:
                continue
            make_wheel(place, name, pinned, stated or "")
        with tarfile.open(folder / f"{arch}.tar", "w") as tar:
            tar.add(place, ".")
    return folder


class Clone:
    """Everything is committed; `release` runs scripts/release there."""

    def __init__(self, folder: Path, wheelhouse: Path) -> None:
        self.folder = folder
        self.wheelhouse = wheelhouse

    @classmethod
    def make(cls, folder: Path, wheelhouse: Path) -> "Clone":
        """Clone the files of which a release is made, as they are here, committed or not."""
        clone = cls(folder, wheelhouse)
        listed = _git(REPOSITORY, "ls-files", "-co", "--exclude-standard", "-z", "--", *NEEDED)
        for name in filter(None, listed.split("\0")):
            if (source := REPOSITORY / name).exists():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, folder / name)
        (folder / "scripts" / "wheelhouse").write_text(SMALL_WHEELHOUSE)
        _git(folder, "init", "-q")
        clone.commit()
        return clone

    def copy(self, folder: Path) -> "Clone":
        """Copy the clone, for a test that damages it."""
        shutil.copytree(self.folder, folder)
        return Clone(folder, self.wheelhouse)

    def commit(self) -> None:
        """Commit all that is there."""
        _git(self.folder, "add", "-A")
        _git(self.folder, "commit", "-q", "--no-verify", "-m", "All of it")

    def commit_id(self) -> str:
        return _git(self.folder, "rev-parse", "HEAD").strip()

    def tag(self, name: str) -> None:
        _git(self.folder, "tag", name)

    def release(self, **more: str) -> subprocess.CompletedProcess[str]:
        """`more` is added to its environment."""
        environment = {
            "PATH": "/usr/bin:/bin",
            "DOORSTEP_VENV": str(_environment(self.folder)),
            "WHEELHOUSE": str(self.wheelhouse),
            "VERSION": __version__,
            **more,
        }
        return subprocess.run(
            ["scripts/release"],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )


def _environment(clone: Path) -> Path:
    """Link this process's environment, so that scripts/environment.sh makes none."""
    place = clone.with_suffix(".venv")
    (place / "bin").mkdir(parents=True, exist_ok=True)
    python = place / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    content = b"".join((clone / name).read_bytes() for name in MAKE_ENVIRONMENT)
    summed = subprocess.run(["cksum"], input=content, capture_output=True, check=True)
    (place / "doorstep.stamp").write_bytes(summed.stdout)
    return place


def _git(folder: Path, *arguments: str) -> str:
    command = [*GIT, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
