"""Some cases of each rig that is a command: no promise is broken, and the rig can fail."""

import subprocess
import sys
from typing import Final

import pytest

from tests.faults.powercut.variants import BROKEN
from tests.support.device import REPOSITORY

PATIENCE_S: Final = 900.0

CASES: Final = {
    "powercut": ("--states", "300"),
    "syscalls": ("--cases", "80"),
    "network": ("--first-bytes", "256", "--later", "100"),
    "commandlines": ("--cases", "30"),
}
"""Options for some cases of each kind; `scripts/test --powercut` and the commands try the rest."""

EACH_COMMIT: Final = "powercut"
"""The only rig that `scripts/test` runs too: the others take two minutes, and change seldom."""

SAID: Final = {
    "powercut": (
        " power cuts, 0 violations; ",
        f"{len(BROKEN)} of {len(BROKEN)} broken variants caught",
        "flushes of the disk per photo: 3 (product), 5 (portable)",
    ),
    "syscalls": (" cases, 0 violations, ",),
    "network": (" cases    0 violations, ",),
    "commandlines": ("0 tracebacks, 0 other wrong ends",),
}


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize(
    "rig",
    [
        EACH_COMMIT,
        *(pytest.param(rig, marks=pytest.mark.release) for rig in CASES if rig != EACH_COMMIT),
    ],
)
def test_rig_finds_no_broken_promise(rig: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"tests.faults.{rig}", *CASES[rig]],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    for words in SAID[rig]:
        assert words in done.stdout
