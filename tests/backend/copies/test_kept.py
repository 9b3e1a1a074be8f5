"""A copy is made once, and goes with its photo."""

import asyncio

import pytest

from doorstep_backend.copies.kept import Copies
from doorstep_backend.copies.shows import Shows
from doorstep_backend.engines.objects import copy_name
from doorstep_backend.office.demo import ALLOWED
from tests.support.demo_office import DemoOffice
from tests.support.engines import has, only_folder


def kept(demo_office: DemoOffice, capture_id: str) -> list[Shows]:
    return [one for one in Shows if has(demo_office.office.store.copy, capture_id, one)]


async def both(copies: Copies, capture_id: str) -> list[bytes]:
    return [await copies.copy(capture_id, shows) for shows in Shows]


def test_a_copy_is_made_once(demo_office: DemoOffice) -> None:
    """The second look, also one of the next process, gets the stored copy."""
    capture_id = demo_office.receive(demo_office.photo(ALLOWED))
    asyncio.run(both(Copies(demo_office.office.store), capture_id))
    assert kept(demo_office, capture_id) == list(Shows)
    demo_office.office.store.objects.put(capture_id, copy_name(Shows.LABEL), b"what was made")

    found = asyncio.run(Copies(demo_office.office.store).copy(capture_id, Shows.LABEL))

    assert found == b"what was made"


@pytest.mark.parametrize("how", ["erase", "lose"])
def test_copies_go_with_the_photo(demo_office: DemoOffice, how: str) -> None:
    capture_id = demo_office.receive(demo_office.photo(ALLOWED))
    copies = Copies(demo_office.office.store)
    asyncio.run(both(copies, capture_id))

    getattr(demo_office.office.store, how)(capture_id)

    assert kept(demo_office, capture_id) == []
    with pytest.raises(LookupError):
        asyncio.run(copies.copy(capture_id, Shows.LABEL))


@only_folder
def test_half_written_copy_is_deleted_at_the_next_start(
    demo_office: DemoOffice,
) -> None:
    (demo_office.folder / "copies" / "x.label.jpg.part").write_bytes(b"half")

    demo_office.office.store.objects.begin()

    assert list((demo_office.folder / "copies").iterdir()) == []
