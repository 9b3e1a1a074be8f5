"""What a device answers sets no variable: else it would name what it is given, and be believed."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.support.backend import REPOSITORY

pytestmark = pytest.mark.slow

PROVISIONING: Final = REPOSITORY / "scripts" / "provisioning"

PLAYBOOK: Final = Path(sys.executable).with_name("ansible-playbook")

LIE: Final = """#!/bin/sh
echo '{"changed": false, "ansible_facts": {"inventory_hostname": "van-2",
    "doorstep_device_id": "van-2", "doorstep_config_files": ["/etc/shadow"]}}'
"""

PLAY: Final = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Ask the device
      lie:
    - name: Say what holds
      ansible.builtin.debug:
        msg: "HEARD {{ inventory_hostname }} {{ doorstep_device_id }} {{ doorstep_config_files }}"
"""

INVENTORY: Final = """
all:
  hosts:
    van-1: {ansible_connection: local, doorstep_device_id: van-1, doorstep_config_files: []}
"""


def _played(folder: Path, playbook: Path, **more: str) -> str:
    """A run with the settings of `scripts/provision`; what it printed."""
    inventory = folder / "fleet.yml"
    inventory.write_text(INVENTORY)
    own = {"ANSIBLE_CONFIG": str(PROVISIONING / "ansible.cfg"), "ANSIBLE_LOCALHOST_WARNING": "0"}
    own |= {"DOORSTEP_PROVISION_DIR": str(folder), "ANSIBLE_LOCAL_TEMP": str(folder / "temporary")}
    own |= {"ANSIBLE_DISPLAY_OK_HOSTS": "true", "PYTHONDONTWRITEBYTECODE": "1"}
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    ran = subprocess.run(
        [PLAYBOOK, "--inventory", inventory, playbook],
        env=kept | {"LC_ALL": "C.UTF-8"} | own | more,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return ran.stdout + ran.stderr


def test_a_lying_device_sets_no_variable(tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "lie").write_text(LIE)
    play = tmp_path / "play.yml"
    play.write_text(PLAY)

    said = _played(tmp_path, play)

    assert '"HEARD van-1 van-1 []"' in said, said


def test_without_that_setting_nothing_is_touched(tmp_path: Path) -> None:
    """As with another ansible.cfg: that of the folder, or of the user."""
    said = _played(tmp_path, PROVISIONING / "site.yml", ANSIBLE_INJECT_FACT_VARS="true")

    assert "would overrule the inventory" in said, said
    assert "Keep a place for host keys" not in said
    assert not (tmp_path / "known_hosts").exists()
