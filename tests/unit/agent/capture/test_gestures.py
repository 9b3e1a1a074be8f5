"""The gestures that edges of the buttons make."""

import pytest

from agent.capture.gestures import Gesture, Gestures, NoPress, PhotoPress, SamePress, Scan, TakeBack
from hardware.button import ButtonChange, ButtonEvent, ButtonName

S = 1_000_000_000


def of(button: ButtonName, *changes: tuple[ButtonChange, float]) -> list[Gesture]:
    """Return the driver's gestures from these changes of a button, at these seconds."""
    gestures = Gestures()
    taken = [gestures.take(ButtonEvent(button, change, round(at * S))) for change, at in changes]
    return [gesture for gesture in taken if gesture is not None]


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
def test_how_long_scan_was_held_is_told_by_its_edges(held_s: float, meant: type[Gesture]) -> None:
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

    assert due_ns == 3 * S
    assert gestures.held(due_ns - 1) is None
    assert gestures.held(due_ns) == TakeBack(S)
    assert gestures.due_ns is None
    assert gestures.take(ButtonEvent(ButtonName.SCAN, ButtonChange.RELEASED, 4 * S)) is None
