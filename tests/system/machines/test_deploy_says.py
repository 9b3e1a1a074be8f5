"""Progress of a deploy: a technician sees that a trial takes minutes."""

import os
from pathlib import Path
from typing import Final

import pytest
import yaml

from tests.system.machines.playbooks import played

pytestmark = pytest.mark.slow

PROGRAM: Final = """
import sys
from pathlib import Path
asked = Path("{asked}")
if sys.argv[1] == "wait":
    asked.write_text(asked.read_text() + "x" if asked.exists() else "x")
    if asked.stat().st_size <= {in_vain}:
        sys.exit("the trial has not ended yet")
    print('{{"release": "2026.12.0", "outcome": "done", "why": ""}}')
"""
"""In the place of the one on a device: the trial has ended after so many questions."""

INVENTORY: Final = "all: {hosts: {van-1: {ansible_connection: local}}}\n"

PLAY: Final = [
    {
        "hosts": "all",
        "gather_facts": False,
        "vars": {"deploy_release": "/2026.12.0", "doorstep_agent_release": "/2026.12.0"},
        "tasks": [
            {"include_role": {"name": "doorstep_deploy", "tasks_from": "try"}},
            {"fail": {"msg": "VERDICT {{ doorstep_deploy_outcome.verdict }}"}},
        ],
    }
]

OVER_IT: Final = 'mount -t overlay overlay -o "lowerdir=$1:/usr/local/lib" /usr/local/lib'
"""Mounts files over this machine's own, seen by these processes alone."""


def _tried(folder: Path, in_vain: int) -> list[str]:
    """Return the lines of a deploy while a device tries a release."""
    if os.geteuid() != 0:
        pytest.fail("this mounts a device's program: run it as root")
    program = folder / "lib" / "doorstep" / "trial" / "__main__.py"
    program.parent.mkdir(parents=True)
    program.write_text(PROGRAM.format(asked=folder / "asked", in_vain=in_vain))
    (folder / "fleet.yml").write_text(INVENTORY)
    (folder / "play.yml").write_text(yaml.safe_dump(PLAY))
    script, library = f'{OVER_IT}; shift; exec "$@"', str(folder / "lib")
    mounted = ["unshare", "-m", "sh", "-ec", script, "-", library]
    return played(folder, folder / "play.yml", below=mounted).splitlines()


def test_deploy_reports_a_trials_length_before_and_its_progress(tmp_path: Path) -> None:
    said = _tried(tmp_path, 2)

    before, *waited = [line for line in said if "watched for" in line or "not yet" in line]
    assert "serves presses, gives a frame and hears from the backend is watched for 120 s" in before
    assert waited == ["not yet: [van-1]: doorstep_deploy : Wait for the end of its trial"] * 2
    assert "fatal: [van-1]: VERDICT done" in said, "\n".join(said)


def test_endless_trial_is_given_up(tmp_path: Path) -> None:
    said = _tried(tmp_path, 99)

    assert len([line for line in said if line.startswith("not yet: ")]) == 7
    assert "fatal: [van-1]: VERDICT not reached" in said
