"""A command may die at any call, and any call may fail: nothing that was kept is lost."""

import shutil
import subprocess
import sys

import pytest

from tests.support.device import REPOSITORY

CASES = "80"
"""Evenly spread over all; `python -m tests.faults.syscalls` tries every one."""


@pytest.mark.slow
@pytest.mark.alone
def test_a_command_that_dies_or_fails_at_a_call_loses_nothing() -> None:
    """SIGKILL, EIO and ENOSPC at calls of capture, void, sync and prune; restart; nothing lost."""
    assert shutil.which("strace"), "this test needs strace: apt install strace"

    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.syscalls", "--cases", CASES],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 violations" in done.stdout
