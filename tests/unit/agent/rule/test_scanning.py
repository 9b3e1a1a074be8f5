"""Which of the codes in a picture counts, and for which press it speaks."""

from dataclasses import replace

import pytest

from agent.rule import scanning
from agent.rule.manifest import Manifest
from agent.rule.reach import Circle
from agent.rule.scanning import OPENS_S, WAITS_S, WITHIN_M, Code, LastCode
from tests.support.fleet import HOME, NEXT
from tests.support.roads import away, manifest_of, stop_at


def at(place: tuple[float, float]) -> Circle:
    return Circle(*place, radius_m=15.0)


def ns(seconds: float) -> int:
    return round(seconds * 1e9)


def said(scan: LastCode, at_s: float, here: Circle | None = None) -> str | None:
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

ROUTE = route_with(("A1", "A2"), ("B1",), ("TWICE",), ("TWICE", "C1"))


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
        (("TWICE",), "TWICE"),
        (("TWICE", "C1"), None),
    ],
    ids=str,
)
def test_the_code_that_is_meant_is_the_one_that_the_route_knows(
    seen: tuple[str, ...], meant: str | None
) -> None:
    """A label has several codes, two of one parcel mean the same, and two parcels mean nothing.

    A code of two stops is taken, and the press is refused.
    """
    assert scanning.choose(ROUTE, seen) == meant


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
    assert scanning.unknown(ROUTE, seen) == unknown


# For which press a code speaks


@pytest.mark.parametrize(("later_s", "speaks"), [(WAITS_S, True), (WAITS_S + 1, False)])
def test_code_waits_for_its_press_for_five_minutes(later_s: float, *, speaks: bool) -> None:
    scan = LastCode()
    scan.bind("A1", ns(1_000), at(HOME))

    assert said(scan, 1_000 + later_s, at(HOME)) == ("A1" if speaks else None)


@pytest.mark.parametrize(("metres", "speaks"), [(WITHIN_M + 29, True), (WITHIN_M + 31, False)])
def test_code_speaks_within_a_distance_of_where_it_was_read(metres: float, *, speaks: bool) -> None:
    """Each place may be 15 m nearer to the other one than its fix says.

    A fix that strays once does not end the code: only the press's own place counts.
    """
    scan = LastCode()
    scan.bind("A1", 0, at(HOME))

    assert said(scan, 1, at(away(HOME, 45.0, metres))) == ("A1" if speaks else None)
    assert said(scan, 2, at(HOME)) == "A1"


@pytest.mark.parametrize(("read", "pressed"), [(None, at(HOME)), (at(HOME), None), (None, None)])
def test_code_waits_by_time_alone_where_a_place_is_unknown(
    read: Circle | None, pressed: Circle | None
) -> None:
    scan = LastCode()
    scan.bind("A1", 0, read)

    assert said(scan, WAITS_S, pressed) == "A1"
    assert said(scan, WAITS_S + 1, pressed) is None


def test_code_is_forgotten_for_good() -> None:
    scan = LastCode()
    scan.bind("A1", 0, at(HOME))
    scan.clear()
    scan.served(ns(20))

    assert said(scan, 1, at(HOME)) is None


@pytest.mark.parametrize(("begins_s", "speaks"), [(320.0, True), (320.1, False)])
def test_code_speaks_for_a_retake_that_begins_in_time(begins_s: float, *, speaks: bool) -> None:
    """Only the edge of the retake counts, not the age of the label or a fix that strays."""
    scan = LastCode()
    scan.bind("A1", 0, at(HOME))
    scan.served(ns(320))

    assert said(scan, 400, at(HOME)) is None, "asked once a second, also while a press waits"
    assert said(scan, begins_s, at(NEXT)) == ("A1" if speaks else None)


def test_code_is_repeated_only_once() -> None:
    scan = LastCode()
    scan.bind("A1", 0, at(HOME))
    scan.served(ns(20))
    scan.served(ns(40))

    assert said(scan, 15, at(HOME)) is None


def test_code_that_is_read_again_starts_afresh() -> None:
    """A second parcel of the same customer is scanned again."""
    scan = LastCode()
    scan.bind("A1", 0, at(HOME))
    scan.served(ns(20))
    scan.bind("A1", ns(15), at(HOME))
    again = scan.code(ns(60), at(HOME))

    assert again == Code("A1", opens=True)


def test_another_code_replaces_the_one_of_a_retake() -> None:
    scan = LastCode()
    scan.bind("A1", 0, at(HOME))
    scan.served(ns(20))
    scan.bind("B1", ns(10), at(HOME))

    assert said(scan, 15, at(HOME)) == "B1"
    assert said(scan, 100, at(HOME)) == "B1"


@pytest.mark.parametrize(("later_s", "opens"), [(OPENS_S, True), (OPENS_S + 1, False)])
def test_code_opens_doors_for_a_minute_after_it_was_read(later_s: float, *, opens: bool) -> None:
    """A retake does not renew that: it opens nothing that the first photo could not."""
    scan, retaken = LastCode(), LastCode()
    scan.bind("A1", 0, at(HOME))
    retaken.bind("A1", 0, at(HOME))
    retaken.served(ns(70))

    assert scan.code(ns(later_s), at(HOME)) == Code("A1", opens)
    assert retaken.code(ns(later_s), at(HOME)) == Code("A1", opens)


def test_code_does_not_speak_for_a_press_that_began_before_it_was_read() -> None:
    scan = LastCode()
    scan.bind("A1", ns(10), at(HOME))

    assert said(scan, 9.9, at(HOME)) is None
    assert said(scan, 10, at(HOME)) == "A1"
