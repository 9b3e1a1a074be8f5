"""A device's answer sets no variable: it could claim what it is given, and be believed."""

from pathlib import Path
from typing import Final

import pytest

from tests.system.machines.playbooks import PROVISIONING, played

pytestmark = pytest.mark.slow

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


def test_dishonest_device_sets_no_variable(tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "lie").write_text(LIE)
    play = tmp_path / "play.yml"
    play.write_text(PLAY)
    (tmp_path / "fleet.yml").write_text(INVENTORY)

    said = played(tmp_path, play, ANSIBLE_DISPLAY_OK_HOSTS="true")

    assert '"HEARD van-1 van-1 []"' in said, said


def test_no_device_is_touched_without_that_setting(tmp_path: Path) -> None:
    """Another ansible.cfg, of the folder or of the user, lacks the setting."""
    (tmp_path / "fleet.yml").write_text(INVENTORY)

    said = played(tmp_path, PROVISIONING / "site.yml", ANSIBLE_INJECT_FACT_VARS="true")

    assert "would overrule the inventory" in said, said
    assert "Keep a place for host keys" not in said
    assert not (tmp_path / "known_hosts").exists()
