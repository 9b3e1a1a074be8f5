"""Provisioning writes what the firmware and udev of a Pi need, and keeps what others wrote."""

from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from hardware.firmware import BUILD_PINS, claims
from tests.support.backend import REPOSITORY
from tests.system.machines.playbooks import PROVISIONING, played

pytestmark = pytest.mark.slow

TASKS: Final = PROVISIONING / "roles/doorstep_parts/tasks/firmware.yml"

EXAMPLE: Final = yaml.safe_load((PROVISIONING / "fleet.example.yml").read_text())

CMDLINE: Final = "console=serial0,115200 console=tty1 root=PARTUUID=1234-02 rootwait\n"


def run(folder: Path, **variables: Any) -> str:
    """Run the role's tasks on files in `folder`, as a user without the system's folders."""
    (folder / "etc").mkdir(exist_ok=True)
    text = TASKS.read_text().replace("/etc/udev/rules.d", str(folder / "etc"))
    text = text.replace("/run/doorstep-restart-wanted", str(folder / "restart"))
    text = text.replace("    owner: root\n    group: root\n", "")
    (folder / "tasks.yml").write_text(text)
    known = {
        "doorstep_preflight_found": {
            "firmware": str(folder / "config.txt"),
            "cmdline": str(folder / "cmdline.txt"),
            **variables.pop("found", {}),
        },
        "doorstep_config": {},
        "doorstep_gpsd_devices": ["/dev/serial0"],
        "doorstep_firmware_lines": [],
        "doorstep_shunt_uohm": 50_000,
    }
    play = {
        "hosts": "all",
        "gather_facts": False,
        "vars": known | variables,
        "tasks": [{"ansible.builtin.include_tasks": str(folder / "tasks.yml")}],
    }
    (folder / "play.yml").write_text(yaml.safe_dump([play]))
    (folder / "fleet.yml").write_text("all: {hosts: {van-1: {ansible_connection: local}}}\n")
    return played(folder, folder / "play.yml")


@pytest.fixture
def card(tmp_path: Path) -> Path:
    (tmp_path / "config.txt").write_text("camera_auto_detect=1\ndtoverlay=vc4-kms-v3d\n")
    (tmp_path / "cmdline.txt").write_text(CMDLINE)
    return tmp_path


def test_build_is_written_once(card: Path) -> None:
    """A second run changes nothing, and wants no restart."""
    build: dict[str, Any] = {
        "found": {"small": "yes"},
        "doorstep_firmware_lines": EXAMPLE["all"]["vars"]["doorstep_firmware_lines"],
        "doorstep_config": {"power": {"current_sensor": "ina226"}},
    }
    page = (REPOSITORY / "hardware/README.md").read_text()

    said = run(card, **build)
    config, cmdline = (card / "config.txt").read_text(), (card / "cmdline.txt").read_text()
    assert (card / "restart").exists(), said
    (card / "restart").unlink()
    run(card, **build)

    assert config.startswith("camera_auto_detect=1\ndtoverlay=vc4-kms-v3d,nohdmi\n")
    assert {claim.pin for claim in claims(config)} == set(BUILD_PINS)
    assert cmdline == ("console=tty1 root=PARTUUID=1234-02 rootwait cgroup_enable=memory cma=96M\n")
    assert [line for line in build["doorstep_firmware_lines"] if line not in page] == []
    rule = (card / "etc/61-doorstep-sensor.rules").read_text()
    assert [line for line in rule.splitlines()[1:] if line not in page] == []
    assert (card / "config.txt").read_text() == config
    assert (card / "cmdline.txt").read_text() == cmdline
    assert not (card / "restart").exists()


def test_board_with_more_memory_keeps_camera_memory_and_screen(card: Path) -> None:
    run(card)

    assert "cma=" not in (card / "cmdline.txt").read_text()
    assert "nohdmi" not in (card / "config.txt").read_text()
    assert list((card / "etc").iterdir()) == []


def test_another_size_of_the_camera_memory_stays(card: Path) -> None:
    (card / "cmdline.txt").write_text("cma=128M rootwait\n")

    run(card, found={"small": "yes"})

    assert (card / "cmdline.txt").read_text() == "cma=128M rootwait cgroup_enable=memory\n"
