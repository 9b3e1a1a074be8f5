"""A technician has the device call, and look once; never where somebody may be at work with it."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agent.capture.technician import ROUTE_IN_HAND, kept_route, why_not_call, why_not_look
from agent.process import control
from agent.rule.manifest import Manifest
from agent.rule.policy import Absent
from hardware.button import ButtonChange, ButtonEvent, ButtonName
from hardware.errors import CameraStalled
from hardware.indicator import Signal
from hardware.patterns import LOCATE_S
from tests.support.benchtop import Bench, Parts, bench
from tests.support.fleet import ALLOWED, fleet_device, offer, round_of, stored
from tests.support.roads import payload_of

OWN = control.user_name(os.getuid())
LOCATE, LOOK = {"locate": True}, {"test_card": True}
BENCH_MODE = {"id": "van-7", "bench_mode": True}


def ask(device: Bench, request: Mapping[str, Any], user: str = OWN) -> dict[str, Any]:
    """The answer, while the loop takes its turns."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(device.loop.technician.answer, dict(request), user)
        while not asked.done():
            device.step()
        return asked.result()


def left(folder: Path) -> dict[Path, bytes]:
    """Every file that holds more than what changes by itself."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in files if path.suffix in {".rec", ".jpg", ".part"}}


# Whether it may


@pytest.mark.parametrize(
    ("route", "is_nobody_at_work", "may_look"),
    [
        (Absent.MISSING, False, True),
        (Absent.EXPIRED, False, True),
        (Absent.OFF, True, True),
        (Absent.OFF, False, False),
    ],
)
def test_the_camera_looks_where_no_press_could_be_photographed_or_nobody_presses(
    route: Absent, is_nobody_at_work: bool, may_look: bool
) -> None:
    why_not = why_not_look(route, is_nobody_at_work=is_nobody_at_work)

    assert (why_not is None) is may_look
    assert why_not_call(route) is None


@pytest.mark.parametrize("request_", [LOCATE, LOOK], ids=str)
def test_photo_is_not_asked_for_by_label_on_a_route(
    tmp_path: Path, request_: dict[str, Any]
) -> None:
    with round_of(tmp_path, ALLOWED) as device:
        shown = list(device.parts.light.shown)
        starts = device.parts.camera.starts
        answer = ask(device, request_)

        assert answer == {"error": ROUTE_IN_HAND, "exit": 75}
        assert device.parts.light.shown == shown
        assert device.parts.camera.starts == starts


def test_a_route_counts_though_nobody_is_at_work(tmp_path: Path) -> None:
    """A fleet with routes says when the work is over: not a button that was long not pressed."""
    with round_of(tmp_path, ALLOWED) as device:
        route = device.loop.documents.manifest.in_force()

    assert why_not_look(route, is_nobody_at_work=True) == ROUTE_IN_HAND
    assert why_not_call(route) == ROUTE_IN_HAND


def test_a_route_that_lies_there_counts_while_capture_is_stopped(tmp_path: Path) -> None:
    """Until it has ended; and the request changes nothing of it."""
    with fleet_device(tmp_path) as device:
        clock = device.parts.clock
        before = kept_route(device.config, clock)
        offer(device, payload_of(ALLOWED))
        kept = stored(device.layout)
        with_it = kept_route(device.config, clock)
        (device.layout.trust / "manifest.jws").write_text("e30.e30.e30")
        forged = kept_route(device.config, clock)

    assert before is Absent.MISSING
    assert kept.version == 7
    assert isinstance(with_it, Manifest)
    assert forged is Absent.MISSING


@pytest.mark.parametrize("request_", [LOCATE, LOOK], ids=str)
@pytest.mark.parametrize("user", ["doorstep-sync", "technician", "54321"])
def test_others_of_the_group_may_ask_for_nothing(
    tmp_path: Path, request_: dict[str, Any], user: str
) -> None:
    with bench(tmp_path, device=BENCH_MODE) as device:
        answer = ask(device, request_, user)

        assert answer["exit"] == 2
        assert Signal.LOCATE not in device.parts.light.shown
        assert device.parts.camera.starts == 0


@pytest.mark.parametrize("request_", [{"locate": 1.5}, {"locate": False}, {"test_card": "x"}])
def test_invalid_request_is_answered_with_the_reason(
    device: Bench, request_: dict[str, Any]
) -> None:
    assert ask(device, request_)["error"].startswith("unknown request")


def test_request_that_nobody_waits_for_is_not_done(device: Bench) -> None:
    """A loop that was busy for long must not begin to sound when the technician has gone."""
    answer = device.loop.technician.answer(LOCATE, OWN, timeout_s=0.001)
    device.parts.now.pass_s(0.1)
    device.step()

    assert answer["exit"] == 75
    assert Signal.LOCATE not in device.parts.light.shown


# To call


def test_call_lasts_its_time_and_then_the_idle_light_is_back(device: Bench) -> None:
    device.tick()
    answer = ask(device, LOCATE)
    device.tick(LOCATE_S - 0.5)
    before = device.parts.light.shown[-1]
    device.tick(1.0)

    assert answer == {"locating_s": LOCATE_S}
    assert before is Signal.LOCATE
    assert device.parts.light.shown[-1] is Signal.READY


def test_call_starts_again_when_it_is_asked_again(device: Bench) -> None:
    ask(device, LOCATE)
    device.tick(LOCATE_S - 1.0)
    ask(device, LOCATE)
    device.tick(LOCATE_S - 1.0)

    assert device.parts.light.shown[-1] is Signal.LOCATE


def test_the_scan_button_ends_it_at_once_and_leaves_no_record(device: Bench) -> None:
    ask(device, LOCATE)
    for change in (ButtonChange.TOUCHED, ButtonChange.PRESSED):
        device.loop.on_event(ButtonEvent(ButtonName.SCAN, change, device.parts.now()))
        device.step()

    assert device.parts.light.shown[-1] is Signal.READY
    assert [row.kind for row in device.rows()] == ["chain_start"]


def test_the_photo_button_ends_it_at_its_first_edge_and_is_served_as_ever(device: Bench) -> None:
    ask(device, LOCATE)
    edge_ns = device.touch()
    at_the_edge = device.parts.light.shown[-1]
    device.pressed(edge_ns)
    device.tick(1.5)

    assert at_the_edge is Signal.HOLD_STILL
    assert len(device.rows("photo")) == 1
    assert device.parts.light.shown[-1] is Signal.READY


def test_outcome_of_a_press_is_seen_first(device: Bench) -> None:
    device.press()
    soon = ask(device, LOCATE)
    device.tick(1.5)
    later = ask(device, LOCATE)

    assert soon["exit"] == 75
    assert later == {"locating_s": LOCATE_S}


# To look


def test_a_look_gives_figures_and_leaves_nothing(tmp_path: Path) -> None:
    """A frame in white light; no record, no file, and the sensor rests again at once."""
    with bench(tmp_path, device=BENCH_MODE) as device:
        device.tick()
        before = left(tmp_path)
        shown = len(device.parts.light.shown)
        figures = ask(device, LOOK)
        device.step()

        assert figures["verdict"] == "ok"
        assert figures["sharpness"] > 52
        assert figures["exposure_us"] == 8_000
        assert device.parts.light.shown[shown:] == [Signal.HOLD_STILL, Signal.BENCH]
        assert len(device.parts.camera.taken) == 1
        assert not device.parts.camera.streaming
        assert left(tmp_path) == before
        assert [row.kind for row in device.rows()] == ["chain_start"]
        assert all(not isinstance(one, (bytes, list)) for one in figures.values())


def test_scan_looks_only_ten_minutes_after_a_press_without_manifests(device: Bench) -> None:
    device.press()
    soon = ask(device, LOOK)
    taken = len(device.parts.camera.taken)
    device.tick(601.0)
    later = ask(device, LOOK)

    assert soon["exit"] == 75
    assert "somebody may be at work" in soon["error"]
    assert taken == 3
    assert later["verdict"] == "ok"


def test_a_scan_button_let_go_during_a_look_takes_nothing_back(tmp_path: Path) -> None:
    """The button was down for a second; the look lasted for three."""
    with bench(tmp_path, device=BENCH_MODE) as device:
        device.press()
        pressed_ns = device.parts.now()
        device.loop.on_event(ButtonEvent(ButtonName.SCAN, ButtonChange.PRESSED, pressed_ns))
        device.step()

        def let_go(_signal: Signal) -> None:
            device.parts.light.on_show = lambda _signal: None
            device.parts.now.pass_s(3.0)
            released_ns = pressed_ns + 1_000_000_000
            device.loop.on_event(ButtonEvent(ButtonName.SCAN, ButtonChange.RELEASED, released_ns))

        device.parts.light.on_show = let_go
        ask(device, LOOK)
        device.step()

        assert device.rows("void") == []


def test_failing_camera_is_reported_and_shown_and_ends_the_process(tmp_path: Path) -> None:
    parts = Parts()
    with bench(tmp_path, parts, device=BENCH_MODE) as device:
        parts.camera.error = CameraStalled("no frame before the deadline")
        answer = ask(device, LOOK)

        assert answer == {"error": "no frame before the deadline", "exit": 70}
        assert parts.light.shown[-1] is Signal.FAULT
        device.tick(4.0)
        assert device.run() == 70
