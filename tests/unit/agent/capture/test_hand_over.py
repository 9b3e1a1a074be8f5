"""A press with the scan button down: a record without photo that says "handed over"."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.capture.battery import EMPTY_READINGS
from agent.models import RecordKind
from hardware.indicator import Signal
from hardware.power import PowerReading
from tests.support.benchtop import Bench, bench, picture
from tests.support.fleet import (
    ALLOWED,
    ELSEWHERE,
    FORBIDDEN,
    HOME,
    NEXT,
    fleet_device,
    offer,
    reason,
    round_of,
    scan,
)
from tests.support.roads import away, payload_of, stop_at

BLURRED = picture(motion_px=22.0)
UNASSIGNED = {"id": None, "bound_by": "unassigned", "distance_m": None, "ring": None}
CLOSE_BY = stop_at(away(HOME, 90.0, 20.0), 5)


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Bench]:
    """A route to the door that it is at, and to one 300 m away."""
    with round_of(tmp_path, ALLOWED, ELSEWHERE) as opened:
        yield opened


def test_a_hand_over_leaves_a_record_without_photo_or_position(device: Bench) -> None:
    """The hand-over names the only stop in reach, and its light comes after it is durable."""
    rows: list[int] = []

    def count(signal: Signal) -> None:
        if signal is Signal.HANDED_OVER:
            rows.append(len(device.rows("no_photo")))

    device.parts.light.on_show = count
    reply = device.hand_over()
    kept = device.open(reply["label"]["capture_id"])

    assert (reply["label"]["kind"], reason(reply)) == (RecordKind.NO_PHOTO, "handed_over")
    assert kept.photo is None
    assert "position" not in kept.record
    assert (kept.record["stop"]["id"], kept.record["stop"]["bound_by"]) == (ALLOWED.id, "place")
    assert kept.record["manifest"] == 7
    assert rows == [1]
    assert device.parts.light.shown[-1] is Signal.HANDED_OVER
    assert device.parts.camera.frames_exposed == 0


@pytest.mark.parametrize("scan_first_s", [0.29, 2.01])
def test_another_time_of_the_scan_button_makes_a_photo(device: Bench, scan_first_s: float) -> None:
    assert device.hand_over(scan_first_s=scan_first_s)["label"]["kind"] == RecordKind.PHOTO


def test_a_hand_over_says_hold_still_for_its_touch_only(device: Bench) -> None:
    """No frame is taken, so the loop does not ask for stillness again."""
    device.hand_over()

    assert device.parts.light.shown.count(Signal.HOLD_STILL) == 1


def test_presses_within_600_ms_of_a_hand_over_are_that_one(device: Bench) -> None:
    device.hand_over()
    device.pressed(device.parts.now())

    assert (len(device.rows("no_photo")), device.rows("photo")) == (1, [])


# The scan button, its window and its label


def test_a_hand_over_closes_the_scan_window_and_no_other_opens(tmp_path: Path) -> None:
    """The release of the scan button opens no window either."""
    with round_of(tmp_path, FORBIDDEN, ALLOWED) as device:
        device.press()
        for _ in range(3):
            device.tick(1.1)
        opened = device.parts.camera.looks
        device.hand_over()
        looked = device.parts.camera.looks
        for _ in range(3):
            device.tick(1.1)

        assert opened > 0
        assert device.parts.camera.looks == looked
        assert device.parts.light.shown[-2:] == [Signal.HANDED_OVER, Signal.READY]


def test_a_label_names_the_stop_of_a_hand_over_and_is_cleared(tmp_path: Path) -> None:
    """Two doors are in reach; the label does not count for the next press."""
    with round_of(tmp_path, ALLOWED, CLOSE_BY) as device:
        scan(device, "C5")
        device.parts.camera.label = ""
        handed = device.hand_over()
        after = device.press()

    assert (handed["record"]["stop"]["id"], handed["record"]["stop"]["bound_by"]) == (
        CLOSE_BY.id,
        "code",
    )
    assert after["record"]["stop"]["bound_by"] == "ambiguous"


def test_a_label_that_the_route_does_not_have_leaves_a_hand_over_unassigned(device: Bench) -> None:
    """The parcel is not of this route, so the door's stop is not named either."""
    scan(device, "SOMETHING-ELSE")
    handed = device.hand_over()

    assert handed["record"]["stop"] == UNASSIGNED


def test_a_hand_over_settles_the_retake_that_was_asked_for(device: Bench) -> None:
    device.parts.camera.pictures = [BLURRED]
    device.press()
    device.hand_over(1.0)

    assert device.press(1.0)["record"]["retake_of"] is None


# Taking it back


def test_a_hand_over_can_be_taken_back_like_a_photo(device: Bench) -> None:
    handed = device.hand_over()["label"]
    device.hold_scan(1.0, held_s=2.2)
    device.hold_scan(1.0, held_s=2.2)

    assert [row.about for row in device.rows("void")] == [handed["capture_id"]]


@pytest.mark.parametrize("held_s", [1.0, 3.0])
def test_release_of_scan_after_a_hand_over_takes_nothing_back(device: Bench, held_s: float) -> None:
    """The photo before it stays too, although the button was down for over 2 s."""
    device.press()
    device.hand_over(1.0, scan_first_s=1.9)
    device.tick(held_s)

    assert device.rows("void") == []


# The sensor


def test_the_sensor_stops_and_rests_until_the_device_is_at_another_place(device: Bench) -> None:
    """The device goes from an open door to the next one, and back."""
    streaming = []

    def note() -> None:
        device.tick(1.1)
        streaming.append(device.parts.camera.streaming)

    note()
    device.hand_over()
    note()
    device.parts.fix(lat_deg=CLOSE_BY.lat_deg, lon_deg=CLOSE_BY.lon_deg)
    note()
    for lat_deg, lon_deg in (away(HOME, 90.0, 150.0), NEXT, HOME):
        device.parts.fix(lat_deg=lat_deg, lon_deg=lon_deg)
        note()

    assert streaming == [True, False, False, False, True, True]


def test_the_sensor_rests_at_once_and_until_another_press(device: Bench) -> None:
    """A photo just before does not matter; a scan switches the camera on for its label only."""
    device.press()
    warm = device.parts.camera.streaming
    device.hand_over(1.0)
    rests = device.parts.camera.streaming
    scan(device, "C1")
    device.tick(1.1)
    after_scan = device.parts.camera.streaming
    device.press()
    device.tick(1.1)

    assert (warm, rests, after_scan) == (True, False, False)
    assert device.parts.camera.streaming


def test_sensor_rests_after_a_hand_over_at_an_unknown_place(
    tmp_path: Path,
) -> None:
    with round_of(tmp_path, ALLOWED, ELSEWHERE) as device:
        device.parts.now.pass_s(200.0)
        handed = device.hand_over()
        device.parts.fix()
        device.tick(1.1)
        rests = device.parts.camera.streaming
        device.press()
        device.tick(1.1)

        assert handed["record"]["stop"] == UNASSIGNED
        assert (rests, device.parts.camera.streaming) == (False, True)


# Without a route, for practice, and with a fault


def test_hand_over_is_unassigned_without_a_route(tmp_path: Path) -> None:
    with round_of(tmp_path) as device:
        reply = device.hand_over()

    assert (reason(reply), reply["record"]["stop"]) == ("handed_over", UNASSIGNED)
    assert reply["record"]["manifest"] == "none"


def test_a_hand_over_in_bench_mode_is_a_test(tmp_path: Path) -> None:
    with bench(tmp_path, device={"bench_mode": True}) as device:
        reply = device.hand_over()
        kept = device.open(reply["label"]["capture_id"])

        assert (kept.label.kind, reason(reply)) == (RecordKind.TEST, "handed_over")
        assert device.parts.light.shown[-1] is Signal.HANDED_OVER


def test_a_hand_over_with_a_practice_label_is_a_test(tmp_path: Path) -> None:
    with fleet_device(tmp_path) as device:
        offer(device, payload_of(ALLOWED) | {"practice_codes": ["P"]})
        device.tick()
        scan(device, "P")
        reply = device.hand_over()

    assert (reply["label"]["kind"], reason(reply)) == (RecordKind.TEST, "handed_over")
    assert reply["record"]["stop"] == UNASSIGNED


def test_faults_of_battery_and_storage_keep_their_reasons(tmp_path: Path) -> None:
    """The light is red, nothing can be taken back, and the sensor rests all the same."""
    with round_of(tmp_path, ALLOWED) as device:
        device.parts.power.reading = PowerReading(4, external=False, under_voltage=False)
        for _ in range(EMPTY_READINGS):
            device.tick(1.0)
        empty = device.hand_over()
        light = device.parts.light.shown[-1]
        rests = device.parts.camera.streaming
        device.hold_scan(1.0, held_s=2.2)
        voids = device.rows("void")
    with bench(tmp_path / "full", state={"reserve_mb": 1_000_000}) as device:
        full = device.hand_over()

    assert (reason(empty), reason(full)) == ("battery_empty", "storage_full")
    assert (light, rests, voids) == (Signal.FAULT, False, [])


def test_a_hand_over_that_is_safe_but_not_queued_can_be_taken_back(
    device: Bench, tmp_path: Path
) -> None:
    """Its light is red, and its row follows; the void's comes after it."""
    lock, away = device.layout.state_lock, tmp_path / "away.lock"
    lock.rename(away)
    lock.symlink_to(away)
    failed = device.hand_over()
    light = device.parts.light.shown[-1]
    away.rename(lock)
    device.hold_scan(1.0, held_s=2.2)

    (row,), (void,) = device.rows("no_photo"), device.rows("void")
    assert (failed["exit"], light) == (70, Signal.FAULT)
    assert void.about == row.capture_id
