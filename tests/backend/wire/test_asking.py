"""How many may ask at once, and for whom nobody waits."""

import asyncio
from collections.abc import Iterator
from threading import Event

import pytest

from doorstep_backend.engines.away import Away
from doorstep_backend.wire import asking
from doorstep_backend.wire.asking import asked, asked_by_people

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
        pages = [asyncio.ensure_future(asked_by_people(store_goes_on.wait)) for _ in range(MANY)]
        await asyncio.sleep(0)
        device = await asked(lambda: "an answer")
        return [device, *await asyncio.gather(*pages, return_exceptions=True)]

    device, *pages = asyncio.run(ask())

    assert device == "an answer"
    assert {type(page) for page in pages} == {Away}


def test_what_no_page_waits_for_any_more_still_has_its_place(
    store_goes_on: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each time that somebody loads a page anew would add to what the store is asked."""
    begun: list[int] = []
    monkeypatch.setattr(asking, "WITHIN_S", 0.1)

    def wait() -> None:
        begun.append(1)
        store_goes_on.wait()

    async def ask() -> None:
        pages = [asked_by_people(wait) for _ in range(MANY)]
        await asyncio.gather(*pages, return_exceptions=True)
        await asyncio.gather(*[asked_by_people(wait)], return_exceptions=True)
        store_goes_on.set()
        monkeypatch.setattr(asking, "WITHIN_S", 5.0)
        await asked_by_people(str)

    asyncio.run(ask())

    assert len(begun) == asking.PEOPLES_THREADS
