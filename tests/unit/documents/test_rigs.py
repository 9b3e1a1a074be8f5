"""The rigs that the page names print their options with `--help`, and do nothing else."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.unit.documents.pages import REPOSITORY

PAGE: Final = (REPOSITORY / "tests" / "rigs.md").read_text()
_, _, TOLD = PAGE.partition("`--help` tells their options:\n")
RIGS: Final = re.findall(r"tests\.[a-z_.]+", TOLD.partition("\n\n")[0])


@pytest.mark.slow
@pytest.mark.parametrize("rig", [*RIGS, "tests.system.arm64", "doorstep_backend.monitoring"])
def test_script_prints_its_options(rig: str) -> None:
    told = subprocess.run(
        [sys.executable, "-m", rig, "--help"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert told.stdout.startswith("usage: ")


def test_the_page_names_them() -> None:
    assert len(RIGS) > 10


@pytest.mark.slow
@pytest.mark.parametrize(
    "rig",
    [
        "tests.system.machines",
        "tests.system.qemu",
        "tests.faults.powercut",
        "tests.faults.syscalls",
        "tests.bench",
    ],
)
def test_rig_names_missing_commands_before_it_starts(rig: str, tmp_path: Path) -> None:
    """Not after ten minutes, and not one after the other: here nothing of PATH is there."""
    ended = subprocess.run(
        [sys.executable, "-m", rig],
        cwd=REPOSITORY,
        env={**os.environ, "PATH": str(tmp_path), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (ended.returncode, ended.stdout) == (2, "")
    assert "missing. On Debian: apt install " in ended.stderr
    assert not list(tmp_path.iterdir())
