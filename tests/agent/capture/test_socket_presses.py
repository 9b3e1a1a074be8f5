"""Presses through the socket from many clients at once, on real simulated buttons."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Final

import pytest

from agent.capture.gestures import Gestures, NoPress, Photo, Presses, SamePress, Scan
from agent.capture.socket_presses import SAME_PRESS, SocketPresses
from agent.errors import ExitCode
from hardware.button import ButtonEvent, ButtonName, Change
from hardware.simulated.buttons import SimulatedButtons
from hardware.simulated.world import World

CLIENTS: Final = 8
HELD_S: Final = 0.02
SERVED: Final = {"served": True}


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
        if (event.button, event.change) == (ButtonName.PHOTO, Change.TOUCHED):
            self._touches.counts(event.edge_ns)
            return
        match self._gestures.take(event):
            case Photo(edge_ns) | Scan(edge_ns) if self.answers:
                self.presses.answer(edge_ns, SERVED)
            case SamePress(edge_ns) | NoPress(edge_ns):
                self.presses.answer(edge_ns, SAME_PRESS)


@pytest.fixture(params=[True, False], ids=["simulated", "bench mode"])
def loop(request: pytest.FixtureRequest) -> Iterator[Loop]:
    with closing(SimulatedButtons(World(None, None))) as buttons:
        yield Loop(buttons if request.param else None)


@pytest.mark.parametrize("button", list(ButtonName))
def test_presses_are_answered_if_many_come_at_once(loop: Loop, button: ButtonName) -> None:
    """One counts, and the others are counted as one with it: nobody waits for the time-out."""
    with ThreadPoolExecutor(CLIENTS) as clients:
        told = [
            clients.submit(loop.presses.press, button, HELD_S, "tester", 0.7)
            for _ in range(CLIENTS)
        ]
        answers = [one.result() for one in told]

    assert answers.count(SERVED) == 1
    assert answers.count(SAME_PRESS) == CLIENTS - 1


def test_a_press_that_gets_no_answer_in_time_says_try_again_later(loop: Loop) -> None:
    """The press may still count, so nothing is known to be broken."""
    loop.answers = False

    told = loop.presses.press(ButtonName.PHOTO, HELD_S, "tester", 0.1)

    assert told["exit"] == ExitCode.LATER
    assert "capture is busy" in told["error"]
