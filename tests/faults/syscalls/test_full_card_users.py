"""A card that root has filled, under capture's own user: what ext4's reserve for root costs."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import pytest

from agent.command.doctor.disk_check import is_ballast_useless, root_reserve_bytes
from agent.queue import disk
from agent.queue.disk import BALLAST_BYTES
from tests.faults.syscalls.scenarios import SETTINGS, command
from tests.faults.syscalls.traced import Ended
from tests.faults.syscalls.users import as_user, open_folder, tmpfiles
from tests.support.device import Device
from tests.support.factory import fill, small_disk

pytestmark = pytest.mark.slow

CARD_MB: Final = 64
"""5 % of it is more than the ballast."""

DEFAULT_PCT: Final = 5
"""Share that mkfs.ext4 keeps for root. Source: mke2fs(8), -m."""

USER: Final = "doorstep-capture"


@contextmanager
def van(reserve_pct: int) -> Iterator[Device]:
    """A device as tmpfiles.d makes it, its state on a file system of its own."""
    with open_folder() as folder, small_disk(folder, CARD_MB, reserve_pct=reserve_pct) as card:
        state = {"dir": str(card), "run_dir": str(folder / "run"), "reserve_mb": 1}
        made = Device(folder / "van", "", state=state, camera=SETTINGS["camera"])
        tmpfiles(made.layout.state, made.layout.run)
        yield made


def press(device: Device) -> Ended:
    return as_user(USER, partial(command("capture", "--once"), device))


def pressed(device: Device) -> tuple[list[Ended], int]:
    """Three presses on a card that root has filled, and how many records they have left."""
    assert press(device).code == 0
    before = set(device.layout.records.glob("*.rec"))
    assert device.layout.ballast.stat().st_size == BALLAST_BYTES
    fill(device.layout.state)
    ended = [press(device) for _ in range(3)]
    return ended, len(set(device.layout.records.glob("*.rec")) - before)


def doctors(device: Device) -> list[dict[str, Any]]:
    """Return what doctor finds about the card, as capture's user."""
    told = as_user(USER, partial(command("doctor", "--json"), device)).said
    found = json.loads(next(line for line in told.splitlines() if line.startswith("[")))
    return [one for one in found if one["check"] == "disk"]


def test_press_without_a_reserve_leaves_a_record_without_photo() -> None:
    """The ballast is given up, and its room is left to presses."""
    with van(reserve_pct=0) as device:
        ended, records = pressed(device)

        assert [one.code for one in ended] == [70, 70, 70], ended
        reasons = [json.loads(one.said.splitlines()[-1])["record"]["reason"] for one in ended]
        assert reasons == ["storage_full"] * 3
        assert records == 3
        assert device.layout.ballast.stat().st_size == 0


def test_press_with_the_reserve_of_mkfs_leaves_no_record() -> None:
    """Root's reserve takes the ballast's room; the light is red, and the log names the loss."""
    with van(reserve_pct=DEFAULT_PCT) as device:
        ended, records = pressed(device)

        assert [one.code for one in ended] == [70, 70, 70], ended
        assert records == 0
        assert disk.free_bytes(device.layout.state) == 0


@pytest.mark.parametrize(("reserve_pct", "levels"), [(0, ["ok"]), (DEFAULT_PCT, ["ok", "note"])])
def test_doctor_tells_of_a_reserve_before_it_costs_a_record(
    reserve_pct: int, levels: list[str]
) -> None:
    with van(reserve_pct=reserve_pct) as device:
        assert press(device).code == 0
        found = doctors(device)
        reserve_bytes = root_reserve_bytes(os.statvfs(device.layout.state))

        assert [one["level"] for one in found] == levels
        assert is_ballast_useless(reserve_bytes) == (reserve_pct > 0)
        assert abs(reserve_bytes / (CARD_MB * 1e6) - reserve_pct / 100) < 0.01
        if reserve_pct:
            assert "`tune2fs -m 0`" in found[-1]["words"]


def test_room_is_what_capture_itself_can_write() -> None:
    """Another user's view: root's reserve does not count, and the ballast neither."""
    with van(reserve_pct=DEFAULT_PCT) as device:
        assert press(device).code == 0
        layout = device.layout
        room_bytes = disk.room_bytes(layout.records, layout.ballast)
        written = as_user(USER, lambda: len(str(fill(layout.queue))) and 0)
        filler_bytes = (layout.queue / "filler").stat().st_size

        assert written.code == 0
        assert abs(filler_bytes - room_bytes) < disk.LEAST_BYTES
