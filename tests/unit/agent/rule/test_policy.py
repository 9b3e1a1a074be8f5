"""The rule: no photo if the circle meets a `no_photo` stop, in any other state."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.models import UNASSIGNED, BoundBy, Reason, Stop
from agent.rule import policy
from agent.rule.manifest import Manifest, PhotoRule, RouteStop
from agent.rule.policy import (
    Absent,
    Allowed,
    HandedOver,
    Refused,
    effective_manifest,
    may_stream,
)
from agent.rule.reach import Circle, Ring, where
from agent.rule.scanning import Code
from hardware.clock import ClockSource, Moment
from hardware.position import Fix
from tests.support.roads import (
    BEGINS,
    ENDS,
    NOW_NS,
    SPHERE_ERROR,
    STOP,
    apart_m,
    away,
    fix_at,
    manifest_of,
    offsets,
    places,
    stop_at,
)

DOOR: Final = (52.52, 13.4)
HERE: Final = Circle(*DOOR, radius_m=15)

ALLOWED: Final = stop_at(DOOR, 1)
SIGNED_FOR: Final = stop_at(away(DOOR, 90, 10), 2, PhotoRule.SIGNATURE_REQUIRED)
NEXT_DOOR: Final = stop_at(away(DOOR, 90, 30), 3, PhotoRule.NO_PHOTO)
FAR: Final = stop_at(away(DOOR, 90, 500), 4)
FAR_FORBIDDEN: Final = stop_at(away(DOOR, 90, 500), 5, PhotoRule.NO_PHOTO)


def decide(
    manifest: Manifest | Absent, circle: Circle | None, code: str | None, *, opens: bool = True
) -> Allowed | Refused:
    """The rule's answer to a press with a code that was read just now, or a while ago."""
    return policy.decide(manifest, circle, None if code is None else Code(code, opens))


def reason_of(answer: Allowed | Refused) -> Reason | None:
    return answer.reason if isinstance(answer, Refused) else None


# By place.


def test_the_only_stop_in_reach_is_bound_by_place() -> None:
    answer = decide(manifest_of(ALLOWED, FAR, FAR_FORBIDDEN), HERE, None)

    assert answer == Allowed(Stop("s-0001", BoundBy.PLACE, 0.0, Ring.INSIDE))


def test_nearest_of_several_stops_in_reach_is_bound_and_marked() -> None:
    neighbour = stop_at(away(DOOR, 0, 25), 6)

    assert decide(manifest_of(neighbour, ALLOWED), HERE, None) == Allowed(
        Stop("s-0001", BoundBy.AMBIGUOUS, 0.0, Ring.INSIDE)
    )


def test_far_from_every_stop_a_photo_is_unassigned() -> None:
    assert decide(manifest_of(FAR, FAR_FORBIDDEN), HERE, None) == Allowed(UNASSIGNED)


@pytest.mark.parametrize("done", [False, True])
def test_no_photo_beside_a_no_photo_stop_done_or_not(done: bool) -> None:
    """Its radius of 20 m meets our circle of 15 m at 30 m, though another stop is nearer."""
    answer = decide(manifest_of(ALLOWED, replace(NEXT_DOOR, done=done)), HERE, None)

    assert reason_of(answer) is Reason.NO_PHOTO_STOP


def test_a_refusal_by_place_names_no_stop() -> None:
    """Nobody learns of a neighbour's; distance and ring are kept."""
    answer = decide(manifest_of(ALLOWED, NEXT_DOOR), HERE, None)
    signature = decide(manifest_of(SIGNED_FOR), HERE, None)

    assert isinstance(answer, Refused)
    assert isinstance(signature, Refused)
    assert answer.stop.id is signature.stop.id is None
    assert answer.stop.distance_m == pytest.approx(30, rel=SPHERE_ERROR)
    assert answer.stop.ring == Ring.NEAR
    assert signature.stop.ring == Ring.INSIDE


def test_a_signature_stop_refuses_only_where_it_is_bound() -> None:
    on_it = Circle(SIGNED_FOR.lat_deg, SIGNED_FOR.lon_deg, 15)
    both = manifest_of(ALLOWED, SIGNED_FOR)

    assert reason_of(decide(both, HERE, None)) is None
    assert reason_of(decide(both, on_it, None)) is Reason.SIGNATURE_STOP
    assert reason_of(decide(manifest_of(SIGNED_FOR), HERE, None)) is Reason.SIGNATURE_STOP


def test_scan_alone_helps_without_a_position_on_a_route_with_a_no_photo_stop() -> None:
    manifest = manifest_of(ALLOWED, FAR_FORBIDDEN)

    assert reason_of(decide(manifest, None, None)) is Reason.NO_POSITION
    assert decide(manifest, None, "C1") == Allowed(Stop("s-0001", BoundBy.CODE, None, None))


def test_route_that_forbids_nowhere_is_served_without_a_position() -> None:
    assert decide(manifest_of(ALLOWED, SIGNED_FOR), None, None) == Allowed(UNASSIGNED)


# By code.


def test_a_code_decides_alone_beside_a_no_photo_stop() -> None:
    manifest = manifest_of(ALLOWED, NEXT_DOOR)

    assert decide(manifest, HERE, "C1") == Allowed(Stop("s-0001", BoundBy.CODE, 0.0, Ring.INSIDE))


@pytest.mark.parametrize("circle", [HERE, None])
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("C3", Reason.NO_PHOTO_STOP),
        ("C2", Reason.SIGNATURE_STOP),
        ("C99", Reason.UNKNOWN_CODE),
        ("../../etc/passwd", Reason.UNKNOWN_CODE),
        ("\0" * 1_000_000, Reason.UNKNOWN_CODE),
        ("TWICE", Reason.AMBIGUOUS_CODE),
    ],
)
def test_a_code_that_names_no_stop_for_photos_is_refused(
    circle: Circle | None, code: str, reason: Reason
) -> None:
    twice = [replace(stop_at(DOOR, number), codes=("TWICE",)) for number in (7, 8)]
    manifest = manifest_of(ALLOWED, SIGNED_FOR, NEXT_DOOR, *twice)

    assert reason_of(decide(manifest, circle, code)) is reason


def test_a_refusal_by_code_names_its_stop_and_no_further_code_settles_it() -> None:
    answer = decide(manifest_of(ALLOWED, NEXT_DOOR), HERE, "C3")

    assert isinstance(answer, Refused)
    assert answer.stop.id == "s-0003"
    assert answer.stop.bound_by is BoundBy.CODE
    assert not answer.code_settles


@pytest.mark.parametrize("code", [None, "C99"])
def test_a_label_would_settle_what_place_or_a_wrong_label_refused(code: str | None) -> None:
    answer = decide(manifest_of(ALLOWED, NEXT_DOOR), HERE, code)

    assert isinstance(answer, Refused)
    assert answer.code_settles


def test_a_practice_code_makes_a_test_and_names_no_stop() -> None:
    assert decide(manifest_of(ALLOWED, practice=["P"]), HERE, "P") == Allowed(
        UNASSIGNED, practice=True
    )


def test_a_practice_code_starts_no_camera_where_place_forbids_it() -> None:
    manifest = manifest_of(ALLOWED, NEXT_DOOR, practice=["P"])

    assert reason_of(decide(manifest, HERE, "P")) is Reason.NO_PHOTO_STOP
    assert reason_of(decide(manifest, None, "P")) is Reason.NO_POSITION


# By a code that is held up elsewhere.

STICKER: Final = stop_at(away(DOOR, 45, 1_112), 6)
"""An order on the same route, whose label somebody else printed and put up at a forbidden door."""

FORBIDDEN: Final = stop_at(DOOR, 7, PhotoRule.NO_PHOTO)


def wide(radius_m: float) -> Circle:
    return Circle(*DOOR, radius_m)


def test_the_label_of_a_stop_far_away_opens_no_forbidden_door() -> None:
    """The record says which label and how far off; another one may be held up."""
    answer = decide(manifest_of(FORBIDDEN, STICKER), HERE, "C6")

    assert isinstance(answer, Refused)
    assert answer.reason is Reason.CODE_ELSEWHERE
    assert answer.stop == Stop("s-0006", BoundBy.CODE, answer.stop.distance_m, Ring.OUTSIDE)
    assert answer.stop.distance_m == pytest.approx(1_112, rel=SPHERE_ERROR)


NO_PHOTO_HERE: Final = (FORBIDDEN, replace(NEXT_DOOR, done=True), SIGNED_FOR)
"""Stops in reach that take no photos; a label of a far stop, of no stop or of two is refused."""


@pytest.mark.parametrize("code", [None, "C6", "C7", "C2", "C99", "TWICE"])
@pytest.mark.parametrize("opens", [True, False])
def test_no_label_permits_a_photo_if_no_stop_in_reach_takes_photos(
    code: str | None, opens: bool
) -> None:
    stops, taking = (*NO_PHOTO_HERE, STICKER, *TWICE), replace(ALLOWED, done=True)

    none, some = (
        decide(manifest_of(*one), HERE, code, opens=opens) for one in (stops, (*stops, taking))
    )

    assert isinstance(none, Refused)
    assert not none.code_settles
    assert isinstance(some, Refused)
    assert some.code_settles is (code not in {"C7", "C2"})


def test_a_forbidden_door_beside_us_counts_as_one_that_we_stand_at() -> None:
    assert reason_of(decide(manifest_of(NEXT_DOOR, STICKER), HERE, "C6")) is Reason.CODE_ELSEWHERE


def test_a_neighbour_in_reach_opens_a_forbidden_door() -> None:
    """The rest is 34.9 m away; its radius of 20 m still meets our circle of 15 m."""
    near, beyond = (stop_at(away(DOOR, 0, metres), 6) for metres in (34.7, 35.3))

    assert isinstance(decide(manifest_of(FORBIDDEN, near), HERE, "C6"), Allowed)
    assert reason_of(decide(manifest_of(FORBIDDEN, beyond), HERE, "C6")) is Reason.CODE_ELSEWHERE


def test_label_of_another_place_is_believed_if_no_door_is_forbidden() -> None:
    """And what is known of the place says that it is for dispatch to bind."""
    answer = decide(manifest_of(ALLOWED, STICKER, FAR_FORBIDDEN), HERE, "C6")

    assert isinstance(answer, Allowed)
    assert (answer.stop.id, answer.stop.ring) == ("s-0006", Ring.OUTSIDE)


def test_a_circle_too_wide_vouches_for_no_label() -> None:
    """The label is believed as without a position: nothing is said of how near its stop is."""
    manifest = manifest_of(FORBIDDEN, ALLOWED)

    vouched, believed = (decide(manifest, wide(radius_m), "C1") for radius_m in (150, 150.1))

    assert vouched == Allowed(Stop("s-0001", BoundBy.CODE, 0.0, Ring.INSIDE))
    assert believed == Allowed(Stop("s-0001", BoundBy.CODE, None, None))


def test_a_circle_too_wide_still_says_that_a_label_is_of_another_place() -> None:
    """Wherever in it we are, its stop is out of reach, and a forbidden one is not."""
    manifest = manifest_of(FORBIDDEN, STICKER)

    assert reason_of(decide(manifest, wide(1_000), "C6")) is Reason.CODE_ELSEWHERE
    assert decide(manifest, wide(1_100), "C6") == decide(manifest, None, "C6")


# By a code that no longer opens doors.


TWICE: Final = tuple(replace(stop_at(away(DOOR, 0, 600), n), codes=("TWICE",)) for n in (7, 8))
SIGNED_FAR: Final = stop_at(away(DOOR, 0, 500), 6, PhotoRule.SIGNATURE_REQUIRED)


@pytest.mark.parametrize(
    ("stops", "codes"),
    [
        ([ALLOWED, NEXT_DOOR, *TWICE], ["C1", "C99", "TWICE"]),
        ([SIGNED_FOR, FAR], ["C4"]),
        ([ALLOWED, FAR_FORBIDDEN, SIGNED_FAR, *TWICE], ["C5", "C6", "C99", "TWICE"]),
    ],
    ids=["forbidden", "signed for", "allowed"],
)
def test_an_old_code_opens_and_refuses_no_door(stops: list[RouteStop], codes: list[str]) -> None:
    """A code says only which stop, and never whether; also if it is of no stop, or of two."""
    manifest = manifest_of(*stops)

    for code in codes:
        assert decide(manifest, HERE, code) != decide(manifest, HERE, None)
        assert decide(manifest, HERE, code, opens=False) == decide(manifest, HERE, None)


def test_an_old_code_opens_no_door_without_a_position() -> None:
    manifest = manifest_of(ALLOWED, NEXT_DOOR)

    assert decide(manifest, None, "C1", opens=False) == decide(manifest, None, None)


@pytest.mark.parametrize(
    ("stops", "circle", "code"),
    [
        ([ALLOWED, FAR, FAR_FORBIDDEN], HERE, "C4"),
        ([ALLOWED, SIGNED_FOR, NEXT_DOOR], HERE, "C2"),
        ([ALLOWED, SIGNED_FOR, NEXT_DOOR], None, "C2"),
        ([ALLOWED, SIGNED_FOR, NEXT_DOOR], HERE, "C3"),
        ([ALLOWED, SIGNED_FOR, NEXT_DOOR], None, "C3"),
    ],
)
def test_an_old_code_names_the_stop_where_place_agrees_with_it(
    stops: list[RouteStop], circle: Circle | None, code: str
) -> None:
    manifest = manifest_of(*stops)

    assert decide(manifest, circle, code, opens=False) == decide(manifest, circle, code)


# Without a route.


@pytest.mark.parametrize("circle", [HERE, None])
@pytest.mark.parametrize("code", [None, "C1"])
def test_photo_is_not_taken_without_a_valid_manifest(
    circle: Circle | None, code: str | None
) -> None:
    missing, expired = (decide(absent, circle, code) for absent in (Absent.MISSING, Absent.EXPIRED))

    assert missing == Refused(Reason.MANIFEST_MISSING, UNASSIGNED, code_settles=False)
    assert expired == Refused(Reason.MANIFEST_EXPIRED, UNASSIGNED, code_settles=False)
    assert decide(Absent.OFF, circle, code) == Allowed(UNASSIGNED)


def test_a_route_stands_while_it_is_valid() -> None:
    manifest = manifest_of(ALLOWED)
    early, noon, late = (
        Moment(utc, 0, "boot-1", ClockSource.GNSS, 1.0)
        for utc in (datetime(2026, 11, 30, tzinfo=UTC), datetime(2026, 12, 1, 12, tzinfo=UTC), ENDS)
    )

    assert effective_manifest(None, noon, BEGINS) is Absent.MISSING
    assert effective_manifest(manifest, early, datetime(2026, 1, 1, tzinfo=UTC)) is Absent.MISSING
    assert effective_manifest(manifest, noon, BEGINS) is manifest
    assert effective_manifest(manifest, late, BEGINS) is Absent.EXPIRED


# A hand-over.


def hand_over(
    manifest: Manifest | Absent, circle: Circle | None, code: str | None, *, opens: bool = True
) -> HandedOver:
    return policy.hand_over(manifest, circle, None if code is None else Code(code, opens))


@pytest.mark.parametrize("opens", [True, False])
@pytest.mark.parametrize("stop", [ALLOWED, SIGNED_FOR, NEXT_DOOR], ids=lambda stop: stop.photo)
def test_a_hand_over_is_at_the_stop_of_a_label_in_reach(stop: RouteStop, opens: bool) -> None:
    """The stop's rule does not matter, nor how long ago the label was read."""
    manifest = manifest_of(ALLOWED, SIGNED_FOR, NEXT_DOOR)

    named = hand_over(manifest, HERE, stop.codes[0], opens=opens).stop

    assert (named.id, named.bound_by) == (stop.id, BoundBy.CODE)
    assert named.ring in {Ring.INSIDE, Ring.NEAR}


@pytest.mark.parametrize(
    ("circle", "code"),
    [(HERE, "C4"), (HERE, "C99"), (HERE, "TWICE"), (None, "C1"), (Circle(*DOOR, 151), "C1")],
    ids=["out of reach", "unknown", "of two stops", "no place", "too wide a circle"],
)
@pytest.mark.parametrize("opens", [True, False])
def test_a_label_that_is_not_certainly_in_reach_leaves_a_hand_over_unassigned(
    circle: Circle | None, code: str, opens: bool
) -> None:
    """The only stop in reach is not named either: label or place is wrong, nobody knows which."""
    alone = replace(ALLOWED, codes=("C1", "TWICE"))
    manifest = manifest_of(alone, replace(FAR, codes=("C4", "TWICE")))

    assert hand_over(manifest, circle, code, opens=opens) == HandedOver(UNASSIGNED)


def test_hand_over_without_a_label_is_at_the_only_stop_in_reach() -> None:
    at_door = HandedOver(Stop("s-0001", BoundBy.PLACE, 0.0, Ring.INSIDE))

    assert hand_over(manifest_of(ALLOWED, FAR_FORBIDDEN), HERE, None) == at_door
    assert hand_over(manifest_of(replace(ALLOWED, done=True)), HERE, None) == at_door


@pytest.mark.parametrize(
    "stops",
    [
        [],
        [SIGNED_FOR],
        [NEXT_DOOR],
        [ALLOWED, stop_at(away(DOOR, 0, 25), 6)],
        [ALLOWED, SIGNED_FOR],
        [ALLOWED, NEXT_DOOR],
    ],
    ids=["none", "to be signed for", "no photo", "two", "one of each", "a forbidden one beside"],
)
def test_any_other_place_leaves_a_hand_over_unassigned(stops: list[RouteStop]) -> None:
    """A stop that takes no photo is like no stop: the record does not tell of its rule."""
    assert hand_over(manifest_of(*stops, FAR), HERE, None) == HandedOver(UNASSIGNED)


def test_a_practice_label_makes_a_test_of_a_hand_over() -> None:
    """No camera is needed, so this holds also if the label would make no test of a photo."""
    manifest = manifest_of(ALLOWED, NEXT_DOOR, practice=["P"])

    assert hand_over(manifest, HERE, "P") == HandedOver(UNASSIGNED, practice=True)


@pytest.mark.parametrize("absent", Absent)
def test_hand_over_is_unassigned_without_a_valid_manifest(absent: Absent) -> None:
    assert hand_over(absent, HERE, "C1") == HandedOver(UNASSIGNED)


# The sensor.


def streams(
    manifest: Manifest | Absent,
    circle: Circle | None = HERE,
    code: str | None = None,
    *,
    keep_warm: bool = False,
) -> bool:
    return may_stream(
        manifest, circle, Code(code, opens=True) if code else None, keep_warm=keep_warm
    )


def test_the_sensor_is_on_only_at_an_open_stop_that_allows_photos() -> None:
    assert streams(manifest_of(ALLOWED, FAR_FORBIDDEN))
    assert not streams(manifest_of(replace(ALLOWED, done=True)))
    assert not streams(manifest_of(SIGNED_FOR))
    assert not streams(manifest_of(FAR))
    assert not streams(manifest_of(ALLOWED, FAR), None)
    assert not streams(manifest_of())


def test_the_sensor_stays_on_after_a_served_press_but_not_at_a_forbidden_door() -> None:
    assert streams(manifest_of(FAR), keep_warm=True)
    assert streams(manifest_of(ALLOWED), None, keep_warm=True)
    assert not streams(manifest_of(ALLOWED, NEXT_DOOR), keep_warm=True)
    assert not streams(manifest_of(ALLOWED, FAR_FORBIDDEN), None, keep_warm=True)


def test_the_sensor_is_off_while_the_bound_code_would_be_refused() -> None:
    assert not streams(manifest_of(ALLOWED, replace(SIGNED_FOR, codes=("S",))), code="S")


def test_sensor_is_off_without_a_valid_route_and_lingers_without_manifests() -> None:
    for keep_warm in (False, True):
        assert not streams(Absent.MISSING, keep_warm=keep_warm)
        assert not streams(Absent.EXPIRED, keep_warm=keep_warm)
        assert streams(Absent.OFF, keep_warm=keep_warm) is keep_warm


# The properties.


@dataclass(frozen=True)
class Scene:
    """A press somewhere on a random route."""

    manifest: Manifest
    fix: Fix | None
    eph_factor: float
    code: str | None

    @property
    def circle(self) -> Circle | None:
        return where(self.fix, NOW_NS, self.eph_factor)


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    middle = draw(places())
    building = draw(st.lists(offsets(400), min_size=1, max_size=4))
    stops = [
        RouteStop(
            id=f"s-{number}",
            codes=tuple(draw(st.lists(st.sampled_from("ABCDEFGH"), max_size=2))),
            lat_deg=at[0],
            lon_deg=at[1],
            radius_m=draw(st.floats(1, 60)),
            done=draw(st.booleans()),
            photo=draw(st.sampled_from(PhotoRule)),
        )
        for number, at in enumerate(
            away(middle, *draw(st.sampled_from(building))) for _ in range(draw(st.integers(0, 6)))
        )
    ]
    fix = fix_at(
        *middle,
        eph_m=draw(st.none() | st.floats(0, 80)),
        age_s=draw(st.floats(-5, 30) | st.floats(0, 200)),
        speed_mps=draw(st.none() | st.floats(0, 20) | st.floats(0, 3)),
    )
    return Scene(
        manifest_of(*stops, practice=draw(st.lists(st.sampled_from("GHIJ"), max_size=2))),
        draw(st.sampled_from([fix, fix, fix, None])),
        draw(st.sampled_from([0.5, 1.0, 2.45])),
        draw(st.none() | st.sampled_from("ABCDEFGHIJK")),
    )


def owners(scene: Scene) -> list[RouteStop]:
    return [stop for stop in scene.manifest.stops if scene.code in stop.codes]


def names_one(scene: Scene) -> bool:
    return len(owners(scene)) == 1 and scene.code not in scene.manifest.practice_codes


def reach_m(fix: Fix, eph_factor: float) -> float | None:
    """Return the largest possible distance from the fix, calculated apart from the product."""
    age_s = abs(NOW_NS - fix.received_ns) / 1e9
    if age_s > 180:
        return None
    error_m = 50 if fix.eph_m is None else fix.eph_m * eph_factor
    on_foot = fix.speed_mps is not None and not fix.speed_mps > 3
    return max(error_m, 15) + (1.2 if on_foot else 15) * age_s


def gaps_m(scene: Scene, stops: Iterable[RouteStop]) -> list[tuple[float, float]]:
    """Return for each stop the distance to the possible place, and the error of this distance."""
    assert scene.fix is not None
    reach = reach_m(scene.fix, scene.eph_factor)
    assert reach is not None
    fix = (scene.fix.lat_deg, scene.fix.lon_deg)
    stops = list(stops)
    apart = [apart_m(fix, (stop.lat_deg, stop.lon_deg)) for stop in stops]
    return [
        (far - reach - stop.radius_m, far * SPHERE_ERROR + 0.01)
        for far, stop in zip(apart, stops, strict=True)
    ]


def of_rule(scene: Scene, photo: PhotoRule) -> list[RouteStop]:
    return [stop for stop in scene.manifest.stops if stop.photo is photo]


def expected(scene: Scene) -> set[Reason | None]:
    """The right answers (None: served), calculated again, on a sphere."""
    if scene.code is not None and (
        owners(scene) or scene.code not in scene.manifest.practice_codes
    ):
        return _expected_by_code(scene)
    if scene.fix is None or reach_m(scene.fix, scene.eph_factor) is None:
        has_any = any(stop.photo is PhotoRule.NO_PHOTO for stop in scene.manifest.stops)
        return {Reason.NO_POSITION if has_any else None}
    forbidden = gaps_m(scene, of_rule(scene, PhotoRule.NO_PHOTO))
    if any(gap < -doubt for gap, doubt in forbidden):
        return {Reason.NO_PHOTO_STOP}
    right: set[Reason | None] = {None}
    if any(gap < doubt for gap, doubt in forbidden):
        right.add(Reason.NO_PHOTO_STOP)
    signed = of_rule(scene, PhotoRule.SIGNATURE_REQUIRED)
    if any(gap < doubt for gap, doubt in gaps_m(scene, signed)):
        right.add(Reason.SIGNATURE_STOP)
    return right


def _expected_by_code(scene: Scene) -> set[Reason | None]:
    if not owners(scene):
        return {Reason.UNKNOWN_CODE}
    if not names_one(scene):
        return {Reason.AMBIGUOUS_CODE}
    by_rule = {
        PhotoRule.NO_PHOTO: Reason.NO_PHOTO_STOP,
        PhotoRule.SIGNATURE_REQUIRED: Reason.SIGNATURE_STOP,
    }
    told = by_rule.get(owners(scene)[0].photo)
    if scene.circle is None:
        return {told}
    ((gap_m, doubt_m),) = gaps_m(scene, owners(scene))
    forbidden = gaps_m(scene, of_rule(scene, PhotoRule.NO_PHOTO))
    if gap_m > doubt_m and any(gap < -doubt for gap, doubt in forbidden):
        return {Reason.CODE_ELSEWHERE}
    if gap_m > -doubt_m and any(gap < doubt for gap, doubt in forbidden):
        return {told, Reason.CODE_ELSEWHERE}
    return {told}


@given(scenes())
@example(Scene(manifest_of(FORBIDDEN, STICKER), fix_at(*DOOR), 1.0, "C6"))
def test_a_press_is_served_or_refused_for_the_one_reason_that_holds(scene: Scene) -> None:
    answer = decide(scene.manifest, scene.circle, scene.code)

    assert reason_of(answer) in expected(scene)


@dataclass(frozen=True)
class Poster:
    """A label at a forbidden door: `out_m` of ground between its own stop and our circle."""

    middle: tuple[float, float]
    radius_m: float
    forbidden: RouteStop
    order: RouteStop
    out_m: float

    @property
    def circle(self) -> Circle:
        return Circle(*self.middle, self.radius_m)


@st.composite
def posters(draw: st.DrawFn) -> Poster:
    """In reach is whatever lies closer than the sum of both radii; on a sphere, so with a gap."""
    middle, radius_m = draw(places()), draw(st.floats(15, 3_000))
    sure = 1 - SPHERE_ERROR
    share = draw(st.floats(0, 0.99))
    near = stop_at(away(middle, draw(st.floats(0, 360)), share * sure * (radius_m + 20)), 1)
    out_m = draw(st.floats(1, 20_000))
    far_m = (radius_m + 20 + out_m) / sure
    order = stop_at(
        away(middle, draw(st.floats(0, 360)), far_m), 2, draw(st.sampled_from(PhotoRule))
    )
    forbidden = replace(near, photo=PhotoRule.NO_PHOTO, done=draw(st.booleans()))
    return Poster(middle, radius_m, forbidden, order, out_m)


@given(posters(), st.booleans())
def test_no_label_of_another_place_opens_a_forbidden_door(poster: Poster, opens: bool) -> None:
    manifest = manifest_of(poster.order, poster.forbidden)

    answer = decide(manifest, poster.circle, "C2", opens=opens)

    if opens:
        assert reason_of(answer) is Reason.CODE_ELSEWHERE
    else:
        assert answer == decide(manifest, poster.circle, None)
        assert reason_of(answer) is Reason.NO_PHOTO_STOP
    assert not streams(manifest, poster.circle, "C2", keep_warm=True)


@given(posters())
def test_a_label_of_another_place_is_believed_elsewhere(poster: Poster) -> None:
    """As it always was; from its own stop's rule follows what comes of it."""
    open_door = replace(poster.forbidden, photo=PhotoRule.ALLOWED)
    far = stop_at(away(poster.middle, 0, 40_000), 3, PhotoRule.NO_PHOTO)
    manifest = manifest_of(poster.order, open_door, far)

    answer = decide(manifest, poster.circle, "C2")

    assert reason_of(answer) == reason_of(decide(manifest, None, "C2"))
    assert answer.stop.ring in {Ring.OUTSIDE, None}
    assert (answer.stop.ring is None) is (poster.radius_m > 150)


@given(scenes(), st.floats(0, 360), st.floats(0, 0.999))
def test_wherever_we_could_be_is_outside_every_no_photo_stop_when_a_photo_is_taken(
    scene: Scene, bearing_deg: float, share: float
) -> None:
    """A walk of any length and direction within the circle ends at no such stop's radius."""
    if names_one(scene) or scene.circle is None:
        return
    assert scene.fix is not None
    reach = reach_m(scene.fix, scene.eph_factor)
    assert reach is not None
    start = (scene.fix.lat_deg, scene.fix.lon_deg)
    ended = away(start, bearing_deg, reach * share * (1 - SPHERE_ERROR))
    on_it = [
        stop
        for stop in scene.manifest.stops
        if stop.photo is PhotoRule.NO_PHOTO
        and apart_m(ended, (stop.lat_deg, stop.lon_deg)) < stop.radius_m * (1 - SPHERE_ERROR)
    ]

    if on_it:
        assert isinstance(decide(scene.manifest, scene.circle, scene.code), Refused)
        assert not streams(scene.manifest, scene.circle, scene.code, keep_warm=True)


@given(scenes())
@example(Scene(manifest_of(STOP), fix_at(*DOOR), 1.0, None))
def test_a_stop_is_bound_only_where_a_photo_is_allowed(scene: Scene) -> None:
    """And it is the one that the code names, or the nearest in reach."""
    answer = decide(scene.manifest, scene.circle, scene.code)
    if not isinstance(answer, Allowed) or answer.stop.id is None:
        return
    bound = next(stop for stop in scene.manifest.stops if stop.id == answer.stop.id)

    assert bound.photo is PhotoRule.ALLOWED
    if answer.stop.bound_by is BoundBy.CODE:
        assert owners(scene) == [bound]
        return
    assert scene.fix is not None
    here = (scene.fix.lat_deg, scene.fix.lon_deg)
    far = {stop.id: apart_m(here, (stop.lat_deg, stop.lon_deg)) for stop in scene.manifest.stops}
    reach = reach_m(scene.fix, scene.eph_factor)
    assert reach is not None
    nearer = [stop for stop in scene.manifest.stops if far[stop.id] < far[bound.id]]
    for stop in nearer:
        is_clearly_nearer = far[stop.id] < far[bound.id] * (1 - 2 * SPHERE_ERROR) - 0.01
        in_reach = far[stop.id] < (reach + stop.radius_m) * (1 - SPHERE_ERROR)
        assert not (is_clearly_nearer and in_reach)


@given(scenes(), st.booleans())
def test_the_sensor_is_never_on_at_a_forbidden_door(scene: Scene, keep_warm: bool) -> None:
    """And unless `keep_warm` is set, a press would be served and an open stop is there."""
    if not streams(scene.manifest, scene.circle, scene.code, keep_warm=keep_warm):
        return
    by_place = reason_of(decide(scene.manifest, scene.circle, None))

    assert by_place not in {Reason.NO_PHOTO_STOP, Reason.NO_POSITION}
    if not keep_warm:
        assert reason_of(decide(scene.manifest, scene.circle, scene.code)) is None
        assert any(not stop.done for stop in scene.manifest.stops)


@given(scenes(), st.booleans())
def test_a_hand_over_names_only_a_stop_in_reach_that_label_or_place_name(
    scene: Scene, opens: bool
) -> None:
    """Calculated apart from the product; without a label, it is the only one and takes photos."""
    stop = hand_over(scene.manifest, scene.circle, scene.code, opens=opens).stop
    if stop.id is None:
        assert stop == UNASSIGNED
        return
    in_reach = [
        at
        for at, (gap_m, doubt_m) in zip(
            scene.manifest.stops, gaps_m(scene, scene.manifest.stops), strict=True
        )
        if gap_m < -doubt_m or (at.id == stop.id and gap_m < doubt_m)
    ]

    assert stop.id in {at.id for at in in_reach}
    if scene.code is not None:
        assert (stop.bound_by, [at.id for at in owners(scene)]) == (BoundBy.CODE, [stop.id])
    else:
        assert (stop.bound_by, [at.photo for at in in_reach]) == (
            BoundBy.PLACE,
            [PhotoRule.ALLOWED],
        )


@given(scenes())
def test_an_old_code_changes_no_answer_that_place_gives(scene: Scene) -> None:
    old = decide(scene.manifest, scene.circle, scene.code, opens=False)

    assert type(old) is type(decide(scene.manifest, scene.circle, None))


@given(scenes())
def test_a_refusal_that_a_code_did_not_bind_names_no_stop(scene: Scene) -> None:
    answer = decide(scene.manifest, scene.circle, scene.code)

    if isinstance(answer, Refused) and answer.stop.bound_by is not BoundBy.CODE:
        assert answer.stop.id is None
