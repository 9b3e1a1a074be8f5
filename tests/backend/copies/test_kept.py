"""A copy is made once, and goes with its photo."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from agent.capture import jpeg
from agent.models import CaptureId, Kind
from doorstep_backend.copies.kept import Copies
from doorstep_backend.copies.shows import Shows
from doorstep_backend.engines.objects import copy_name
from doorstep_backend.office.demo import ALLOWED
from tests.backend.copies.pasted import Person, door, with_person
from tests.support.demo_office import DemoOffice
from tests.support.engines import has, only_folder


@pytest.fixture
def town(tmp_path: Path) -> DemoOffice:
    return DemoOffice(tmp_path)


def left(town: DemoOffice, photo: bytes) -> CaptureId:
    stop = {"id": town.office.orders.find(ALLOWED).stop_id, "bound_by": "code", "ring": "inside"}
    return town.receive(town.van.make(Kind.PHOTO, {"stop": stop, "simulated": False}, photo))


def kept(town: DemoOffice, capture_id: str) -> list[Shows]:
    return [one for one in Shows if has(town.office.store.copy, capture_id, one)]


async def both(copies: Copies, capture_id: str) -> list[bytes]:
    return [await copies.copy(capture_id, shows) for shows in Shows]


def test_a_copy_is_made_once(town: DemoOffice) -> None:
    """The second look, and the one of the next process, get what lies there."""
    capture_id = town.receive(town.photo(ALLOWED))
    asyncio.run(both(Copies(town.office.store), capture_id))
    assert kept(town, capture_id) == list(Shows)
    town.office.store.objects.put(capture_id, copy_name(Shows.LABEL), b"what was made")

    found = asyncio.run(Copies(town.office.store).copy(capture_id, Shows.LABEL))

    assert found == b"what was made"


@pytest.mark.parametrize("how", ["erase", "lose"])
def test_copies_go_with_the_photo(town: DemoOffice, how: str) -> None:
    capture_id = town.receive(town.photo(ALLOWED))
    copies = Copies(town.office.store)
    asyncio.run(both(copies, capture_id))

    getattr(town.office.store, how)(capture_id)

    assert kept(town, capture_id) == []
    with pytest.raises(LookupError):
        asyncio.run(copies.copy(capture_id, Shows.LABEL))


@pytest.mark.slow
def test_a_photo_that_is_erased_while_its_copy_is_made_leaves_none(town: DemoOffice) -> None:
    capture_id = left(town, jpeg.encode(with_person(door(1), Person(100, 0, (800, 600))), 85))
    copies = Copies(town.office.store)

    async def erased_meanwhile() -> bytes:
        making = asyncio.create_task(_as_coroutine(copies, capture_id))
        await asyncio.sleep(0.1)
        town.office.store.erase(capture_id)
        return await making

    with pytest.raises(LookupError):
        asyncio.run(erased_meanwhile())
    assert kept(town, capture_id) == []


def _as_coroutine(copies: Copies, capture_id: str) -> Coroutine[Any, Any, bytes]:
    return copies.copy(capture_id, Shows.LABEL)


@only_folder
def test_what_a_process_left_half_written_is_gone_at_the_next_start(town: DemoOffice) -> None:
    (town.folder / "copies" / "x.label.jpg.part").write_bytes(b"half")

    town.office.store.objects.begin()

    assert list((town.folder / "copies").iterdir()) == []
