"""Capture's report on itself and its queue, which it keeps in a file for later questions."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.capture.duties import QUIET_AFTER_S
from agent.capture.housekeeping import EVERY_S, KeptStatus
from agent.models import rfc3339
from agent.queue.database import Database
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.status import kept
from agent.status.values import QueuePart
from hardware.button import ButtonChange, ButtonEvent, ButtonName
from hardware.clock_system import SystemClock
from tests.support.benchtop import Bench, SetTime
from tests.support.factory import MOMENT
from tests.support.fleet import ALLOWED, fleet_device, offer, tap_scan
from tests.support.roads import payload_of


def waiting(device: Bench) -> Any:
    """Return the number of waiting records in the file."""
    return json.loads(device.layout.status_file.read_bytes())["queue"]["waiting"]


# run/status.json


def test_the_queue_is_kept_once_a_minute(device: Bench) -> None:
    device.tick()
    first = waiting(device)
    device.press()
    device.tick(EVERY_S - 3)
    not_yet = waiting(device)
    device.tick(3)

    assert not_yet == first
    assert waiting(device) == first + 1
    as_of = json.loads(device.layout.status_file.read_bytes())["utc"]
    assert as_of.startswith(f"{datetime.now(UTC):%Y-}")


def test_last_presses_are_kept_when_capture_ends(device: Bench) -> None:
    device.tick()
    before = waiting(device)
    device.press()
    device.loop.stop()
    device.run()

    assert waiting(device) == before + 1


def test_a_run_folder_that_takes_nothing_is_one_line_in_the_log_and_stops_no_press(
    device: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder in its place: not even root can write over that."""
    (device.layout.status_file / "x").mkdir(parents=True)
    for _ in range(3):
        device.tick(EVERY_S)
    status, reply = device.loop.status(), device.press()
    told = caplog.text.count("event=status_not_kept")
    (device.layout.status_file / "x").rmdir()
    device.layout.status_file.rmdir()
    device.tick(EVERY_S)

    assert told == 1
    assert "event=storage_fault" not in caplog.text
    assert status["ready"]
    assert "photo" in reply["record"]
    assert waiting(device) == 1 + before_the_press(device)


def before_the_press(device: Bench) -> int:
    """Records that a start makes: chain_start, and the boot's time."""
    return len([row for row in device.rows() if row.kind != "photo"])


def test_a_queue_that_cannot_be_read_is_kept_as_that(layout: Layout) -> None:
    with closing(Database(layout)) as database:
        clock, now = SystemClock(MOMENT), SetTime()
        KeptStatus(layout, Outbox(database, "boot-1"), clock, now).tick()

    assert "`doorstep capture` first" in str(kept.read_queue(layout))


def test_invalid_date_ends_no_turn(device: Bench) -> None:
    """Every process writes the queue; sync may be somebody else's."""
    device.press()
    with closing(Database(device.layout)) as database, database.step() as sql:
        sql.execute("UPDATE captures SET utc = '2026-13-45T99:00:00Z'")
    device.tick(EVERY_S)

    assert waiting(device) > 0
    found = kept.read_queue(device.layout)
    assert isinstance(found, QueuePart)
    assert found.oldest_utc is None


# Quiet


@pytest.mark.parametrize("act", ["press", "scan", "nothing", "glitch"])
def test_quiet_is_ten_minutes_without_a_press_since_it_runs(tmp_path: Path, act: str) -> None:
    """A contact that opened again at once was no press."""
    with fleet_device(tmp_path) as device:
        start_ns = device.parts.now()
        offer(device, payload_of(ALLOWED))
        device.tick(QUIET_AFTER_S - 60)
        young = device.loop.status()["quiet"]
        match act:
            case "press":
                device.press()
            case "scan":
                tap_scan(device)
            case "glitch":
                edge_ns = device.touch()
                device.loop.on_event(ButtonEvent(ButtonName.PHOTO, ButtonChange.GLITCH, edge_ns))
                device.step()
        was_pressed_ns = device.parts.now() if act in {"press", "scan"} else start_ns
        left_s = QUIET_AFTER_S - (device.parts.now() - was_pressed_ns) / 1e9
        device.parts.now.pass_s(left_s - 10)
        nearly = device.loop.status()["quiet"]
        device.parts.now.pass_s(11)

        assert (young, nearly) == (False, False)
        assert device.loop.status()["quiet"]


# Until when


def test_manifest_in_force_has_its_end(tmp_path: Path) -> None:
    with fleet_device(tmp_path) as device:
        none = device.loop.status()["manifest_until"]
        offer(device, payload_of(ALLOWED))
        manifest = device.loop.documents.manifest.in_force()
        until = device.loop.status()["manifest_until"]
        device.hear_time(datetime.fromisoformat(str(until)) + timedelta(seconds=5))
        device.tick()

        assert none is None
        assert until == payload_of(ALLOWED)["ends"]
        assert until == rfc3339(manifest.ends)  # type: ignore[union-attr]  # there is one
        assert device.loop.status()["manifest_until"] is None
