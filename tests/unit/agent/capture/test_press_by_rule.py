"""A press with a manifest in force: what is photographed, what is refused, when the sensor runs."""

from dataclasses import replace
from pathlib import Path

from agent.models import RecordKind
from agent.rule.manifest import PhotoRule
from hardware.indicator import Signal
from tests.support.fleet import (
    ALLOWED,
    ELSEWHERE,
    FORBIDDEN,
    fleet_device,
    offer,
    reason,
    round_of,
    scan,
    stored,
)
from tests.support.roads import away, payload_of, stop_at


def test_photo_is_bound_to_the_only_stop_in_reach(tmp_path: Path) -> None:
    with round_of(tmp_path, ALLOWED, ELSEWHERE) as device:
        reply = device.press()

    assert reply["label"]["kind"] == "photo"
    assert reply["record"]["manifest"] == 7
    stop = reply["record"]["stop"]
    assert (stop["id"], stop["bound_by"], stop["ring"]) == (ALLOWED.id, "place", "inside")


def test_frame_is_not_exposed_at_a_forbidden_stop(tmp_path: Path) -> None:
    """The record has no coordinates and names no stop; the light is blue."""
    with round_of(tmp_path, replace(FORBIDDEN, done=True)) as device:
        reply = device.press()
        shown = device.parts.light.shown[-1]

    assert reason(reply) == "no_photo_stop"
    assert reply["record"]["stop"]["id"] is None
    assert "position" not in reply["record"]
    assert shown is Signal.NO_PHOTO
    assert device.parts.camera.frames_exposed == 0


def test_a_code_settles_what_place_refuses(tmp_path: Path) -> None:
    """Two doors in one building: the refusal opens the window, the label names the other door."""
    with round_of(tmp_path, FORBIDDEN, ALLOWED) as device:
        refused = device.press()
        device.parts.camera.label = "C1"
        device.tick(0.9)
        read = device.parts.light.shown[-1]
        reply = device.press()

    assert reason(refused) == "no_photo_stop"
    assert read is Signal.LABEL_READ
    assert (
        reply["record"]["stop"] | {"id": ALLOWED.id, "bound_by": "code"}
        == (reply["record"]["stop"])
    )


def test_no_label_is_asked_for_if_no_stop_in_reach_takes_photos(tmp_path: Path) -> None:
    """The device reads no labels after a press, also if a label of another place was scanned."""
    order = stop_at(away((FORBIDDEN.lat_deg, FORBIDDEN.lon_deg), 45, 1_112), 9)
    with round_of(tmp_path, FORBIDDEN, order) as device:
        by_place = device.press()
        device.tick(0.1)
        after_press = device.parts.light.shown[-1]
        frames = device.parts.camera.frames_exposed
        scan(device, "C9")
        by_label = device.press()
        after_label = device.parts.light.shown[-1]

    assert (reason(by_place), reason(by_label)) == ("no_photo_stop", "code_elsewhere")
    assert (after_press, after_label) == (Signal.NO_PHOTO, Signal.NO_PHOTO)
    assert frames == 0


def test_a_sticker_at_a_forbidden_door_opens_nothing_and_has_its_light(tmp_path: Path) -> None:
    """Printed by somebody with an order on the route, 1,112 m away; the parcel's own label helps.

    The label is read again while it hangs there, and a refused press drops it each time.
    """
    order = stop_at(away((FORBIDDEN.lat_deg, FORBIDDEN.lon_deg), 45, 1_112), 9)
    with round_of(tmp_path, FORBIDDEN, order, ALLOWED) as device:
        scan(device, "C9")
        refused = device.press()
        shown = device.parts.light.shown[-1]
        dropped = device.press(5.0)
        device.parts.camera.label = "C1"
        device.tick(0.9)
        own = device.press()

    assert reason(refused) == "code_elsewhere"
    assert refused["record"]["stop"]["id"] == order.id
    assert refused["record"]["stop"]["ring"] == "outside"
    assert "position" not in refused["record"]
    assert shown is Signal.CODE_ELSEWHERE
    assert reason(dropped) == "no_photo_stop"
    assert own["label"]["kind"] == RecordKind.PHOTO


def test_label_opens_a_forbidden_door_for_one_photo(tmp_path: Path) -> None:
    """A second photo there needs the label again."""
    with round_of(tmp_path, FORBIDDEN, ALLOWED) as device:
        scan(device, "C1")
        device.parts.camera.label = ""
        replies = [device.press(), device.press()]

    assert replies[0]["label"]["kind"] == "photo"
    assert reason(replies[1]) == "no_photo_stop"


def test_a_route_that_was_handed_on_allows_nothing(tmp_path: Path) -> None:
    """The device no longer knows where a photo is forbidden."""
    with round_of(tmp_path) as device:
        assert reason(device.press()) == "manifest_missing"


# The sensor


def test_a_sensor_that_a_code_started_stops_with_the_press(tmp_path: Path) -> None:
    """Not at the next second's turn."""
    with round_of(tmp_path, ALLOWED, FORBIDDEN) as device:
        scan(device, "C1")
        read = device.parts.camera.streaming
        reply = device.press(-0.9)

        assert reply["label"]["kind"] == RecordKind.PHOTO
        assert (read, device.parts.camera.streaming) == (False, False)


# The manifest


def test_a_newer_manifest_is_taken_in_while_the_driver_is_on_the_road(tmp_path: Path) -> None:
    with round_of(tmp_path, ALLOWED) as device:
        forbidden = replace(ALLOWED, photo=PhotoRule.NO_PHOTO)
        offer(device, payload_of(forbidden) | {"version": 8})
        device.tick()

        assert reason(device.press()) == "no_photo_stop"


def test_a_fleet_that_switches_manifests_off_has_the_last_one_wiped(tmp_path: Path) -> None:
    with round_of(tmp_path, ALLOWED):
        pass
    with fleet_device(tmp_path, manifest="off") as device:
        kept = stored(device.layout)

        assert device.press()["record"]["manifest"] == "off"

    assert kept.token is None
