"""Cut or closed byte by byte, altered here and there, and answered with every status."""

import subprocess
import sys

import pytest

from tests.support.device import REPOSITORY

CASES = ["--first-bytes", "256", "--later", "100"]
"""A share of what `scripts/test --powercut` tries: every kind of fault, heads byte by byte."""


@pytest.mark.slow
@pytest.mark.alone
def test_no_cut_no_altered_byte_and_no_status_breaks_a_promise() -> None:
    """At the backend exactly once, byte for byte, or still queued; delivered when it is over."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.network", *CASES],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 violations, " in done.stdout
