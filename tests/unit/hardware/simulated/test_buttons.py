"""Simulated buttons: a finger on a bouncing contact, and the world that counts its presses."""

import queue
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest

from hardware.button import ButtonChange, ButtonEvent, ButtonName
from hardware.simulated.buttons import SimulatedButtons
from hardware.simulated.world import World

MS = 1_000_000
PUSHED = [ButtonChange.TOUCHED, ButtonChange.PRESSED, ButtonChange.RELEASED]

Heard = queue.Queue[tuple[ButtonEvent, int]]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(None, tmp_path)


@pytest.fixture
def buttons(world: World) -> Iterator[SimulatedButtons]:
    with closing(SimulatedButtons(world)) as opened:
        yield opened


@pytest.fixture
def heard(world: World, buttons: SimulatedButtons) -> Heard:
    """The events, with how many presses the world had counted then."""
    told: Heard = queue.Queue()
    buttons.listen(lambda event: told.put((event, world.presses)))
    return told


def changes(heard: Heard, count: int = 3) -> list[ButtonChange]:
    return [heard.get(timeout=3)[0].change for _ in range(count)]


def test_touch_is_reported_before_press_returns_and_the_world_counted_it(
    buttons: SimulatedButtons, heard: Heard
) -> None:
    edge_ns = time.monotonic_ns()

    buttons.press(ButtonName.PHOTO, edge_ns)

    touched = ButtonEvent(ButtonName.PHOTO, ButtonChange.TOUCHED, edge_ns)
    assert heard.get_nowait() == (touched, 1)


def test_the_scan_button_does_not_move_the_world(
    world: World, buttons: SimulatedButtons, heard: Heard
) -> None:
    buttons.press(ButtonName.SCAN, time.monotonic_ns())

    assert changes(heard) == PUSHED
    assert world.presses == 0


def test_a_finger_that_slips_is_one_press_for_world_and_board(
    world: World, buttons: SimulatedButtons, heard: Heard
) -> None:
    edge_ns = time.monotonic_ns()

    buttons.press(ButtonName.PHOTO, edge_ns)
    buttons.press(ButtonName.PHOTO, edge_ns + 60 * MS)

    assert changes(heard) == PUSHED
    assert world.presses == 1


def test_both_buttons_may_be_pressed_from_threads(buttons: SimulatedButtons, heard: Heard) -> None:
    fingers = [
        Thread(target=buttons.press, args=(button, time.monotonic_ns())) for button in ButtonName
    ]

    for finger in fingers:
        finger.start()

    events = [heard.get(timeout=3)[0] for _ in range(6)]
    assert {(event.button, event.change) for event in events} == {
        (button, change) for button in ButtonName for change in PUSHED
    }
    for finger in fingers:
        finger.join()
