"""A press makes one durable record: its content, the driver's lights, and their order."""

import hashlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import piexif  # noqa: TID251 - another reader of what is written
import pytest

from agent.capture.battery import EMPTY_READINGS
from agent.capture.record_json import FRESH_S
from agent.models import RecordKind, rfc3339
from agent.queue.disk import BALLAST_BYTES
from hardware.clock import BUILT
from hardware.errors import CameraFailed, CameraStalled, DeviceError
from hardware.indicator import Signal
from hardware.power import PowerReading
from hardware.simulated.scene_room import Image
from tests.support.benchtop import Bench, Parts, StallsAtTheThird, bench, picture
from tests.support.factory import fill, small_disk

PLACE: Final = r"(?<!:)52\.5|(?<!:)13\.40"
"""The coordinates of a fix, and not the seconds of a time."""

BLURRED = picture(motion_px=22.0)
COVERED = picture(cover=1.0)
DARK = picture(light=0.002)
EMPTY = PowerReading(4, external=False, under_voltage=None)


def test_a_press_leaves_one_photo_whose_record_label_and_exif_agree(device: Bench) -> None:
    reply = device.press()

    (row,) = device.rows("photo")
    opened = device.open(row.capture_id)

    assert opened.record == reply["record"]
    assert opened.label.payload() == reply["label"]
    assert opened.photo is not None
    assert hashlib.sha256(opened.photo).hexdigest() == opened.record["photo"]["sha256"]
    assert len(opened.photo) == opened.record["photo"]["bytes"]
    assert row.capture_id.replace("-", "").encode() in opened.photo


def test_white_comes_at_the_first_edge_and_stays_until_the_last_frame(device: Bench) -> None:
    light, camera = device.parts.light, device.parts.camera
    frames_at: list[tuple[Signal, int]] = []
    light.on_show = lambda signal: frames_at.append((signal, len(camera.taken)))

    edge_ns = device.touch()
    touched = list(frames_at)
    device.pressed(edge_ns)

    assert touched == [(Signal.HOLD_STILL, 0)]
    assert frames_at[1:4] == [(Signal.HOLD_STILL, 0), (Signal.EXPOSED, 3), (Signal.SAVED, 3)]
    assert all(frame.exposure_began_ns > edge_ns for frame in camera.taken)


def test_white_returns_for_a_press_that_came_while_the_one_before_was_served(device: Bench) -> None:
    light = device.parts.light
    first_ns = device.touch()
    second_ns = device.touch()

    device.pressed(first_ns)
    shown = len(light.shown)
    device.pressed(second_ns)

    assert light.shown[shown] is Signal.HOLD_STILL
    assert len(device.replies) == 2


@pytest.mark.parametrize(
    ("pixels", "expected"), [(picture(), Signal.SAVED), (BLURRED, Signal.ONCE_MORE)]
)
def test_green_and_amber_come_only_when_file_and_row_are_there(
    device: Bench, pixels: Image, expected: Signal
) -> None:
    device.parts.camera.pictures = [pixels]
    kept: list[tuple[int, int]] = []

    def look(signal: Signal) -> None:
        if signal is expected:
            rows = device.rows("photo")
            kept.append((len(rows), len(device.open(rows[0].capture_id).photo or b"")))

    device.parts.light.on_show = look
    reply = device.press()

    assert kept == [(1, reply["record"]["photo"]["bytes"])]


@pytest.mark.parametrize(
    ("light", "converged", "expected"),
    [
        (0.02, False, Signal.ONCE_MORE),
        (0.02, True, Signal.SAVED),
        (0.02, None, Signal.SAVED),
        (1.0, False, Signal.SAVED),
    ],
)
def test_bad_photo_of_an_exposure_that_had_not_settled_is_asked_for_again(
    device: Bench, light: float, converged: bool | None, expected: Signal
) -> None:
    """By the second press it has; a settled one would be as dark again."""
    camera = device.parts.camera
    camera.pictures, camera.converged = [picture(light) // (1 if light == 1.0 else 4)], converged

    device.press()

    assert device.parts.light.shown[-1] is expected


def test_the_lamp_is_lit_in_the_dark_and_the_record_says_so(device: Bench) -> None:
    device.parts.camera.unlit_lux = 0.1
    in_the_dark = device.press()["record"]["photo"]
    device.parts.camera.unlit_lux = 2_000.0
    by_day = device.press()["record"]["photo"]

    assert (in_the_dark["lamp"], by_day["lamp"]) == (True, False)
    lamp = device.parts.lamp
    assert lamp is not None
    assert (lamp.times_lit, lamp.lit) == (1, False)


# Place


def test_record_and_exif_have_no_coordinates_without_a_fresh_fix(device: Bench) -> None:
    device.parts.fix(age_s=FRESH_S)  # the press comes a second later
    stale = device.press()
    device.parts.position.fix = None
    none = device.press()

    photos = [device.open(one["label"]["capture_id"]).photo for one in (stale, none)]

    for reply, photo in zip((stale, none), photos, strict=True):
        assert reply["record"]["position"] is None
        assert photo is not None
        assert b"WGS-84" not in photo


@pytest.mark.parametrize(
    "utc", [datetime(2007, 4, 8, tzinfo=UTC), BUILT.replace(year=BUILT.year + 20)]
)
def test_a_receivers_time_that_the_clock_refuses_is_not_kept(device: Bench, utc: datetime) -> None:
    """The place is still true: a week rollover changes the date alone."""
    device.parts.fix(utc=utc)
    refused = device.press()
    device.parts.fix(utc=BUILT)
    believed = device.press()

    photos = [device.open(one["label"]["capture_id"]).photo for one in (refused, believed)]

    gps = [piexif.load(photo)["GPS"] for photo in photos]
    assert refused["record"]["position"]["utc"] is None
    assert refused["record"]["position"]["lat_deg"] == 52.5200066
    assert not {piexif.GPSIFD.GPSDateStamp, piexif.GPSIFD.GPSTimeStamp} & gps[0].keys()
    assert piexif.GPSIFD.GPSLatitude in gps[0]
    assert believed["record"]["position"]["utc"] == rfc3339(BUILT)
    assert gps[1][piexif.GPSIFD.GPSDateStamp] == f"{BUILT:%Y:%m:%d}".encode()


def test_a_record_without_photo_has_no_coordinates_although_there_is_a_fix(device: Bench) -> None:
    device.parts.fix()
    device.parts.camera.error = CameraFailed("the sensor reports an error")

    reply = device.press()

    body = device.layout.record(reply["label"]["capture_id"]).read_bytes()

    assert "position" not in reply["record"]
    assert not re.search(PLACE.encode(), body)
    assert b"lat_deg" not in body


# Quality and retakes


@pytest.mark.parametrize("pixels", [BLURRED, COVERED], ids=["blurred", "covered"])
def test_blur_and_a_covered_lens_ask_for_one_retake(device: Bench, pixels: Image) -> None:
    device.parts.camera.pictures = [pixels]
    first, again, third = device.press(), device.press(), device.press()

    assert len(device.rows("photo")) == 3
    assert first["retake"]
    assert first["record"]["retake_of"] is None
    assert again["record"]["retake_of"] == first["label"]["capture_id"]
    assert not again["retake"], "a retake of a retake is not asked for"
    assert third["record"]["retake_of"] is None
    assert third["retake"]


@pytest.mark.parametrize("pixels", [DARK, picture()], ids=["dark", "ok"])
def test_retake_is_not_asked_for_what_a_second_cannot_fix(tmp_path: Path, pixels: Image) -> None:
    with bench(tmp_path, Parts(lamp=None)) as device:
        device.parts.camera.pictures = [pixels]
        reply = device.press()

    assert not reply["retake"]
    assert Signal.SAVED in device.parts.light.shown


@pytest.mark.parametrize(("after_s", "is_retake"), [(18.9, True), (19.1, False)])
def test_a_retake_counts_as_one_for_20_seconds(
    device: Bench, after_s: float, *, is_retake: bool
) -> None:
    device.parts.camera.pictures = [BLURRED]
    first = device.press()

    second = device.press(after_s)  # and a second

    assert second["record"]["retake_of"] == (first["label"]["capture_id"] if is_retake else None)
    assert second["retake"] is not is_retake


def test_a_photo_that_was_taken_back_is_not_retaken(device: Bench) -> None:
    device.parts.camera.pictures = [BLURRED]
    device.press()
    device.hold_scan()

    assert device.press()["record"]["retake_of"] is None


def test_a_press_without_photo_settles_the_retake_that_was_asked_for(device: Bench) -> None:
    """The driver went on to something else: what comes next is no second try."""
    device.parts.camera.pictures = [BLURRED]
    asked = device.press()
    charged = device.parts.power.reading
    device.parts.power.error = DeviceError("somebody is logged in")
    use_up(device)
    refused = device.press()
    device.parts.power.reading = charged
    device.tick()
    after = device.press()

    assert asked["retake"]
    assert refused["label"]["kind"] == RecordKind.NO_PHOTO
    assert after["record"]["retake_of"] is None


# Faults


@pytest.mark.parametrize(
    "error", [CameraStalled("no frame in time"), CameraFailed("the sensor reports an error")]
)
def test_a_camera_fault_leaves_a_record_and_ends_with_70(device: Bench, error: DeviceError) -> None:
    device.parts.camera.error = error
    reply = device.press()
    device.tick(3.1)
    code = device.run()

    assert reply["record"]["reason"] == "camera_fault"
    assert reply["label"]["kind"] == RecordKind.NO_PHOTO
    assert device.parts.light.shown[-1] is Signal.FAULT
    assert code == 70


def test_a_stall_at_the_last_frame_leaves_the_photo_and_the_process_ends_with_70(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    parts = Parts()
    parts.camera = StallsAtTheThird(parts.now)
    with bench(tmp_path, parts) as device:
        reply = device.press()
        shown = device.parts.light.shown[-1]
        device.tick(3.1)
        code = device.run()

    assert reply["label"]["kind"] == RecordKind.PHOTO
    assert shown is Signal.SAVED
    assert code == 70
    assert caplog.text.count("event=camera_fault") == 1


@pytest.mark.parametrize(
    ("lost", "replace"),
    [("records", Path.touch), ("state_lock", lambda path: path.symlink_to(path))],
    ids=["file", "row"],
)
def test_a_camera_fault_ends_the_process_also_if_its_record_cannot_be_kept(
    device: Bench, tmp_path: Path, lost: str, replace: Callable[[Path], None]
) -> None:
    path: Path = getattr(device.layout, lost)
    path.rename(tmp_path / "away")
    replace(path)
    device.parts.camera.error = CameraStalled("no frame in time")
    reply = device.press()
    device.tick(3.1)

    assert reply["exit"] == 70
    assert device.run() == 70


def test_red_is_seen_before_the_process_ends_and_its_light_goes_out(device: Bench) -> None:
    device.parts.camera.error = CameraStalled("no frame in time")
    device.press()
    device.tick(2.9)

    with pytest.raises(AssertionError, match="did not end"):
        device.run(patience_s=0.1)


def test_below_the_reserve_a_press_leaves_its_record_and_no_photo(tmp_path: Path) -> None:
    with bench(tmp_path, state={"reserve_mb": 1_000_000}) as device:
        reply = device.press()

    assert reply["record"]["reason"] == "storage_full"
    assert device.parts.light.shown[-1] is Signal.FAULT
    assert device.parts.camera.taken == []


@pytest.mark.slow
@pytest.mark.parametrize("block_bytes", [1024, 4096])
def test_press_uses_up_the_ballast_on_a_full_card(tmp_path: Path, block_bytes: int) -> None:
    """Also by a process that is started on it; with room again the ballast is made again."""
    with small_disk(tmp_path, block_bytes=block_bytes) as card:
        where = {"dir": str(card / "state"), "reserve_mb": 1}
        with bench(tmp_path / "device", state=where) as device:
            device.press()
            device.tick()
            filler = fill(card)
            replies = [device.press() for _ in range(3)]
            shown = device.parts.light.shown[-1]
        with bench(tmp_path / "device", state=where) as device:
            replies.append(device.press())
            spent_bytes = device.layout.ballast.stat().st_size
            filler.unlink()
            device.tick()
            after = device.press()
            ballast_bytes = device.layout.ballast.stat().st_size
            rows = device.rows()

    assert [reply["record"]["reason"] for reply in replies] == ["storage_full"] * 4
    assert shown is Signal.FAULT
    assert (spent_bytes, ballast_bytes) == (0, BALLAST_BYTES)
    assert after["label"]["kind"] == "photo"
    assert [row.seq for row in rows] == list(range(1, 8))


def test_a_card_that_can_be_written_again_makes_it_ready(device: Bench, tmp_path: Path) -> None:
    device.layout.records.rename(tmp_path / "away")
    reply = device.press()
    device.tick(31.0)
    not_ready = device.parts.light.shown[-1]
    (tmp_path / "away").rename(device.layout.records)
    device.tick()

    assert reply["exit"] == 70
    assert not_ready is Signal.NOT_READY
    assert device.parts.light.shown[-1] is Signal.READY


def use_up(device: Bench) -> None:
    """Let the gauge show an empty battery until it is believed."""
    device.parts.power.reading = EMPTY
    for _ in range(EMPTY_READINGS):
        device.tick(1.0)


def test_reading_of_an_empty_battery_alone_refuses_no_press(device: Bench) -> None:
    """A disturbed gauge shows 0 once, and the evidence of a delivery is worth more."""
    device.tick()
    device.parts.power.reading = EMPTY
    reply = device.press()

    assert reply["label"]["kind"] == RecordKind.PHOTO
    assert reply["record"]["power"]["battery_pct"] == 4


def test_press_leaves_a_record_with_an_empty_battery_and_powers_off(device: Bench) -> None:
    device.tick()
    use_up(device)
    reply = device.press()
    device.tick(4.0)
    code = device.run()

    assert reply["record"]["reason"] == "battery_empty"
    assert reply["record"]["power"]["battery_pct"] == 4
    assert device.parts.camera.taken == []
    assert device.parts.light.shown[-1] is Signal.FAULT
    assert device.parts.power.shut_downs == 1
    assert code == 0


def test_presses_windows_and_lifts_make_no_more_readings_of_the_battery(device: Bench) -> None:
    """The lamp of a window lowers the voltage for ten seconds, in which much may be pressed."""
    device.parts.power.reading = EMPTY
    for _ in range(20):
        device.parts.motion.lift()
        device.tick(0.5)

    assert device.press()["label"]["kind"] == RecordKind.PHOTO


def test_an_empty_battery_is_red_while_another_light_would_still_be_seen(device: Bench) -> None:
    device.parts.camera.pictures = [BLURRED]
    device.parts.power.reading = EMPTY
    for _ in range(EMPTY_READINGS - 2):
        device.tick(1.0)
    device.press()
    for _ in range(2):
        device.tick(1.0)

    assert device.parts.light.shown[-2:] == [Signal.ONCE_MORE, Signal.FAULT]


def test_a_device_that_may_not_power_off_asks_each_minute_and_stays_red(device: Bench) -> None:
    """Somebody was logged in, say; the long tone comes once, not with each time."""
    device.parts.power.error = DeviceError("somebody is logged in")
    device.parts.power.reading = EMPTY
    for _ in range(EMPTY_READINGS - 1):
        device.tick(1.0)
    asked = []
    for _ in range(125):
        device.tick(1.0)
        asked.append(device.parts.power.shut_downs)
    device.parts.power.error = None
    device.tick(60.0)
    device.tick(4.0)
    code = device.run()

    assert (asked[0], asked[58], asked[60], asked[-1]) == (1, 1, 2, 3)
    assert device.parts.light.shown == [Signal.BATTERY_LOW, Signal.FAULT]
    assert code == 0


def test_a_row_that_cannot_be_written_makes_no_second_record(device: Bench, tmp_path: Path) -> None:
    """The photo is safe: it is queued as soon as the queue takes it."""
    chain_start = device.rows()[0].capture_id
    device.layout.state_lock.rename(tmp_path / "away.lock")
    device.layout.state_lock.symlink_to(tmp_path / "away.lock")
    reply = device.press()
    files = {path.stem for path in device.layout.records.iterdir()} - {chain_start}
    (tmp_path / "away.lock").rename(device.layout.state_lock)
    device.tick()

    assert [row.capture_id for row in device.rows("photo")] == list(files)
    assert reply["exit"] == 70
    assert Signal.SAVED not in device.parts.light.shown
    assert len(files) == 1


def test_no_log_line_has_a_coordinate(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with bench(tmp_path) as device:
        device.parts.fix()
        device.press()
        device.parts.camera.error = CameraFailed("the sensor reports an error")
        device.press()

    assert caplog.records
    assert not re.search(PLACE, caplog.text)


# What a record says of the device


@pytest.mark.parametrize("simulated", [True, False])
def test_a_record_says_whether_a_part_was_simulated(tmp_path: Path, *, simulated: bool) -> None:
    with bench(tmp_path, Parts(simulated=simulated)) as device:
        assert device.press()["record"]["simulated"] is simulated


def test_a_label_tells_neither_place_nor_stop_nor_time_of_day_in_its_id(device: Bench) -> None:
    device.parts.fix()
    label = device.press()["label"]

    assert set(label) == {
        "v",
        "capture_id",
        "device_id",
        "chain",
        "seq",
        "prev",
        "boot_id",
        "kind",
        "about",
        "utc",
        "monotonic_ns",
        "clock",
        "body",
    }
    assert not re.search(PLACE, json.dumps(label))
