"""The contents of a device's card after a round: file by file, and block by block."""

import json
import os
import re
import struct
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

import pytest

from agent.trust.store import TrustStore
from doorstep_backend.office import demo
from tests.demo import story
from tests.demo.asking import Asking
from tests.demo.driver import DemoDevice
from tests.demo.round import Round
from tests.support.backend import Backend, running_backend
from tests.support.benchtop import bench
from tests.support.device import REPOSITORY, environment
from tests.support.factory import small_disk
from tests.support.faketime import faked
from tests.support.network import FaultProxy

pytestmark = pytest.mark.slow

AFTER_THE_SHIFT: Final = "+13h"
"""The demo's route is valid for twelve hours."""

SLICE_BYTES: Final = 24
"""Length of a searched piece of a photo or document: long enough to be unique."""

IMAGE_MARKERS: Final = (b"\xff\xd8\xff\xe0", b"\xff\xd8\xff\xe1", b"JFIF\0", b"Exif\0\0")


@dataclass(frozen=True, slots=True)
class Card:
    """A card after a round and the end of the shift.

    Attributes:
        raw: every block of it, free ones and the journal among them.
        files: what a look finds, by path; of both devices, without their names.
        records: what the backend has of each record that it opened.
        photos: as the devices made them.
        routes: what was in hand on the road, JWS.
    """

    raw: bytes
    files: frozenset[str]
    records: list[dict[str, Any]]
    photos: list[bytes]
    routes: list[str]


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Card:
    """The demo's round, by real processes with all that they write on one small card.

    Only what stands for the world is elsewhere: the script that says what the camera sees.
    """
    folder = tmp_path_factory.mktemp("stolen")
    office = folder / "office"
    with (
        small_disk(folder, 64) as disk,
        running_backend(office, switches=False, show_simulated=True, identity=True) as backend,
    ):
        temporary = disk / "tmp"
        temporary.mkdir()
        with environment(TMPDIR=str(temporary), PYTHONDONTWRITEBYTECODE="1"):
            routes = _play(disk, folder, backend)
        files = frozenset(_files(disk))
    os.sync()
    return Card(
        (folder / "disk.img").read_bytes(),
        files,
        [json.loads(path.read_text()) for path in (office / "records").iterdir()],
        [path.read_bytes() for path in (office / "photos").iterdir()],
        routes,
    )


def _play(disk: Path, folder: Path, backend: Backend) -> list[str]:
    for number, _ in enumerate(story.worlds(), start=1):
        (disk / f"demo-0{number}").mkdir()
        (disk / f"demo-0{number}" / "world.toml").symlink_to(folder / f"world-{number}.toml")
    office = story.demo_office(backend.data, "demo-01")
    with FaultProxy(("127.0.0.1", backend.port)) as network, ExitStack() as opened:
        played = Round(disk, backend, network, office, opened, Asking(backend, folder))
        played.play()
        assert played.problems == []
        routes = [str(TrustStore(van.processes.layout).manifest()) for van in played.vans]
        for van in played.vans:
            _end_of_shift(van)
        return routes


def _end_of_shift(van: DemoDevice) -> None:
    van.processes.stop_all()
    with environment(**faked(AFTER_THE_SHIFT)):
        van.processes.start("capture")
        trust = TrustStore(van.processes.layout)
        van.processes.await_that(lambda: trust.manifest() is None)
        van.processes.stop_all()


def _files(disk: Path) -> Iterator[str]:
    for path in disk.rglob("*"):
        if path.is_file() and path.name != "world.toml":
            name = str(path.relative_to(disk))
            yield re.sub(r"^demo-0\d/", "", name)


def slices(content: bytes) -> Iterator[bytes]:
    """Some of its middle, where it is nobody else's."""
    for at in range(len(content) // 4, len(content) - SLICE_BYTES, max(len(content) // 8, 1)):
        yield content[at : at + SLICE_BYTES]


def degrees(records: list[dict[str, Any]]) -> Iterator[float]:
    """Every coordinate that a device wrote down, and every one of a door that it knew."""
    for record in records:
        if place := record.get("record", {}).get("position"):
            yield from (place["lat_deg"], place["lon_deg"])
    for lat_deg, lon_deg in demo.PLACES.values():
        yield from (lat_deg, lon_deg)


def found(raw: bytes, *secrets: bytes) -> list[bytes]:
    return [secret for secret in secrets if secret in raw]


def test_no_block_of_the_card_holds_a_picture(card: Card) -> None:
    assert len(card.photos) >= 6
    assert found(card.raw, *IMAGE_MARKERS) == []
    assert found(card.raw, *(one for photo in card.photos for one in slices(photo))) == []


def test_no_block_of_the_card_holds_a_place(card: Card) -> None:
    """As text to four decimals, which is 11 m, and as a number in either order of bytes."""
    known = set(degrees(card.records))
    texts = {f"{int(value * 10_000) / 10_000:.4f}".encode() for value in known}
    numbers = {struct.pack(order, value) for value in known for order in ("<d", ">d")}

    assert len(known) > len(demo.PLACES)
    assert found(card.raw, *texts, *numbers) == []


def test_card_holds_no_door_after_the_shift(card: Card) -> None:
    """Neither a code nor a stop, nor any of the signed route, in which they are base64."""
    orders = demo.ORDERS
    told = {code.encode() for order in orders for code in order.codes}
    told |= {order.stop_id.encode() for order in orders}

    assert found(card.raw, *told) == []
    for route in card.routes:
        payload = route.split(".")[1].encode()
        assert len(payload) > 500
        assert found(card.raw, *slices(payload)) == []


def test_the_marks_are_found_where_nothing_is_sealed(tmp_path: Path) -> None:
    """Otherwise the tests above could not fail."""
    with small_disk(tmp_path) as disk:
        with bench(disk / "van", policy={"manifest": "off", "seal": "off"}) as device:
            device.parts.fix()
            device.press()
            photo = device.all_opened()[-1].photo
        assert photo is not None
    os.sync()
    raw = (tmp_path / "disk.img").read_bytes()

    assert found(raw, b"Exif\0\0") == [b"Exif\0\0"]
    assert found(raw, *slices(photo)) == list(slices(photo))
    assert found(raw, b"52.5200") == [b"52.5200"]


def test_the_page_names_every_file_on_the_card_and_no_other(card: Card) -> None:
    named = tomllib.loads((REPOSITORY / "tests/scenarios/card.toml").read_text(encoding="utf-8"))
    patterns = [each for names in named for each in names.split()]
    unnamed = [one for one in card.files if not any(fnmatch(one, each) for each in patterns)]
    unseen = [one for one in patterns if not any(fnmatch(each, one) for each in card.files)]

    assert (sorted(unnamed), unseen) == ([], [])
