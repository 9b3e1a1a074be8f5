"""The sensor over whole rounds: a set time, a camera that counts its frames by it, a strict judge.

The judge has its own geometry (a sphere, with a margin for its error); only where the device could
be is the rule's own.
"""

import itertools
import random
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.capture.scan_window import WINDOW_S
from agent.models import RecordKind
from agent.rule import reach
from agent.rule.manifest import PhotoRule, RouteStop
from agent.rule.reach import Circle
from hardware.camera import Frame, Luma
from hardware.position import Fix
from tests.support.benchtop import FRAME_NS, Bench, Parts, Pictures, SetTime
from tests.support.fleet import HOME, NOON, fleet_device, offer, scan, tap_scan
from tests.support.roads import SPHERE_ERROR, apart_m, away, fix_at, offsets, payload_of, stop_at

START_S: Final = 0.5
"""From start to the first frame. As a simulated one takes."""

LATE_S: Final = 1.5
"""Longest time with frames after the device entered a forbidden circle, as the page says."""

LATEST_TICK_S: Final = 0.3
"""Longest delay of a turn, beyond its second, on a loaded device."""

LAST_LOOK_S: Final = 0.15
"""The last picture of a window, and the rest before it is asked again: LOOK_EVERY_S."""

DRIVE_MPS: Final = 8.0
WALK_MPS: Final = 1.2
APART_M: Final = 120.0
"""From stop to stop: a suburb's. All of the round is made up."""


# A round


@dataclass
class Sensor(Pictures):
    """A camera that notes when its sensor was on; taking and looking last as long as frames do."""

    now: SetTime
    stretches: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        Pictures.__init__(self, self.now)
        self.began_ns = 0

    def start(self) -> None:
        if not self.streaming:
            self.began_ns = self.now()
        super().start()

    def stop(self) -> None:
        if self.streaming:
            self.stretches.append((self.began_ns, self.now()))
        super().stop()

    def look(self, deadline_s: float) -> Luma:
        self._await_frame()
        return super().look(deadline_s)

    def take(
        self, after_ns: int, count: int, deadline_s: float, *, light_changed_ns: int | None = None
    ) -> Generator[Frame]:
        for frame in super().take(after_ns, count, deadline_s, light_changed_ns=light_changed_ns):
            self._await_frame()
            yield frame

    def frames_ns(self) -> Iterator[int]:
        """When each frame of the sensor ended, taken or not."""
        for began_ns, ended_ns in self.stretches:
            yield from range(began_ns + round(START_S * 1e9), ended_ns, FRAME_NS)

    def _await_frame(self) -> None:
        first_ns = self.began_ns + round(START_S * 1e9)
        self.now.ns = max(self.now.ns + FRAME_NS, first_ns)


@dataclass(frozen=True)
class Leg:
    """A way at one speed, or a stay."""

    here: tuple[float, float]
    there: tuple[float, float]
    seconds: float
    drives: bool = False


@dataclass(frozen=True)
class Visit:
    """A stop, and what is done there: pressed at once, or the label held up first."""

    stop: RouteStop
    scans: bool = False


class Walk:
    """A driver's place at any second, and the receiver's fix once a second."""

    def __init__(self, visits: list[Visit], began_ns: int) -> None:
        self.began_ns = began_ns
        self.legs: list[Leg] = []
        self.arrivals: list[tuple[float, Visit]] = []
        at_s, here = 0.0, away(HOME, 270.0, 400.0)
        for visit in visits:
            door = (visit.stop.lat_deg, visit.stop.lon_deg)
            kerb = away(door, 180.0, 25.0)
            for leg in (
                Leg(here, kerb, apart_m(here, kerb) / DRIVE_MPS, drives=True),
                Leg(kerb, kerb, 20.0),  # looks for the parcel
                Leg(kerb, door, 25.0 / WALK_MPS),
                Leg(door, door, 25.0),
                Leg(door, kerb, 25.0 / WALK_MPS),
            ):
                self.legs.append(leg)
                at_s += leg.seconds
            self.arrivals.append((at_s - 25.0 - 25.0 / WALK_MPS + 4.0, visit))
            here = kerb
        self.seconds = at_s

    def fix(self, at_ns: int) -> Fix:
        """The last one: of this second's beginning."""
        second = (at_ns - self.began_ns) // 1_000_000_000
        left_s = float(second)
        leg = self.legs[-1]
        for leg in self.legs:
            if left_s < leg.seconds:
                break
            left_s -= leg.seconds
        share = min(left_s / leg.seconds, 1.0)
        lat_deg, lon_deg = (
            start + share * (end - start) for start, end in zip(leg.here, leg.there, strict=True)
        )
        speed_mps = DRIVE_MPS if leg.drives else 0.6
        received_ns = self.began_ns + second * 1_000_000_000
        return replace(fix_at(lat_deg, lon_deg, speed_mps=speed_mps), received_ns=received_ns)


def visits() -> list[Visit]:
    """A street of an afternoon: what is allowed, forbidden, signed for, and two doors in one."""
    rules = [
        PhotoRule.ALLOWED,
        PhotoRule.NO_PHOTO,
        PhotoRule.ALLOWED,
        PhotoRule.SIGNATURE_REQUIRED,
        PhotoRule.ALLOWED,
        PhotoRule.ALLOWED,
        PhotoRule.NO_PHOTO,
        PhotoRule.ALLOWED,
    ]
    street = [
        Visit(stop_at(away(HOME, 90.0, APART_M * number), number, rule))
        for number, rule in enumerate(rules, start=1)
    ]
    building = away(HOME, 90.0, APART_M * (len(rules) + 1))
    forbidden = stop_at(building, 20, PhotoRule.NO_PHOTO)
    allowed = stop_at(away(building, 90.0, 8.0), 21)
    return [*street, Visit(forbidden), Visit(allowed, scans=True)]


@dataclass
class Driver:
    """Goes round with a device, and notes when a window was open and a press was served."""

    device: Bench
    walk: Walk
    rng: random.Random
    windows: list[tuple[int, int]] = field(default_factory=list)
    presses: list[tuple[int, int, str | None]] = field(default_factory=list)

    def go(self) -> None:
        now = self.device.parts.now
        arrivals = [*self.walk.arrivals]
        while now() < self.walk.began_ns + self.walk.seconds * 1e9:
            self._second()
            if arrivals and now() - self.walk.began_ns >= arrivals[0][0] * 1e9:
                self._deliver(arrivals.pop(0)[1])

    def _second(self) -> None:
        """The loop's next turn, on time or a little late; more often while a window ends."""
        now = self.device.parts.now
        ends = any(-0.2e9 < until_ns - now() < 1.3e9 for _, until_ns in self.windows)
        looks = self.device.parts.camera.streaming
        now.pass_s(0.1 if ends and looks else 1.0 + self.rng.uniform(0.0, LATEST_TICK_S))
        self.device.parts.position.fix = self.walk.fix(now())
        self.device.step()

    def _deliver(self, visit: Visit) -> None:
        camera = self.device.parts.camera
        if visit.scans:
            self._press()
            began_ns = self.device.parts.now()
            tap_scan(self.device)
            self._second()
            camera.label = visit.stop.codes[0]
            self._second()
            self.windows.append((began_ns, self.device.parts.now()))
            camera.label = ""
        self._press()

    def _press(self) -> None:
        began_ns = self.device.parts.now()
        reply = self.device.press()
        bound = reply["record"].get("stop", {}).get("id") if "photo" in reply["record"] else None
        ended_ns = self.device.parts.now()
        self.presses.append((began_ns, ended_ns, bound))
        if reply["label"]["kind"] == RecordKind.NO_PHOTO:  # which opens a window
            self.windows.append((ended_ns, ended_ns + round((WINDOW_S + LAST_LOOK_S) * 1e9)))


def meets(circle: Circle | None, stops: list[RouteStop]) -> bool:
    """Return True if a forbidden stop is certainly in reach, whatever the error of the sphere."""
    forbidden = [stop for stop in stops if stop.photo is PhotoRule.NO_PHOTO]
    if circle is None:
        return bool(forbidden)
    here = (circle.lat_deg, circle.lon_deg)
    return any(
        apart_m(here, (stop.lat_deg, stop.lon_deg))
        < (circle.radius_m + stop.radius_m) * (1 - SPHERE_ERROR)
        for stop in forbidden
    )


def is_within(at_ns: int, stretches: list[tuple[int, int]]) -> bool:
    return any(began_ns <= at_ns <= ended_ns for began_ns, ended_ns in stretches)


def entered(walk: Walk, stops: list[RouteStop], every_s: float = 0.1) -> list[tuple[int, int]]:
    """The stretches of time in which the circle met a forbidden stop."""
    step_ns = round(every_s * 1e9)
    moments = range(walk.began_ns, walk.began_ns + round(walk.seconds * 1e9), step_ns)
    found: list[tuple[int, int]] = []
    for is_met, group in itertools.groupby(
        moments, lambda at_ns: meets(reach.where(walk.fix(at_ns), at_ns, 1.0), stops)
    ):
        if is_met:
            times = [*group]
            found.append((times[0], times[-1]))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_over_a_round_no_frame_is_exposed_where_none_may_be(tmp_path: Path, seed: int) -> None:
    """None later than 1.5 s after a forbidden circle was entered, unless a label is looked for.

    A press that a label has named is served there, too: while it is, and no longer.
    """
    parts = Parts()
    sensor = parts.camera = Sensor(parts.now)
    plan = visits()
    stops = [visit.stop for visit in plan]
    with fleet_device(tmp_path, parts) as device:
        offer(device, payload_of(*stops))
        device.tick()
        driver = Driver(device, Walk(plan, parts.now()), random.Random(seed))
        driver.go()
        sensor.stop()

    late = [
        at_ns
        for began_ns, ended_ns in entered(driver.walk, stops)
        for at_ns in sensor.frames_ns()
        if began_ns + LATE_S * 1e9 < at_ns <= ended_ns
        and not is_within(at_ns, driver.windows)
        and not is_within(
            at_ns, [(since, until) for since, until, bound in driver.presses if bound]
        )
    ]
    on_s = sum(ended_ns - began_ns for began_ns, ended_ns in sensor.stretches) / 1e9
    photos = [bound for *_, bound in driver.presses if bound]
    late_s = [(at_ns - driver.walk.began_ns) / 1e9 for at_ns in late]
    assert late_s == []
    assert photos == [stop.id for stop in stops if stop.photo is PhotoRule.ALLOWED]
    assert 0.05 < on_s / driver.walk.seconds < 0.6


# Any place, any route, any label


@dataclass(frozen=True)
class Spot:
    """A press somewhere: a route about HOME, a fix near it, and perhaps a label first."""

    stops: list[RouteStop]
    fix: Fix
    age_s: float
    code: str | None


@st.composite
def spots(draw: st.DrawFn) -> Spot:
    count = draw(st.integers(1, 5))
    stops = [
        replace(
            stop_at(away(HOME, *draw(offsets(90.0))), number, draw(st.sampled_from(PhotoRule))),
            done=draw(st.booleans()),
            radius_m=draw(st.sampled_from([5.0, 20.0, 40.0])),
        )
        for number in range(1, count + 1)
    ]
    lat_deg, lon_deg = away(HOME, *draw(offsets(60.0)))
    fix = fix_at(
        lat_deg,
        lon_deg,
        eph_m=draw(st.sampled_from([None, 4.0, 12.0, 30.0])),
        speed_mps=draw(st.sampled_from([None, 0.0, 1.2, 9.0])),
    )
    age_s = draw(st.sampled_from([0.0, 0.5, 3.0, 20.0, 170.0, 181.0, 600.0]))
    codes = ["WHAT", *(stop.codes[0] for stop in stops)]
    return Spot(stops, fix, age_s, draw(st.none() | st.sampled_from(codes)))


@dataclass
class Carried:
    """The device that all examples share; each has a new version, and is long after the last."""

    device: Bench
    versions: Iterator[int] = field(default_factory=lambda: itertools.count(10))

    def press(self, spot: Spot) -> tuple[str | None, int]:
        """Why there is no photo, None for one; and the frames that were taken at this press."""
        device, parts = self.device, self.device.parts
        device.tick(10.0)  # whatever window the last one opened
        parts.now.pass_s(1_000.0)
        device.hear_time(NOON)  # else the manifest has ended after a few examples
        device.tick()
        parts.position.fix = None
        offer(device, payload_of(*spot.stops) | {"version": next(self.versions)})
        device.tick()
        device.tick()
        if spot.code is not None:
            scan(device, spot.code)
            device.tick(10.0)
            parts.camera.label = ""
        received_ns = parts.now() - round(spot.age_s * 1e9) + 1_000_000_000  # the touch is later
        parts.position.fix = replace(spot.fix, received_ns=received_ns)
        before = parts.camera.frames_exposed
        record = device.press()["record"]
        device.tick()
        return record.get("reason"), parts.camera.frames_exposed - before


def circle_of(spot: Spot) -> Circle | None:
    """Return the possible place of the device, calculated independently."""
    if spot.age_s > 180:
        return None
    eph_m = 50.0 if spot.fix.eph_m is None else spot.fix.eph_m
    walks = spot.fix.speed_mps is not None and spot.fix.speed_mps <= 3
    radius_m = max(eph_m, 15.0) + spot.age_s * (1.2 if walks else 15.0)
    return Circle(spot.fix.lat_deg, spot.fix.lon_deg, radius_m)


def closest(circle: Circle, stops: list[RouteStop], share: float) -> list[RouteStop]:
    """The stops that the circle meets, the nearest first; `share` moves their edges."""
    here = (circle.lat_deg, circle.lon_deg)
    far = [(apart_m(here, (stop.lat_deg, stop.lon_deg)), stop) for stop in stops]
    met = [(m, stop) for m, stop in far if m < (circle.radius_m + stop.radius_m) * share]
    return [stop for _, stop in sorted(met, key=lambda one: one[0])]


def expected(spot: Spot) -> set[str | None]:
    """Return the allowed results of a press; several if the judge's own geometry is too coarse."""
    named = [stop for stop in spot.stops if stop.codes[0] == spot.code]
    if spot.code is not None and not named:
        return {"unknown_code"}
    rules = {
        PhotoRule.ALLOWED: None,
        PhotoRule.NO_PHOTO: "no_photo_stop",
        PhotoRule.SIGNATURE_REQUIRED: "signature_stop",
    }
    circle = circle_of(spot)
    if named:
        told = {rules[named[0].photo]}
        return told if circle is None else of_label(circle, spot.stops, named[0], told)
    if circle is None:
        has_any = any(stop.photo is PhotoRule.NO_PHOTO for stop in spot.stops)
        return {"no_position" if has_any else None}
    may: set[str | None] = set()
    for share in (1 - SPHERE_ERROR, 1 + SPHERE_ERROR):
        met = closest(circle, spot.stops, share)
        if any(stop.photo is PhotoRule.NO_PHOTO for stop in met):
            may.add("no_photo_stop")
        else:
            may |= {rules[stop.photo] for stop in met[:2]} or {None}  # two may be as near
    return may


def of_label(
    circle: Circle, stops: list[RouteStop], own: RouteStop, told: set[str | None]
) -> set[str | None]:
    """Outcomes of a label: of another place, where it is not and a forbidden door is."""
    may: set[str | None] = set()
    for share, own_share in itertools.product((1 - SPHERE_ERROR, 1 + SPHERE_ERROR), repeat=2):
        met = closest(circle, stops, share)
        is_near = bool(closest(circle, [own], own_share))
        is_elsewhere = any(stop.photo is PhotoRule.NO_PHOTO for stop in met) and not is_near
        may |= {"code_elsewhere"} if is_elsewhere else told
    return may


@pytest.mark.slow
def test_wherever_it_is_pressed_the_rule_holds_and_no_other_reason_refuses(tmp_path: Path) -> None:
    """Whenever the circle meets a forbidden stop and no code names another, nothing is exposed."""
    seen: set[str | None] = set()
    with fleet_device(tmp_path) as device:
        carried = Carried(device)

        @settings(max_examples=150, database=None)
        @given(spots())
        def check(spot: Spot) -> None:
            reason, frames = carried.press(spot)

            assert reason in expected(spot)
            assert (frames > 0) == (reason is None)
            circle = circle_of(spot)
            if meets(circle, spot.stops):
                assert not is_open_without_window(device, reason)
            seen.add(reason)

        check()
    assert {None, "no_photo_stop"} <= seen


def is_open_without_window(device: Bench, reason: str | None) -> bool:
    """A refusal that a label would settle has opened a window; a photo has not."""
    return device.parts.camera.streaming and reason is None
