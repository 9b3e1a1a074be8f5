"""What was scanned, and how long it speaks; pure but for what it remembers."""

from dataclasses import replace

import pytest

from agent.rule import scanning
from agent.rule.manifest import Manifest
from agent.rule.reach import Circle
from agent.rule.scanning import AGAIN_S, AWAY_M, BOUND_S, OPENS_S, Scan
from tests.support.fleet import HOME, NEXT
from tests.support.roads import away, manifest_of, stop_at


def at(place: tuple[float, float]) -> Circle:
    return Circle(*place, radius_m=15.0)


def ns(seconds: float) -> int:
    return round(seconds * 1e9)


def said(scan: Scan, at_s: float, here: Circle | None = None) -> str | None:
    """The text of the code that speaks."""
    code = scan.code(ns(at_s), here)
    return code.text if code else None


def route_with(*codes: tuple[str, ...]) -> Manifest:
    """A stop for each tuple of codes, and one practice code."""
    stops = (
        replace(stop_at(away(HOME, 0.0, 40.0 * number), number), codes=its)
        for number, its in enumerate(codes)
    )
    return manifest_of(*stops, practice=["PRACTICE"])


# Which code of a picture is meant


@pytest.mark.parametrize(
    ("seen", "meant"),
    [
        ((), None),
        (("A1",), "A1"),
        (("ROUTING-77", "A1", "https://carrier.example"), "A1"),
        (("A2", "A1"), "A2"),
        (("A1", "B1"), None),
        (("ROUTING-77",), None),
        (("a1",), None),
        (("A1 ",), None),
        (("PRACTICE",), "PRACTICE"),
        (("PRACTICE", "A1"), None),
    ],
    ids=str,
)
def test_the_code_that_is_meant_is_the_one_that_the_route_knows(
    seen: tuple[str, ...], meant: str | None
) -> None:
    """A label has several codes, two of one parcel mean the same, and two parcels mean nothing."""
    assert scanning.choose(route_with(("A1", "A2"), ("B1",)), seen) == meant


def test_a_code_of_two_stops_is_taken_for_the_press_to_refuse() -> None:
    assert scanning.choose(route_with(("A1",), ("A1", "B1")), ["A1"]) == "A1"


def test_a_code_of_two_stops_beside_a_clear_one_leaves_it_open() -> None:
    assert scanning.choose(route_with(("A1",), ("A1", "B1")), ["A1", "B1"]) is None


@pytest.mark.parametrize(
    ("seen", "unknown"),
    [
        ((), ()),
        (("X", "Y"), ("X", "Y")),
        (("X", "A1"), ()),
        (("A1", "B1"), ()),
        (("PRACTICE",), ()),
    ],
    ids=str,
)
def test_a_picture_with_a_code_of_the_route_is_not_one_of_an_unknown_label(
    seen: tuple[str, ...], unknown: tuple[str, ...]
) -> None:
    """Otherwise one of two parcels, whichever is read first, would speak for the press."""
    assert scanning.unknown(route_with(("A1", "A2"), ("B1",)), seen) == unknown


# How long a code speaks


@pytest.mark.parametrize(("later_s", "speaks"), [(BOUND_S - 1, True), (BOUND_S + 1, False)])
def test_a_code_waits_fifteen_minutes_for_its_photo(later_s: float, *, speaks: bool) -> None:
    scan = Scan()
    scan.bind("A1", 0)

    assert said(scan, later_s, at(HOME)) == ("A1" if speaks else None)


@pytest.mark.parametrize(("later_s", "speaks"), [(AGAIN_S - 1, True), (AGAIN_S + 1, False)])
def test_after_a_photo_a_code_speaks_for_a_minute(later_s: float, *, speaks: bool) -> None:
    scan = Scan()
    scan.bind("A1", 0)
    scan.used(ns(100), at(HOME))

    assert said(scan, 100 + later_s, at(HOME)) == ("A1" if speaks else None)


def test_each_photo_begins_the_minute_anew_but_not_the_fifteen() -> None:
    scan = Scan()
    scan.bind("A1", 0)
    for second in range(0, 900, 50):
        assert said(scan, second, at(HOME)) == "A1"
        scan.used(ns(second), at(HOME))

    assert scan.code(ns(901), at(HOME)) is None


@pytest.mark.parametrize(("later_s", "opens"), [(OPENS_S, True), (OPENS_S + 1, False)])
def test_a_code_opens_doors_for_a_minute_after_it_was_read_whatever_was_photographed(
    later_s: float, *, opens: bool
) -> None:
    scan = Scan()
    scan.bind("A1", 0)
    for second in (10, 30, 59):
        scan.used(ns(second), at(HOME))
    code = scan.code(ns(later_s), at(HOME))

    assert code is not None
    assert code.opens is opens


@pytest.mark.parametrize(("metres", "speaks"), [(AWAY_M - 1, True), (AWAY_M + 1, False)])
def test_a_code_speaks_within_a_hundred_metres_of_its_first_photo(
    metres: float, *, speaks: bool
) -> None:
    """Of the first: a row of photos, each 90 m from the last, does not carry it along."""
    scan = Scan()
    scan.bind("A1", 0)
    scan.used(0, at(HOME))
    scan.used(ns(1), at(away(HOME, 45.0, 90.0)))
    there = at(away(HOME, 45.0, metres))

    assert said(scan, 2, there) == ("A1" if speaks else None)
    assert said(scan, 3, at(HOME)) == ("A1" if speaks else None), "and it does not come back"


def test_before_its_first_photo_a_code_may_be_carried_any_way() -> None:
    """It is scanned at the van, and the door may be far."""
    scan = Scan()
    scan.bind("A1", 0)

    assert said(scan, 60, at(NEXT)) == "A1"


def test_where_nobody_knows_the_place_only_time_ends_a_code() -> None:
    scan = Scan()
    scan.bind("A1", 0)
    scan.used(0, None)
    scan.used(ns(1), at(HOME))

    assert said(scan, 2) == "A1"
    assert scan.code(ns(2), at(NEXT)) is None


def test_a_refused_press_ends_the_code() -> None:
    """It must not speak for the next door."""
    scan = Scan()
    scan.bind("B1", 0)
    scan.refused()

    assert scan.code(ns(1), None) is None


def test_a_photo_without_a_code_makes_none() -> None:
    scan = Scan()
    scan.used(0, at(HOME))

    assert scan.code(0, at(HOME)) is None


def test_another_code_takes_the_place_of_the_first_with_nothing_of_its_photos() -> None:
    scan = Scan()
    scan.bind("A1", 0)
    scan.used(0, at(HOME))
    scan.bind("B1", ns(70))

    assert said(scan, 71, at(NEXT)) == "B1"
