"""Units that were stopped go on, however the command ends, unless the device is retired."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.support.device import REPOSITORY

CAPTURE: Final = "doorstep-capture.service"
SYSTEMCTL: Final = f"""#!/bin/sh
# Knows one unit that runs.
echo "$*" >> "$0.log"
case "$*" in is-active*{CAPTURE}) exit 0 ;; is-active*) exit 3 ;; esac
"""
STOPS: Final = """
import sys
from agent.command import units
with units.stopped() as running:
    print("stopped", flush=True)
    if sys.stdin.readline() == "end\\n":
        running.ended()
"""


def begun(folder: Path) -> "subprocess.Popen[str]":
    tool = folder / "systemctl"
    tool.write_text(SYSTEMCTL)
    tool.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-c", STOPS],
        cwd=REPOSITORY,
        env={**os.environ, "PATH": f"{folder}:/usr/bin:/bin"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "stopped\n"
    return process


def asked(folder: Path) -> list[str]:
    lines = (folder / "systemctl.log").read_text().splitlines()
    return [line for line in lines if not line.startswith("is-active")]


STOP, START = f"stop {CAPTURE}", f"start --no-block {CAPTURE}"


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_starts_them_again(tmp_path: Path, kind: signal.Signals) -> None:
    """A lost SSH connection must not leave a driver with a dark device."""
    process = begun(tmp_path)
    process.send_signal(kind)
    process.communicate(timeout=30)

    assert asked(tmp_path) == [STOP, START]


@pytest.mark.parametrize(("word", "then"), [("\n", [START]), ("end\n", [])])
def test_they_go_on_unless_the_device_is_retired(
    tmp_path: Path, word: str, then: list[str]
) -> None:
    process = begun(tmp_path)
    process.communicate(word, timeout=30)

    assert process.returncode == 0
    assert asked(tmp_path) == [STOP, *then]
