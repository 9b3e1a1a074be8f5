"""`scripts/provision` before it reaches a device: what is wrong is told in a sentence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

INVENTORY = "all:\n  hosts:\n    van-1: {ansible_connection: local}\n"


def _ran(folder: Path, text: str, *words: str) -> tuple[int, list[str]]:
    """It runs with this environment's Ansible; its exit code, and the lines that it said."""
    inventory = folder / "fleet.yml"
    inventory.write_text(text)
    wanted = (REPOSITORY / "scripts/provisioning/controller.txt").read_bytes()
    stamp = subprocess.run(["cksum"], input=wanted, capture_output=True, check=True)
    venv = folder / "venv"
    venv.mkdir()
    (venv / "bin").symlink_to(Path(sys.executable).parent)
    (venv / "doorstep.stamp").write_bytes(stamp.stdout)
    own = {"DOORSTEP_PROVISION_VENV": str(venv), "DOORSTEP_PROVISION_DIR": str(folder / "kept")}
    own |= {"ANSIBLE_LOCAL_TEMP": str(folder / "temporary")}
    ran = subprocess.run(
        [REPOSITORY / "scripts" / "provision", *words],
        cwd=folder,
        env=os.environ | own,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return ran.returncode, (ran.stdout + ran.stderr).splitlines()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (INVENTORY.replace("hosts:", "hosts"), "fleet.yml, line 3: cannot be read: Colons"),
        ("all:\n  hosts: [van-1]\n", 'fleet.yml: cannot be read: Invalid "hosts" entry'),
        ("all:\n  vars: {ansible_user: pi}\n", "fleet.yml: it names no device"),
    ],
)
def test_an_inventory_that_cannot_be_read_is_told_and_not_run(
    tmp_path: Path, text: str, words: str
) -> None:
    code, said = _ran(tmp_path, text, "van-1")

    assert code == 2
    assert len(said) == 1, said
    assert said[0].startswith(words)
    assert said[0].endswith("mend it; nothing was touched")


def test_a_device_that_the_inventory_does_not_name_is_told(tmp_path: Path) -> None:
    code, said = _ran(tmp_path, INVENTORY, "van-1", "van-2")

    assert (code, said) == (2, ["van-2: fleet.yml has no such device; nothing was touched"])
