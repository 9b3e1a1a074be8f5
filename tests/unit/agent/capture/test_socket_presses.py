"""Presses through the socket from many clients at once, on real simulated buttons."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Final

import pytest

from agent.capture.gestures import (
    Gesture,
    Gestures,
    HandOver,
    NoPress,
    PhotoPress,
    Presses,
    SamePress,
    Scan,
)
from agent.capture.socket_presses import BUTTON_IS_DOWN, SAME_PRESS, Reply, SocketPresses
from agent.errors import ExitCode
from hardware.button import ButtonChange, ButtonEvent, ButtonName
from hardware.simulated.buttons import SimulatedButtons
from hardware.simulated.world import World
from tests.support.benchtop import SetTime

CLIENTS: Final = 8
HELD_S: Final = 0.02
SERVED: Final = {"served": True}
HANDED_OVER: Final = {"handed_over": True}


class Loop:
    """As much of the capture loop as a press meets: it counts touches, and answers gestures."""

    def __init__(self, buttons: SimulatedButtons | None) -> None:
        self._touches, self._gestures = Presses(), Gestures()
        self.answers = True
        self.presses = SocketPresses(
            buttons.press if buttons else None,
            self.on_event,
            self._is_same,
            time.monotonic_ns,
            bench_mode=True,
        )
        if buttons:
            buttons.listen(self.on_event)

    def _is_same(self, edge_ns: int) -> bool:
        is_same = self._touches.is_same(edge_ns)
        time.sleep(0.02)  # long enough for all clients to ask before one of them presses
        return is_same

    def on_event(self, event: ButtonEvent) -> None:
        if (event.button, event.change) == (ButtonName.PHOTO, ButtonChange.TOUCHED):
            self._touches.take(event.edge_ns)
            return
        for gesture in self._gestures.take(event):
            self._answer(gesture)

    def _answer(self, gesture: Gesture) -> None:
        match gesture:
            case PhotoPress(edge_ns) | Scan(edge_ns) if self.answers:
                self.presses.answer(edge_ns, SERVED)
            case HandOver(edge_ns) if self.answers:
                self.presses.answer(edge_ns, HANDED_OVER)
            case SamePress(edge_ns) | NoPress(edge_ns):
                self.presses.answer(edge_ns, SAME_PRESS)


@pytest.fixture(params=[True, False], ids=["simulated", "bench mode"])
def loop(request: pytest.FixtureRequest) -> Iterator[Loop]:
    with closing(SimulatedButtons(World(None, None))) as buttons:
        yield Loop(buttons if request.param else None)


@pytest.mark.parametrize(
    ("button", "others"), [(ButtonName.PHOTO, SAME_PRESS), (ButtonName.SCAN, BUTTON_IS_DOWN)]
)
def test_presses_are_answered_if_many_come_at_once(
    loop: Loop, button: ButtonName, others: Reply
) -> None:
    """The first is served. The others count as one with it, and the scan button is down."""
    with ThreadPoolExecutor(CLIENTS) as clients:
        told = [
            clients.submit(loop.presses.press, button, HELD_S, "tester", 0.7)
            for _ in range(CLIENTS)
        ]
        answers = [one.result() for one in told]

    assert answers.count(SERVED) == 1
    assert answers.count(others) == CLIENTS - 1


@pytest.mark.parametrize(
    ("button", "half_a_second_later"),
    [(ButtonName.PHOTO, SAME_PRESS), (ButtonName.SCAN, BUTTON_IS_DOWN)],
)
def test_press_while_the_button_is_held_says_that_it_is_down(
    button: ButtonName, half_a_second_later: Reply
) -> None:
    """Held for 5 s; only photo presses within 0.6 s count as one with the press before."""
    touches, now = Presses(), SetTime()

    def finger(_button: ButtonName, edge_ns: int, _held_s: float) -> None:
        touches.take(edge_ns)
        presses.answer(edge_ns, SERVED)

    def press(after_s: float) -> Reply:
        now.pass_s(after_s)
        return presses.press(button, 5.0, "tester", 0.0)

    presses = SocketPresses(finger, lambda _: None, touches.is_same, now, bench_mode=False)

    told = [press(after_s) for after_s in (0.0, 0.5, 0.2, 4.5, 0.2)]

    down = BUTTON_IS_DOWN
    assert told == [SERVED, half_a_second_later, down, down, SERVED]
    assert down == {"error": "the button is down; try again", "exit": ExitCode.LATER}


def test_a_hand_over_presses_both_buttons_and_leaves_them_up(loop: Loop) -> None:
    """Meanwhile both are down; later the scan button's next press is one of its own."""
    with ThreadPoolExecutor(1) as client:
        told = client.submit(loop.presses.hand_over, "tester", 2.0)
        time.sleep(0.1)
        meanwhile = [loop.presses.press(one, HELD_S, "tester", 0.7) for one in ButtonName]
        handed_over = told.result()
    time.sleep(0.5)
    after = loop.presses.press(ButtonName.SCAN, HELD_S, "tester", 0.7)

    assert handed_over == HANDED_OVER
    assert all(one in (SAME_PRESS, BUTTON_IS_DOWN) for one in meanwhile)
    assert after == SERVED


def test_a_press_that_gets_no_answer_in_time_says_try_again_later(loop: Loop) -> None:
    """The press may still count, so nothing is known to be broken. The message names the wait."""
    loop.answers = False
    began_s = time.monotonic()

    told = loop.presses.press(ButtonName.PHOTO, 0.5, "tester", 0.1)

    assert 0.6 <= time.monotonic() - began_s < 1.0
    assert told["exit"] == ExitCode.LATER
    assert "capture is busy: no answer in 0.6 s" in told["error"]
