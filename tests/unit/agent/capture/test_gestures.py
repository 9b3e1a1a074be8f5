"""The gestures that edges of the buttons make."""

import pytest

from agent.capture.gestures import (
    Gesture,
    Gestures,
    HandOver,
    NoPress,
    PhotoPress,
    SamePress,
    Scan,
    TakeBack,
)
from hardware.button import ButtonChange, ButtonEvent, ButtonName
from hardware.debounce import DebouncedPair

S = 1_000_000_000


def of(button: ButtonName, *changes: tuple[ButtonChange, float]) -> list[Gesture]:
    """Return the driver's gestures from these changes of a button, at these seconds."""
    gestures = Gestures()
    return [
        gesture
        for change, at in changes
        for gesture in gestures.take(ButtonEvent(button, change, round(at * S)))
    ]


def test_a_glitch_is_no_press_and_hides_none() -> None:
    changes = (ButtonChange.GLITCH, 1.0), (ButtonChange.PRESSED, 1.3), (ButtonChange.RELEASED, 1.4)

    assert of(ButtonName.PHOTO, *changes) == [NoPress(S), PhotoPress(13 * S // 10)]


def test_presses_that_are_told_in_another_order_count_once_too() -> None:
    """A command's edge may be told after a finger's that came a little later."""
    changes = (ButtonChange.PRESSED, 1.0), (ButtonChange.PRESSED, 0.9)

    assert of(ButtonName.PHOTO, *changes) == [PhotoPress(S), SamePress(9 * S // 10)]


@pytest.mark.parametrize(
    ("taps_s", "counted_s"),
    [
        ([0.0, 0.59], [0.0]),
        ([0.0, 0.6], [0.0, 0.6]),
        ([0.0, 0.35, 0.66], [0.0, 0.66]),
        ([0.0, 0.35, 0.7, 0.99, 1.31], [0.0, 0.7, 1.31]),
    ],
    ids=str,
)
def test_taps_within_600_ms_of_one_that_counts_are_that_one(
    taps_s: list[float], counted_s: list[float]
) -> None:
    """However late they are told: a press may be served meanwhile."""
    meant = of(ButtonName.PHOTO, *((ButtonChange.PRESSED, at_s) for at_s in taps_s))

    photos = [gesture.edge_ns for gesture in meant if isinstance(gesture, PhotoPress)]
    assert photos == [round(at_s * S) for at_s in counted_s]
    assert len(meant) == len(taps_s)


@pytest.mark.parametrize(("held_s", "meant"), [(0.1, Scan), (1.99, Scan), (2.0, TakeBack)])
def test_scan_hold_is_measured_by_its_edges(held_s: float, meant: type[Gesture]) -> None:
    changes = (
        (ButtonChange.TOUCHED, 1.0),
        (ButtonChange.PRESSED, 1.0),
        (ButtonChange.RELEASED, 1.0 + held_s),
    )

    assert of(ButtonName.SCAN, *changes) == [meant(S)]


def test_a_hold_is_one_before_it_is_let_go_and_no_second_one_then() -> None:
    gestures = Gestures()
    gestures.take(ButtonEvent(ButtonName.SCAN, ButtonChange.PRESSED, S))
    due_ns = gestures.due_ns

    assert due_ns == 31 * S // 10
    assert gestures.held(due_ns - 1) == []
    assert gestures.held(due_ns) == [TakeBack(S)]
    assert gestures.due_ns is None
    assert gestures.take(ButtonEvent(ButtonName.SCAN, ButtonChange.RELEASED, 4 * S)) == []


# Both buttons


def photo_press(at_s: float, scan_since_s: float | None) -> ButtonEvent:
    since_ns = None if scan_since_s is None else round(scan_since_s * S)
    return ButtonEvent(ButtonName.PHOTO, ButtonChange.PRESSED, round(at_s * S), since_ns)


@pytest.mark.parametrize(
    ("scan_down_s", "meant"),
    [
        (None, PhotoPress),
        (0.299, PhotoPress),
        (0.3, HandOver),
        (2.0, HandOver),
        (2.001, PhotoPress),
    ],
)
def test_a_photo_press_hands_over_if_scan_has_been_down_for_so_long(
    scan_down_s: float | None, meant: type[Gesture]
) -> None:
    since_s = None if scan_down_s is None else 10.0 - scan_down_s

    assert Gestures().take(photo_press(10.0, since_s)) == [meant(10 * S)]


def test_presses_of_a_hand_over_count_once_and_both_ways() -> None:
    """A second press within 600 ms is no photo, nor a hand-over soon after a photo one."""
    gestures = Gestures()
    events = (1.5, 1.0), (2.0, None), (2.2, None), (2.7, 2.3)

    taken = [gestures.take(photo_press(at_s, since_s)) for at_s, since_s in events]

    assert [type(one) for (one,) in taken] == [HandOver, SamePress, PhotoPress, SamePress]


@pytest.mark.parametrize(
    ("scan_ms", "photo_ms", "meant"),
    [
        ([10, 700], [510, 620], [HandOver]),
        ([10, 9_000], [510, 620], [HandOver]),
        ([10, 9_000], [510, 620, 1_210, 1_400], [HandOver, HandOver]),
        ([10, 511], [510, 516, 522, 620], [HandOver]),
        ([10, 9_000], [2_009, 2_100], [HandOver]),
        ([10, 2_012], [2_009, 2_100], [HandOver]),
        ([10, 9_000], [2_012, 2_120], [TakeBack, PhotoPress]),
        ([10, 9_000], [2_500, 2_600], [TakeBack, PhotoPress]),
        ([10, 509], [510, 620], [Scan, PhotoPress]),
        ([10, 110], [200, 320], [PhotoPress, Scan]),
        ([10, 110], [310, 430], [Scan, PhotoPress]),
        ([10, 110, 250, 900], [400, 520], [PhotoPress, Scan]),
        ([10, 200], [100, 220], [PhotoPress, Scan]),
        ([100, 220], [10, 130], [PhotoPress, Scan]),
        ([100, 900], [10, 130, 450, 600], [PhotoPress, SamePress, Scan]),
        ([10, 700], [510, 515], [NoPress, Scan]),
    ],
    ids=[
        "a hand-over",
        "the scan button stays down",
        "two parcels in one hold",
        "the scan button is let go while the photo button bounces",
        "just before two seconds",
        "just before two seconds, and let go then",
        "just after two seconds",
        "after a take-back",
        "let go just before",
        "a tap, and a photo before its release is told",
        "a tap, and a photo when its release was told",
        "off the scan button and on again within the lock-out",
        "a thumb that rolls from scan to photo",
        "a thumb that rolls from photo to scan",
        "a photo, and both buttons within 600 ms",
        "a touch of the photo button that is no press",
    ],
)
def test_fingers_on_both_buttons_mean_what_their_edges_say(
    scan_ms: list[int], photo_ms: list[int], meant: list[type[Gesture]]
) -> None:
    """Lines that close and open by turns, through the debounce, with the loop's turns in time."""
    pair, gestures, taken = DebouncedPair(), Gestures(), list[Gesture]()
    lines = {ButtonName.PHOTO: photo_ms, ButtonName.SCAN: scan_ms}
    for now_ms in range(9_500):
        now_ns = now_ms * 1_000_000
        events = [
            event
            for button, times_ms in lines.items()
            if now_ms in times_ms
            for event in pair.edge(button, now_ns, times_ms.index(now_ms) % 2 == 0)
        ] + pair.settle(now_ns)
        for event in events:
            taken += gestures.take(event)
        taken += gestures.held(now_ns)

    assert [type(one) for one in taken] == meant
