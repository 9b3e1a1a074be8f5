"""Who waits longest is next, and nobody's turn is lost."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from doorstep_backend.engines.away import Away
from doorstep_backend.wire.turns import Turns
from tests.support.waiting import until


def test_who_comes_again_and_again_is_not_before_who_waits() -> None:
    turns, begun, served = Turns(1), Event(), list[str]()

    def take(name: str, times: int) -> None:
        for _ in range(times):
            with turns.turn(10):
                begun.set()
                time.sleep(0.02)
                served.append(name)

    with ThreadPoolExecutor(2) as threads:
        threads.submit(take, "again", 30)
        begun.wait(10)
        threads.submit(take, "one", 1)

    assert served.index("one") <= 2


def test_so_many_at_once_and_who_gave_up_waiting_takes_no_turn() -> None:
    turns, ends, inside = Turns(2), Event(), list[int]()

    def stay(number: int) -> None:
        with turns.turn(10):
            inside.append(number)
            ends.wait(10)

    with ThreadPoolExecutor(3) as threads:
        for number in range(2):
            threads.submit(stay, number)
        until(lambda: len(inside) == 2)
        with pytest.raises(Away, match="at once as it can"), turns.turn(0.05):
            pass
        threads.submit(stay, 2)
        time.sleep(0.05)
        assert len(inside) == 2
        ends.set()

    assert sorted(inside) == [0, 1, 2]
    with turns.turn(0), turns.turn(0):
        pass
