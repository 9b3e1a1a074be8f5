"""Ansible's own Python, which is root on a device, runs nothing of the folder that it starts in."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.support.backend import REPOSITORY

PLAYBOOK: Final = Path(sys.executable).with_name("ansible-playbook")
CONNECTION: Final = REPOSITORY / "scripts/provisioning/connection.yml"

PLAY: Final = f"""
- hosts: all
  gather_facts: false
  environment: "{{{{ connection_python }}}}"
  vars_files: [{CONNECTION}]
  tasks:
    - ansible.builtin.command: "true"
    - ansible.builtin.getent:
        database: passwd
    - ansible.builtin.stat:
        path: /
"""
"""As the plays of scripts/provisioning: `test_pythons.py` in tests/system/systemd compares."""

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("by_variable", [False, True])
def test_module_runs_nothing_of_its_current_folder(tmp_path: Path, by_variable: bool) -> None:
    """The current folder here is the playbook's; on a device it is the user's home."""
    ran = tmp_path / "ran"
    planted = tmp_path / "planted" if by_variable else tmp_path
    planted.mkdir(exist_ok=True)
    for name in ("datetime", "json", "base64", "zipfile", "usercustomize"):
        (planted / f"{name}.py").write_text(f"open({str(ran)!r}, 'a').write(__file__)\n")
    (tmp_path / "play.yml").write_text(PLAY)
    variables = {"PYTHONPATH": str(planted)} if by_variable else {}

    told = subprocess.run(
        # The office's own Python is isolated: what is planted is for the device's
        [sys.executable, "-I", PLAYBOOK, "-i", "localhost,", "-c", "local", tmp_path / "play.yml"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )

    assert told.returncode == 0, told.stdout + told.stderr
    assert not ran.exists(), ran.read_text()
