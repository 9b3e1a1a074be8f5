"""When the camera looks: windows, labels and the sensor, in the whole loop with a set time."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agent.capture.burst import LAMP_SETTLE_MS
from agent.capture.socket_presses import Reply
from agent.models import RecordKind
from agent.process import control
from agent.rule.manifest import PhotoRule, RouteStop
from agent.status import metrics
from agent.status.document import document, queue_part
from agent.status.values import DiskPart
from hardware.button import ButtonChange, ButtonEvent, ButtonName
from hardware.camera import Luma
from hardware.errors import CameraFailed, CameraStalled
from hardware.indicator import Signal
from hardware.simulated.label import Paper, draw_label
from hardware.simulated.scene_room import Image
from hardware.simulated.scenes import Exposure
from hardware.simulated.script import LabelKind
from tests.support.benchtop import Bench, Parts, Pictures, SetLamp, SetTime, picture
from tests.support.fleet import (
    ALLOWED,
    ELSEWHERE,
    FORBIDDEN,
    HOME,
    NEXT,
    NOON,
    SIGNED,
    fleet_device,
    offer,
    reason,
    round_of,
    scan,
    tap_scan,
)
from tests.support.roads import away, payload_of, stop_at

DAYLIGHT = Exposure(8_000, 1.0, 2_000.0)
FORBIDDEN_THERE = stop_at(NEXT, 5, PhotoRule.NO_PHOTO)


class Labels(Pictures):
    """A camera that sees several labels at once, side by side."""

    def __init__(self, now_ns: Callable[[], int], *labels: str) -> None:
        super().__init__(now_ns)
        self.labels = labels

    def look(self, deadline_s: float) -> Luma:
        super().look(deadline_s)
        return np.hstack([_held(text) for text in self.labels])


class PressedMeanwhile(Labels):
    """A camera that reads a label while somebody presses."""

    now: SetTime
    press: Callable[[int], None]

    def look(self, deadline_s: float) -> Luma:
        self.now.pass_s(0.02)
        self.press(self.now())
        self.now.pass_s(0.03)
        return super().look(deadline_s)


def _held(text: str) -> Luma:
    picture = np.full((720, 640), 200, np.uint8)
    draw_label(Paper(text, LabelKind.QR, DAYLIGHT), picture, 0)
    return picture


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Bench]:
    """A route to the door that it stands at, and to one 300 m away."""
    with round_of(tmp_path, ALLOWED, ELSEWHERE) as opened:
        yield opened


def bound(device: Bench) -> tuple[str | None, str]:
    """The stop to which the next press is bound, and the reason."""
    return by(device.press())


def close_window(device: Bench) -> None:
    device.tick(10.0)
    device.tick(1.1)


# Labels


def test_label_speaks_for_no_press_once_one_came_while_it_was_read(tmp_path: Path) -> None:
    """The label is not believed for that press, and the driver who meant that press continues."""
    parts = Parts()
    parts.camera = camera = PressedMeanwhile(parts.now, "C4")
    camera.now = parts.now
    with round_of(tmp_path, ALLOWED, ELSEWHERE, parts=parts) as device:

        def press(edge_ns: int) -> None:
            device.loop.on_event(ButtonEvent(ButtonName.PHOTO, ButtonChange.PRESSED, edge_ns))

        camera.press = press
        scan(device, "")
        device.step()

        stop = device.replies[-1]["record"]["stop"]
        assert (stop["id"], stop["bound_by"]) == (ALLOWED.id, "place")
        assert Signal.LABEL_READ in device.parts.light.shown
        assert bound(device) == (ALLOWED.id, "place")


def test_two_parcels_in_one_picture_mean_none_until_one_is_left(tmp_path: Path) -> None:
    parts = Parts()
    parts.camera = camera = Labels(parts.now, "C1", "C4")
    with round_of(tmp_path, ALLOWED, ELSEWHERE, parts=parts) as device:
        tap_scan(device)
        for _ in range(3):
            device.tick(0.5)
        shown = parts.light.shown[-1]
        camera.labels = ("C4",)
        device.tick(0.1)

        assert shown is Signal.READING
        assert bound(device) == (ELSEWHERE.id, "code")


def test_an_unknown_label_is_refused_once_and_then_place_decides(device: Bench) -> None:
    scan(device, "SOMETHING-ELSE")
    close_window(device)
    device.parts.camera.label = ""
    refused = device.press()
    close_window(device)

    assert reason(refused) == "unknown_code"
    assert bound(device) == (ALLOWED.id, "place")


@pytest.mark.parametrize("code", ["../../etc/passwd", "'; DROP TABLE facts; --", "%s%n", "C1\x00"])
def test_a_hostile_label_is_an_unknown_one_and_is_kept_nowhere(
    tmp_path: Path, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in the record and not in the log; one that is not printable is not even seen."""
    caplog.set_level("DEBUG")
    with round_of(tmp_path, FORBIDDEN) as device:
        scan(device, code)
        close_window(device)
        device.parts.camera.label = ""
        reply = device.press()
        kept = device.open(reply["label"]["capture_id"])

        assert reason(reply) in {"unknown_code", "no_photo_stop"}
        assert code not in str(kept.record)
        assert code not in caplog.text


# The window


def test_a_press_in_the_window_is_served_by_what_was_seen_so_far(device: Bench) -> None:
    scan(device, "SOMETHING-ELSE")
    reply = device.press(-0.9)

    assert reason(reply) == "unknown_code"


def test_the_scan_button_pressed_again_begins_another_window(tmp_path: Path) -> None:
    with round_of(tmp_path, FORBIDDEN) as device:
        tap_scan(device)
        device.tick(8.0)
        tap_scan(device)
        device.tick(8.0)
        device.parts.camera.label = "C2"
        device.tick(0.1)
        shown = device.parts.light.shown[-1]

        assert shown is Signal.LABEL_READ


def test_a_window_that_is_opened_again_forgets_what_the_first_one_saw(device: Bench) -> None:
    scan(device, "SOMETHING-ELSE")
    device.parts.camera.label = ""
    tap_scan(device)
    close_window(device)

    assert bound(device) == (ALLOWED.id, "place")


def test_a_known_code_in_the_same_window_is_better_than_an_unknown_one(device: Bench) -> None:
    scan(device, "SOMETHING-ELSE")
    device.parts.camera.label = "C4"
    device.tick(0.1)

    assert bound(device) == (ELSEWHERE.id, "code")


def test_a_window_without_a_label_leaves_the_code_before_it(device: Bench) -> None:
    scan(device, "C4")
    device.parts.camera.label = ""
    tap_scan(device)
    close_window(device)

    assert bound(device) == (ELSEWHERE.id, "code")


def test_lamp_lights_the_label_in_the_dark_until_the_window_closes(tmp_path: Path) -> None:
    """At 0.02 lux: at 0.1 lux the simulated sensor still sees a label that is held up."""
    parts = Parts()
    parts.camera.light = 0.01
    with round_of(tmp_path, ALLOWED, ELSEWHERE, parts=parts) as device:
        scan(device, "C4")
        assert parts.lamp is not None
        lit_first = parts.lamp.lit
        device.tick(0.1)
        lit_after = parts.lamp.lit

        assert (lit_first, lit_after) == (True, False)
        assert bound(device) == (ELSEWHERE.id, "code")


def test_a_press_within_a_lit_window_is_exposed_after_the_lamp_is_out(tmp_path: Path) -> None:
    """Otherwise a frame that shows the lamp counts as bright, and the photo would be black."""
    parts = Parts()
    parts.camera.light = 0.02
    with round_of(tmp_path, ALLOWED, parts=parts) as device:
        scan(device, "")
        device.press()
        within_s = (parts.camera.taken[0].exposure_began_ns - parts.now()) / 1e9
        parts.camera.taken.clear()
        device.press(5.0)
        later_s = (parts.camera.taken[0].exposure_began_ns - parts.now()) / 1e9

    assert within_s > LAMP_SETTLE_MS / 1000 > later_s


def test_labels_are_read_unlit_by_day_and_without_a_lamp(tmp_path: Path) -> None:
    for number, (light, lamp) in enumerate(((1.0, SetLamp()), (0.02, None))):
        parts = Parts(lamp=lamp)
        parts.camera.light = light
        with round_of(tmp_path / str(number), ALLOWED, parts=parts) as device:
            scan(device, "C1")
            shown = device.parts.light.shown[-1]

            assert (shown is Signal.LABEL_READ) == (light == 1.0)
            assert lamp is None or lamp.times_lit == 0


def test_a_window_ends_in_blue_that_blinks_and_not_in_a_fault(tmp_path: Path) -> None:
    with round_of(tmp_path, SIGNED) as device:
        device.press()
        for _ in range(12):
            device.tick(1.0)
        shown = device.parts.light.shown

    assert Signal.READING in shown
    assert Signal.FAULT not in shown
    assert shown[-1] is Signal.READY


@pytest.mark.parametrize(
    ("scanning", "stops"), [(False, [FORBIDDEN]), (True, [])], ids=["off", "no route"]
)
def test_neither_button_opens_a_window_if_labels_are_not_read(
    tmp_path: Path, *, scanning: bool, stops: list[object]
) -> None:
    with fleet_device(tmp_path, scanning=scanning) as device:
        if stops:
            offer(device, payload_of(FORBIDDEN))
            device.tick()
        tap_scan(device)
        device.tick(0.1)
        device.press()
        device.tick(0.1)

        assert device.parts.camera.starts == 0
        assert device.parts.camera.looks == 0


# Camera faults


@pytest.mark.parametrize("error", [CameraStalled("no frame"), CameraFailed("not found")])
def test_camera_fault_in_a_window_is_reported_once_and_ends_the_process(
    tmp_path: Path, error: CameraStalled, caplog: pytest.LogCaptureFixture
) -> None:
    with round_of(tmp_path, FORBIDDEN) as device:
        tap_scan(device)
        device.parts.camera.error = error
        for _ in range(3):
            device.tick(1.0)
        device.tick(2.0)
        faults = device.parts.light.shown.count(Signal.FAULT)
        code = device.run()

    assert (faults, code) == (1, 70)
    assert caplog.text.count("event=camera_fault") == 1


class NoStart(Pictures):
    """A camera that does not start any more after a signal."""

    broken = False

    def start(self) -> None:
        if self.broken:
            self.streaming = False
            raise CameraFailed("the sensor does not start")
        super().start()


def test_camera_that_does_not_start_at_an_open_stop_is_reported_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    parts = Parts()
    camera = parts.camera = NoStart(parts.now)
    with round_of(tmp_path, ELSEWHERE, parts=parts) as device:
        camera.broken = True
        parts.fix(lat_deg=NEXT[0], lon_deg=NEXT[1])
        for _ in range(3):
            device.tick(1.0)
        device.tick(2.0)
        faults = parts.light.shown.count(Signal.FAULT)
        code = device.run()

    assert (faults, code) == (1, 70)
    assert caplog.text.count("event=camera_fault") == 1


# For which press a label speaks


@pytest.fixture
def terrace(tmp_path: Path) -> Iterator[Bench]:
    """A route to two of the terraced houses, standing at the first one's door."""
    with round_of(tmp_path, ALLOWED, NEIGHBOUR) as opened:
        yield opened


NEIGHBOUR = stop_at(away(HOME, 90.0, 6.0), 6)
BLURRED = picture(motion_px=30.0)
SHARP = picture()


def at_the_neighbours(device: Bench, after_s: float = 0.0) -> Reply:
    """Press at the next of the terraced houses, with no label up."""
    device.parts.camera.label = ""
    device.parts.now.pass_s(after_s)
    device.parts.fix(lat_deg=NEIGHBOUR.lat_deg, lon_deg=NEIGHBOUR.lon_deg)
    return device.press()


def by(reply: Reply) -> tuple[str | None, str]:
    """Return the stop that a photo was bound to, and by what."""
    stop = reply["record"]["stop"]
    return stop["id"], stop["bound_by"]


def test_label_binds_the_retake_and_nothing_after_it(terrace: Bench) -> None:
    """Also if the retake is blurred too."""
    scan(terrace, "C1")
    terrace.parts.camera.pictures = [BLURRED]
    first, again = terrace.press(), terrace.press(18.9)  # and a second

    assert first["retake"]
    assert by(again) == (ALLOWED.id, "code")
    assert again["record"]["retake_of"] == first["label"]["capture_id"]
    assert by(at_the_neighbours(terrace)) == (NEIGHBOUR.id, "ambiguous")


@pytest.mark.parametrize("taken", [SHARP, BLURRED], ids=["sharp", "to be retaken"])
def test_label_is_forgotten_when_its_photo_is_taken_back(terrace: Bench, taken: Image) -> None:
    scan(terrace, "C1")
    terrace.parts.camera.pictures = [taken]
    terrace.press()
    terrace.hold_scan()

    assert len(terrace.rows(RecordKind.VOID)) == 1
    assert by(at_the_neighbours(terrace)) == (NEIGHBOUR.id, "ambiguous")


def test_label_is_forgotten_by_a_hold_that_takes_nothing_back(device: Bench) -> None:
    """The parcel was handed over in person: the driver cancels its label before the next door."""
    scan(device, "C4")
    device.hold_scan()

    assert bound(device) == (ALLOWED.id, "place")


def test_label_of_a_retake_is_forgotten_by_a_restart(tmp_path: Path) -> None:
    """As is the photo that was asked for again."""
    with round_of(tmp_path, ALLOWED, NEIGHBOUR) as device:
        scan(device, "C1")
        device.parts.camera.pictures = [BLURRED]
        asked = device.press()
        now = device.parts.now
    with fleet_device(tmp_path, Parts(now=now)) as device:
        reply = at_the_neighbours(device)

        assert asked["retake"]
        assert by(reply) == (NEIGHBOUR.id, "ambiguous")
        assert reply["record"]["retake_of"] is None


def test_practice_label_makes_a_test_of_the_retake_too(device: Bench) -> None:
    """Otherwise a practised photo would be filed under the order of the nearest door."""
    scan(device, "PRACTICE-1")
    device.parts.camera.pictures = [BLURRED]
    kinds = [device.press()["label"]["kind"] for _ in range(3)]

    assert kinds == [RecordKind.TEST, RecordKind.TEST, RecordKind.PHOTO]


def test_label_is_ended_by_a_photo_that_place_bound(tmp_path: Path) -> None:
    """The label was read for that press: it does not wait for the one after."""
    with round_of(tmp_path, ALLOWED, FORBIDDEN_THERE) as device:
        scan(device, "C5")
        device.parts.camera.label = ""
        device.parts.now.pass_s(60.0)
        device.parts.fix()
        photo = bound(device)
        device.parts.fix(lat_deg=NEXT[0], lon_deg=NEXT[1])
        refused = device.press()

        assert photo == (ALLOWED.id, "place")
        assert refused["record"]["stop"]["id"] is None


def test_retake_opens_no_door_that_the_label_opens_no_longer(tmp_path: Path) -> None:
    """A minute after it was read, though it binds a retake."""
    next_door = away(HOME, 90.0, 90.0)
    with round_of(tmp_path, ALLOWED, stop_at(next_door, 5, PhotoRule.NO_PHOTO)) as device:
        scan(device, "C1")
        device.parts.camera.label = ""
        device.parts.camera.pictures = [BLURRED]
        device.parts.now.pass_s(50.0)
        device.parts.fix()
        own = device.press()
        device.parts.now.pass_s(12.0)
        device.parts.fix(lat_deg=next_door[0], lon_deg=next_door[1])
        frames = device.parts.camera.frames_exposed

        assert own["retake"]
        assert by(own) == (ALLOWED.id, "code")
        assert reason(device.press()) == "no_photo_stop"
        assert device.parts.camera.frames_exposed == frames


# The sensor


def told(device: Bench, caplog: pytest.LogCaptureFixture) -> tuple[list[str], object, bytes]:
    """Return all that the device tells without a press: log, status document and metrics."""
    with control.serve(device.layout.capture_socket, lambda *_: device.loop.status()):
        found = document(device.config, queue_part(device.outbox), now=NOON)
    made = replace(found, disk=DiskPart(None, 0))  # that is of the machine that runs the test
    numbers = metrics.exposition([("dev-1", metrics.samples(made))], metrics.HELP)
    return caplog.messages, made, numbers


def test_sensor_tells_nobody_that_a_driver_comes_to_a_door_and_lifts_the_device(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each press is a record; where a driver goes without a press is in no log and no figure."""
    road = away(HOME, 0.0, 500.0)
    with (
        caplog.at_level("DEBUG"),
        round_of(tmp_path, ALLOWED, ELSEWHERE, stop_at(road, 5, PhotoRule.NO_PHOTO)) as device,
    ):
        streamed, seen = [], []
        for place in (away(HOME, 180.0, 500.0), HOME, road, NEXT, away(HOME, 180.0, 500.0)):
            for is_lifted in (False, True):
                caplog.clear()
                device.parts.motion.is_lifted = is_lifted
                for _ in range(2):
                    device.parts.fix(lat_deg=place[0], lon_deg=place[1])
                    device.tick()
                streamed.append(device.parts.camera.streaming)
                seen.append(told(device, caplog))

    assert [one for one, is_on in enumerate(streamed) if is_on] == [3, 7]
    assert seen[0][0] == []
    assert seen == [seen[0]] * 10


@pytest.mark.parametrize(("lifted", "streams"), [(True, True), (None, True), (False, False)])
def test_sensor_is_off_while_the_device_is_certainly_at_rest(
    device: Bench, *, lifted: bool | None, streams: bool
) -> None:
    """Without a motion sensor, and with a silent one, a device is not certainly at rest."""
    device.parts.motion.is_lifted = lifted
    device.tick()

    assert device.parts.camera.streaming is streams


@pytest.mark.parametrize(("stop", "streams"), [(ALLOWED, True), (FORBIDDEN, False)])
def test_lift_starts_the_sensor_at_once_only_where_it_may_run(
    tmp_path: Path, stop: RouteStop, *, streams: bool
) -> None:
    """The loop does not wait for its next turn, and a lift that is reported twice is one."""
    parts = Parts()
    parts.motion.is_lifted = False
    with round_of(tmp_path, stop, parts=parts) as device:
        device.tick()
        for _ in range(2):
            device.parts.motion.lift()
            device.step()

        assert device.parts.camera.streaming is streams
        assert device.parts.camera.starts == streams


def test_sensor_runs_for_a_press_and_a_window_of_a_device_at_rest(device: Bench) -> None:
    """A wrong motion sensor makes a press wait, and costs no photo and no label."""
    device.parts.motion.is_lifted = False
    reply = device.press()
    after_press = device.parts.camera.streaming
    scan(device, "")
    in_window = device.parts.camera.streaming
    close_window(device)

    assert reply["label"]["kind"] == RecordKind.PHOTO
    assert (after_press, in_window, device.parts.camera.streaming) == (False, True, False)


def test_nothing_but_a_window_opens_the_eye_where_nobody_knows_the_place(tmp_path: Path) -> None:
    with round_of(tmp_path, FORBIDDEN_THERE, ALLOWED) as device:
        device.parts.position.fix = None
        for _ in range(3):
            device.tick()
        closed = device.parts.camera.starts
        scan(device, "")

        assert closed == 0
        assert device.parts.camera.streaming
        assert reason(device.press()) == "no_position"


@pytest.mark.parametrize(
    ("stop", "why", "reads"),
    [(SIGNED, "signature_stop", True), (FORBIDDEN, "no_photo_stop", False)],
)
def test_no_sensor_runs_at_a_door_without_photos(
    tmp_path: Path, stop: RouteStop, why: str, *, reads: bool
) -> None:
    """Only to read a label, if a label could settle it."""
    with round_of(tmp_path, stop) as device:
        assert reason(device.press()) == why
        device.tick(0.1)
        within = device.parts.camera.streaming
        device.parts.light.shown.clear()
        close_window(device)
        for _ in range(5):
            device.tick()

        assert within is reads
        assert not device.parts.camera.streaming
        assert device.parts.camera.frames_exposed == 0
