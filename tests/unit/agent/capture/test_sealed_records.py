"""With sealed bodies, nothing of a customer is written in clear, and no photo too early."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.models import RecordKind
from agent.record import file as recordfile
from agent.record.sealing import SEALED_TYPE, Unopened
from tests.support.benchtop import Bench, Parts, bench
from tests.support.fleet import reason
from tests.support.fleet_documents import FleetOffice, identity
from tests.support.sealed import NAMES, unpack


def files(device: Bench) -> dict[str, bytes]:
    """Every record's bytes, by its kind."""
    return {row.kind: device.layout.record(row.capture_id).read_bytes() for row in device.rows()}


def body_type(content: bytes) -> str:
    return recordfile.check(content).label.body.type


def test_every_body_is_sealed_where_the_recipients_are_known(device: Bench) -> None:
    device.press()
    device.hold_scan()
    found = files(device)

    assert {RecordKind.CHAIN_START, RecordKind.PHOTO, RecordKind.VOID} <= found.keys()
    assert {body_type(content) for content in found.values()} == {SEALED_TYPE}
    for content in found.values():
        with pytest.raises(Unopened):
            recordfile.unpack(content)


def test_no_byte_of_a_photo_or_its_record_reaches_the_card(device: Bench, tmp_path: Path) -> None:
    """Before it is renamed either: the part is what is renamed."""
    device.press()
    opened = unpack(files(device)[RecordKind.PHOTO])
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())

    assert opened.photo is not None
    for marker in (b"\xff\xd8\xff", b"Exif\0\0", b'"quality"', opened.photo[2000:2032]):
        assert marker not in kept


def test_off_leaves_bodies_plain_and_says_so(tmp_path: Path) -> None:
    with bench(tmp_path, policy={"manifest": "off", "seal": "off"}) as device:
        device.press()
        found = files(device)

    assert {body_type(content) for content in found.values()} == {recordfile.BODY_TYPE}


@contextmanager
def member(folder: Path, office: FleetOffice) -> Iterator[Bench]:
    tables: dict[str, Any] = identity(folder, office) | {"policy": {"manifest": "off"}}
    with bench(folder, Parts(), **tables) as device:
        yield device


def offer(device: Bench, document: str) -> dict[str, Any]:
    return device.loop.documents.answer({"offer": "fleet", "text": document})


@pytest.mark.parametrize("names", [[], None])
def test_a_fleet_that_names_nobody_yet_gets_no_photo(
    tmp_path: Path, names: list[str] | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Its document is taken: receipts and manifests are judged by it. Presses wait."""
    office = FleetOffice()
    with member(tmp_path, office) as device:
        offered = offer(device, office.document(1, recipients=names))
        device.tick()
        before = reason(device.press()), device.loop.status()["ready"]
        plain = {body_type(content) for content in files(device).values()}
        starts = device.parts.camera.starts
        offer(device, office.document(2))
        device.tick()
        after = device.press()["record"], device.loop.status()["ready"]

    assert offered == {"taken": True}
    assert caplog.text.count("sync_brings_a_fleet_that_names_recipients") == 1
    assert (before, starts, plain) == (("not_enrolled", False), 0, {recordfile.BODY_TYPE})
    assert "photo" in after[0]
    assert after[1]


def test_another_fleet_document_changes_the_recipients_of_the_next_press(tmp_path: Path) -> None:
    office = FleetOffice()
    with member(tmp_path, office) as device:
        offer(device, office.document(1))
        first = device.press()["label"]["capture_id"]
        offer(device, office.document(2, recipients=[*NAMES, THIRD]))
        second = device.press()["label"]["capture_id"]
        kept = [device.layout.record(one).read_bytes() for one in (first, second)]

    assert [content.count(b"-> X25519 ") for content in kept] == [2, 3]


THIRD = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
"""From age's own manual page: nobody here can open by it."""
