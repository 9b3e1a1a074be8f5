"""The limit of requests at once, and the order of those that wait."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from doorstep_backend.engines.unavailable import Unavailable
from doorstep_backend.wire import asking
from doorstep_backend.wire.asking import in_page_thread, in_thread
from doorstep_backend.wire.fair_semaphore import FairSemaphore
from tests.support.waiting import until

MANY = 50
"""More than a process has threads for all others (anyio: 40)."""


@pytest.fixture
def store_goes_on() -> Iterator[Event]:
    event = Event()
    yield event
    event.set()


def test_a_device_waits_for_no_page_however_many_wait(
    store_goes_on: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "WITHIN_S", 0.5)

    async def ask() -> list[object]:
        pages = [asyncio.ensure_future(in_page_thread(store_goes_on.wait)) for _ in range(MANY)]
        await asyncio.sleep(0)
        device = await in_thread(lambda: "an answer")
        return [device, *await asyncio.gather(*pages, return_exceptions=True)]

    device, *pages = asyncio.run(ask())

    assert device == "an answer"
    assert {type(page) for page in pages} == {Unavailable}


def test_abandoned_question_of_a_page_keeps_its_place(
    store_goes_on: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise each reload of a page would add another question to a stalled store."""
    begun: list[int] = []
    monkeypatch.setattr(asking, "WITHIN_S", 0.1)

    def wait() -> None:
        begun.append(1)
        store_goes_on.wait()

    async def ask() -> None:
        pages = [in_page_thread(wait) for _ in range(MANY)]
        await asyncio.gather(*pages, return_exceptions=True)
        await asyncio.gather(*[in_page_thread(wait)], return_exceptions=True)
        store_goes_on.set()
        monkeypatch.setattr(asking, "WITHIN_S", 5.0)
        await in_page_thread(str)

    asyncio.run(ask())

    assert len(begun) == asking.PEOPLES_THREADS


def test_caller_that_returns_is_served_after_those_that_wait() -> None:
    turns, begun, served = FairSemaphore(1), Event(), list[str]()

    def take(name: str, times: int) -> None:
        for _ in range(times):
            with turns.acquired(10):
                begun.set()
                time.sleep(0.02)
                served.append(name)

    with ThreadPoolExecutor(2) as threads:
        threads.submit(take, "again", 30)
        begun.wait(10)
        threads.submit(take, "one", 1)

    assert served.index("one") <= 2


def test_limit_of_callers_holds_and_a_caller_that_gave_up_takes_no_turn() -> None:
    turns, ends, inside = FairSemaphore(2), Event(), list[int]()

    def stay(number: int) -> None:
        with turns.acquired(10):
            inside.append(number)
            ends.wait(10)

    with ThreadPoolExecutor(3) as threads:
        for number in range(2):
            threads.submit(stay, number)
        until(lambda: len(inside) == 2)
        with pytest.raises(Unavailable, match="at once as it can"), turns.acquired(0.05):
            pass
        threads.submit(stay, 2)
        time.sleep(0.05)
        assert len(inside) == 2
        ends.set()

    assert sorted(inside) == [0, 1, 2]
    with turns.acquired(0), turns.acquired(0):
        pass
