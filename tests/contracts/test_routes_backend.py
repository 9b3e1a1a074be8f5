"""The smallest backend for the road gives each device its own uploads and records only."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.record import certificates, signing
from doorstep_backend.identity.authority import Authority
from tests.support.enrolment import certified
from tests.support.factory import RecordMaker, new_id
from tests.support.small_backends import SmallBackend, routes_backend
from tests.support.wire import Wire, record, speaking_to

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("road")


@pytest.fixture(scope="module")
def backend(folder: Path) -> Iterator[SmallBackend]:
    with routes_backend(folder) as running:
        (running.data / "evidence").mkdir()
        yield running


@contextmanager
def van(backend: SmallBackend, folder: Path, maker: RecordMaker) -> Iterator[Wire]:
    """Let a device in that signs by the maker's key, and connect as this device."""
    made = Authority.of(folder / "ca").evidence(maker.device_id, maker.key.public_key())
    (backend.data / f"evidence/{maker.device_id}.pem").write_bytes(certificates.pem([made]))
    own = certified(maker.device_id, folder)
    with speaking_to(backend.base_url, backend.ca_file, own) as wire:
        yield wire


def test_an_upload_belongs_to_its_device(backend: SmallBackend, folder: Path) -> None:
    """Begun or whole: another device can neither see nor continue it, nor after a restart."""
    maker, begun, whole = RecordMaker(device_id="van-1"), new_id(), new_id()
    content = record(maker, whole)

    with (
        van(backend, folder, maker) as own,
        van(backend, folder, RecordMaker(device_id="van-2")) as other,
    ):
        own.post(begun, content, content[:100])
        taken = own.post(whole, content, content)
        backend.restart()
        statuses = [
            other.head(begun).status_code,
            other.patch(begun, 100, content[100:]).status_code,
            other.head(whole).status_code,
        ]
        asked = other.receipts(whole).json(), own.receipts(whole).json()

    assert (taken.status_code, "Doorstep-Receipt" in taken.headers) == (201, True)
    assert statuses == [403, 403, 403]
    assert asked[0] == {whole: None}
    assert asked[1][whole].keys() == {"receipt"}


MAKER = RecordMaker(device_id="van-3")


@pytest.mark.parametrize("shown", [RecordMaker("van-3"), RecordMaker("van-4", key=MAKER.key)])
def test_a_record_that_is_not_by_its_device_gets_no_receipt(
    backend: SmallBackend, folder: Path, shown: RecordMaker
) -> None:
    """By a key without evidence, or of another device."""
    capture_id = new_id()
    content = record(MAKER, capture_id)

    with van(backend, folder, shown) as wire:
        refused = wire.post(capture_id, content, content)

    assert refused.status_code == 403
    assert "Doorstep-Receipt" not in refused.headers


@pytest.mark.parametrize(
    "label",
    [
        b"no label",
        b"eyJhbGciOiJFUzI1NiIsImp3ayI6Im5vIGtleSJ9.e30.AAAA",  # its jwk is a text
        signing.sign({"device_id": "van-3"}, MAKER.key, embed_key=True).encode(),
    ],
)
def test_a_record_whose_label_cannot_be_read_gets_no_receipt(
    backend: SmallBackend, folder: Path, label: bytes
) -> None:
    content = label + b"\nbody"

    with van(backend, folder, MAKER) as wire:
        refused = wire.post(new_id(), content, content)

    assert refused.status_code == 403
    assert "Doorstep-Receipt" not in refused.headers


def test_a_record_is_delivered_once_its_key_has_evidence(
    backend: SmallBackend, folder: Path
) -> None:
    """The answer before that decides nothing: the device keeps the record, and sends it again."""
    capture_id = new_id()
    content = record(MAKER, capture_id)
    with van(backend, folder, RecordMaker("van-3")) as wire:
        wire.post(capture_id, content, content)

    with van(backend, folder, MAKER) as wire:
        offset = int(wire.head(capture_id).headers["Upload-Offset"])
        answer = wire.patch(capture_id, offset, content[offset:])

    assert "Doorstep-Receipt" in answer.headers


def test_a_device_is_shut_out_by_taking_its_evidence_away(
    backend: SmallBackend, folder: Path
) -> None:
    (backend.data / "fleet.jws").write_text("a.b.c")

    with van(backend, folder, RecordMaker(device_id="van-5")) as wire:
        before = wire.get("/fleet").status_code
        (backend.data / "evidence/van-5.pem").unlink()
        after = wire.get("/fleet")

    assert (before, after.status_code, after.text) == (200, 403, "certificate unknown")
