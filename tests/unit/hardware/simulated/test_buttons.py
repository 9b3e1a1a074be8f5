"""Simulated buttons: a finger on a bouncing contact, through the real debounce."""

import queue
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from hardware.button import ButtonEvent, ButtonName, Change
from hardware.simulated.buttons import SimulatedButtons
from hardware.simulated.world import World

MS = 1_000_000
PHOTO, SCAN = ButtonName.PHOTO, ButtonName.SCAN


class Listener:
    """Keeps the events, with when they came and how many presses the world had counted then."""

    def __init__(self, world: World, buttons: SimulatedButtons) -> None:
        self._world = world
        self.heard: queue.Queue[tuple[ButtonEvent, int, int]] = queue.Queue()
        buttons.listen(self._hear)

    def _hear(self, event: ButtonEvent) -> None:
        self.heard.put((event, time.monotonic_ns(), self._world.presses))

    def next(self) -> tuple[ButtonEvent, int, int]:
        return self.heard.get(timeout=3)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(None, tmp_path)


@pytest.fixture
def buttons(world: World) -> Iterator[SimulatedButtons]:
    opened = SimulatedButtons(world)
    yield opened
    opened.close()
    opened.close()


def test_a_press_is_touched_at_once_pressed_when_stable_and_released(
    world: World, buttons: SimulatedButtons
) -> None:
    listener = Listener(world, buttons)
    edge_ns = time.monotonic_ns()

    buttons.press(PHOTO, edge_ns, 0.12)

    assert listener.heard.qsize() == 1, "TOUCHED is told before press() returns"
    events = [listener.next() for _ in range(3)]
    assert [event for event, _, _ in events[:2]] == [
        ButtonEvent(PHOTO, Change.TOUCHED, edge_ns),
        ButtonEvent(PHOTO, Change.PRESSED, edge_ns),
    ]
    assert 10 * MS <= events[1][1] - edge_ns < 100 * MS
    released = events[2][0]
    assert released.change is Change.RELEASED
    assert 120 * MS <= released.edge_ns - edge_ns < 125 * MS


def test_the_world_has_counted_a_press_before_anybody_hears_of_it(
    world: World, buttons: SimulatedButtons
) -> None:
    listener = Listener(world, buttons)

    buttons.press(PHOTO, time.monotonic_ns())

    assert listener.next()[2] == 1


def test_the_scan_button_does_not_move_the_world_and_can_be_held(
    world: World, buttons: SimulatedButtons
) -> None:
    listener = Listener(world, buttons)
    edge_ns = time.monotonic_ns()

    buttons.press(SCAN, edge_ns, 0.5)

    events = [listener.next()[0] for _ in range(3)]
    assert [event.change for event in events] == [Change.TOUCHED, Change.PRESSED, Change.RELEASED]
    assert 500 * MS <= events[2].edge_ns - edge_ns < 505 * MS
    assert world.presses == 0


def test_a_finger_that_slips_is_one_press_for_world_and_board(
    world: World, buttons: SimulatedButtons
) -> None:
    listener = Listener(world, buttons)
    edge_ns = time.monotonic_ns()

    buttons.press(PHOTO, edge_ns)
    buttons.press(PHOTO, edge_ns + 60 * MS)

    changes = [listener.next()[0].change for _ in range(3)]
    assert changes == [Change.TOUCHED, Change.PRESSED, Change.RELEASED]
    assert world.presses == 1


def test_both_buttons_may_be_pressed_from_any_thread(
    world: World, buttons: SimulatedButtons
) -> None:
    listener = Listener(world, buttons)
    fingers = [
        Thread(target=buttons.press, args=(button, time.monotonic_ns())) for button in ButtonName
    ]

    for finger in fingers:
        finger.start()

    heard = {(event.button, event.change) for event in (listener.next()[0] for _ in range(6))}
    assert heard == {
        (button, change)
        for button in ButtonName
        for change in (Change.TOUCHED, Change.PRESSED, Change.RELEASED)
    }
    for finger in fingers:
        finger.join()
