"""What counts as a press, by the edges of real buttons that bounce in a thread of their own."""

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from agent.capture.gestures import Gesture, Gestures, NoPress, Photo, SamePress, Scan, TakeBack
from hardware.board import Board
from hardware.button import ButtonEvent, ButtonName, Change
from hardware.camera import Frame
from hardware.settings import BoardSettings
from hardware.simulated.buttons import SimulatedButtons
from hardware.simulated.world import World
from tests.support.benchtop import Parts, Pictures, bench

S = 1_000_000_000


def of(button: ButtonName, *changes: tuple[Change, float]) -> list[Gesture]:
    """What the driver means by these changes of a button, at these seconds."""
    gestures = Gestures()
    taken = [gestures.take(ButtonEvent(button, change, round(at * S))) for change, at in changes]
    return [gesture for gesture in taken if gesture is not None]


def test_a_glitch_is_no_press_and_hides_none() -> None:
    changes = (Change.GLITCH, 1.0), (Change.PRESSED, 1.3), (Change.RELEASED, 1.4)

    assert of(ButtonName.PHOTO, *changes) == [NoPress(S), Photo(13 * S // 10)]


def test_presses_that_are_told_in_another_order_count_once_too() -> None:
    """A command's edge may be told after a finger's that came a little later."""
    changes = (Change.PRESSED, 1.0), (Change.PRESSED, 0.9)

    assert of(ButtonName.PHOTO, *changes) == [Photo(S), SamePress(9 * S // 10)]


@pytest.mark.parametrize(("held_s", "meant"), [(0.1, Scan), (1.99, Scan), (2.0, TakeBack)])
def test_how_long_scan_was_held_is_a_matter_of_its_edges(
    held_s: float, meant: type[Gesture]
) -> None:
    changes = (Change.TOUCHED, 1.0), (Change.PRESSED, 1.0), (Change.RELEASED, 1.0 + held_s)

    assert of(ButtonName.SCAN, *changes) == [meant(S)]


def test_a_hold_is_one_before_it_is_let_go_and_no_second_one_then() -> None:
    gestures = Gestures()
    gestures.take(ButtonEvent(ButtonName.SCAN, Change.PRESSED, S))
    due_ns = gestures.due_ns

    assert due_ns == 3 * S
    assert gestures.held(due_ns - 1) is None
    assert gestures.held(due_ns) == TakeBack(S)
    assert gestures.due_ns is None
    assert gestures.take(ButtonEvent(ButtonName.SCAN, Change.RELEASED, 4 * S)) is None


class Held(Pictures):
    """A camera that takes no picture until it is let go: a press is being served meanwhile."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        super().__init__(now_ns)
        self.taking = threading.Event()
        self.let_go = threading.Event()

    def take(self, after_ns: int, count: int, deadline_s: float) -> Generator[Frame]:
        self.taking.set()
        assert self.let_go.wait(5.0)
        yield from super().take(after_ns, count, deadline_s)


class Bouncing(Parts):
    """A board with the simulated buttons."""

    buttons: SimulatedButtons

    def open(self, settings: BoardSettings, run_dir: Path, floor: datetime) -> Board:
        parts = ExitStack()
        self.buttons = SimulatedButtons(World(None, run_dir))
        parts.callback(self.buttons.close)
        board = super().open(settings, run_dir, floor)
        return replace(board, buttons=self.buttons, parts=parts)


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
def test_of_taps_while_a_press_is_served_those_within_600_ms_of_one_that_counts_are_that_one(
    tmp_path: Path, taps_s: Sequence[float], counted_s: Sequence[float]
) -> None:
    parts = Bouncing()
    camera = parts.camera = Held(parts.now)
    with bench(tmp_path, parts) as device:
        began_ns = parts.now() - 10**10  # long ago: no tap has to be waited for

        def tap() -> None:
            for number, tap_s in enumerate(taps_s):
                parts.buttons.press(ButtonName.PHOTO, began_ns + round(tap_s * 1e9))
                assert number or camera.taking.wait(5.0)
            camera.let_go.set()
            device.loop.stop()

        finger = threading.Thread(target=tap)
        finger.start()
        device.run()
        finger.join()
        photos = [kept for kept in device.all_opened() if kept.label.kind == "photo"]

    assert [kept.label.monotonic_ns for kept in photos] == [
        began_ns + round(at_s * 1e9) for at_s in counted_s
    ]
