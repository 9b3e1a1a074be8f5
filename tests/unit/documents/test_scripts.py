"""The commands in scripts/: `--help` does nothing but help, and an unknown option is an error."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.unit.documents.pages import REPOSITORY

SCRIPTS: Final = (
    *("bench", "check", "collect-logs", "conformance", "demo", "deploy", "provision", "release"),
    *("size", "test", "wheelhouse"),
)


def ran(script: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a script that has no environment yet, and may make one in `folder`."""
    own = {
        "PYTHON": sys.executable,
        "DOORSTEP_VENV": str(folder / "venv"),
        "DOORSTEP_PROVISION_VENV": str(folder / "venv-provision"),
        "DOORSTEP_PROVISION_DIR": str(folder / "kept"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(
        [REPOSITORY / "scripts" / script, *words],
        cwd=folder,
        env=os.environ | own,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_is_printed_and_nothing_is_made(tmp_path: Path, script: str, word: str) -> None:
    told = ran(script, tmp_path, word)

    assert (told.returncode, told.stderr) == (0, "")
    assert f"scripts/{script}" in told.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("script", SCRIPTS)
def test_an_unknown_option_is_named_and_nothing_is_made(tmp_path: Path, script: str) -> None:
    told = ran(script, tmp_path, "--no-such-option")

    assert told.returncode == 2
    assert "--no-such-option" in told.stderr
    assert f"scripts/{script} --help" in told.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [("--arch",), ("--arch", "mips"), ("--arch", "amd64", "more")])
def test_a_wheelhouse_for_no_architecture_is_refused_at_once(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    told = ran("wheelhouse", tmp_path, *words)

    assert (told.returncode, told.stdout) == (2, "")
    assert not list(tmp_path.iterdir())
