"""Which group is missing: what one may not use is no fault of the device."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest

from agent.command.doctor import groups_check
from agent.command.doctor.groups_check import STATE, Need, Who, missing
from agent.config import load
from hardware.driver import DeviceFiles
from tests.faults.syscalls.scenarios import command
from tests.faults.syscalls.traced import Ended
from tests.faults.syscalls.traced import run as in_a_child
from tests.faults.syscalls.users import GROUP, as_debian_protects, as_user, tmpfiles
from tests.support.device import Device

PINS: Final = DeviceFiles("the GPIO pins", "gpio", ("gpiochip*",))
CAMERA: Final = DeviceFiles("the camera", "video", ("video*",))
ALICE: Final = Who("alice", 1000, {1000, 44}, {1000, 44, 997})
CHIP: Final = Need(PINS, Path("/dev/gpiochip0"), 0, 986, "gpio", 0o660)
VIDEO: Final = Need(CAMERA, Path("/dev/video0"), 0, 44, "video", 0o660)
HOME: Final = Need(STATE, Path("/var/lib/doorstep"), 990, 997, "doorstep", 0o2750)


def told(who: Who, *needs: Need) -> str:
    return "\n".join(missing(who, needs))


def test_a_missing_group_is_named_with_its_remedy() -> None:
    assert told(ALICE, CHIP) == (
        "alice may not use the GPIO pins (/dev/gpiochip0): not of the group gpio: "
        "`sudo usermod -aG gpio alice` and log in again, or run this as root"
    )


def test_new_member_of_a_group_is_asked_to_log_in_again() -> None:
    assert told(ALICE, HOME).endswith(
        "is of the group doorstep only since the last login: log in again"
    )


@pytest.mark.parametrize(
    ("who", "need"),
    [
        (ALICE, VIDEO),
        (Who("root", 0, {0}, {0}), CHIP),
        (Who("doorstep-capture", 990, {997}, {997}), HOME),
        (ALICE, Need(PINS, CHIP.place, 0, 986, "gpio", 0o666)),
    ],
    ids=["of the group", "root", "owner", "everybody's"],
)
def test_permitted_user_reads_nothing(who: Who, need: Need) -> None:
    assert told(who, need) == ""


@pytest.mark.parametrize(
    ("need", "words"),
    [
        (Need(PINS, CHIP.place, 0, 0, "root", 0o600), "no rule of udev gives it to the group gpio"),
        (Need(CAMERA, VIDEO.place, 0, 44, "video", 0o600), "no rule of udev"),
        (Need(STATE, HOME.place, 0, 0, "root", 0o700), "`systemd-tmpfiles --create`"),
    ],
)
def test_source_of_a_group_is_named_if_no_group_helps(need: Need, words: str) -> None:
    assert words in told(ALICE, need)


def test_the_first_that_fits_of_owner_group_and_others_counts_alone() -> None:
    """As for the kernel: a group that is shut out is not let in as everybody else."""
    shut_out = Need(CAMERA, VIDEO.place, 0, 44, "video", 0o606)

    assert told(ALICE, shut_out)


def test_many_devices_of_one_kind_are_told_once() -> None:
    chips = [
        Need(PINS, Path(f"/dev/gpiochip{number}"), 0, 986, "gpio", 0o660) for number in range(5)
    ]

    assert len(list(missing(ALICE, chips))) == 1


# As real users


@contextmanager
def provisioned(**changes: Any) -> Iterator[Device]:
    """A device as tmpfiles.d makes it, with a record."""
    if os.geteuid() != 0:
        pytest.fail("this changes users: run it as root")
    with TemporaryDirectory(prefix="groups-") as name, as_debian_protects():
        folder = Path(name)
        folder.chmod(0o755)
        made = Device(folder / "van", "", **changes)
        tmpfiles(made.layout.state, made.layout.run)
        yield made


def as_outsider(act: Callable[[], int]) -> Ended:
    """Somebody who has logged in, and is of no group of Doorstep's."""

    def become_and_act() -> int:
        os.setgroups([])
        os.setgid(61_999)
        os.setuid(61_999)
        return act()

    return in_a_child(become_and_act)


def findings(ended: Ended) -> list[dict[str, Any]]:
    line = next(line for line in ended.said.splitlines() if line.startswith("["))
    found: list[dict[str, Any]] = json.loads(line)
    return found


@pytest.mark.slow
def test_group_is_the_only_finding_outside_the_group() -> None:
    with provisioned() as van:
        ended = as_outsider(partial(command("doctor", "--json"), van))

        assert [one["check"] for one in findings(ended)] == ["configuration", "groups"]
        assert ended.code == 70
        assert f"not of the group {GROUP}" in ended.said
        assert "ERROR" not in ended.said


@pytest.mark.slow
def test_a_technician_of_the_group_hears_of_no_fault_that_is_only_a_missing_permission() -> None:
    with provisioned() as van:
        assert as_user("doorstep-capture", partial(command("capture", "--once"), van)).code == 0
        ended = as_user("technician", partial(command("doctor", "--json"), van))

        failed = [one for one in findings(ended) if one["level"] == "FAILED"]
        assert failed == []
        assert "run this as root" in ended.said


@pytest.mark.slow
def test_technician_without_groups_reads_which_and_pins_are_not_blamed(
    tmp_path: Path,
) -> None:
    """With capture running nobody else opens a device, and no such group is asked for."""
    dev = tmp_path / "dev"
    (dev / "dma_heap").mkdir(parents=True)
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    for name, group in (("gpiochip0", 61_986), ("video0", 61_044), ("dma_heap/system", 61_044)):
        (dev / name).touch()
        (dev / name).chmod(0o660)
        os.chown(dev / name, 0, group)
    with provisioned() as van:
        gpio = {"kind": "gpio"}
        van.configure(camera={"kind": "picamera2"}, buttons=gpio, indicator=gpio, lamp=gpio)
        config = load(van.config)

        def say() -> int:
            print("\n".join(groups_check.of_the_devices(config, dev)))  # noqa: T201
            return 0

        said = as_user("technician", say).said

    assert f"the GPIO pins ({dev}/gpiochip0): not of the group 61986" in said
    assert f"the camera ({dev}/video0): not of the group 61044" in said
    assert len(said.strip().splitlines()) == 2
