"""A technician over the wire: whose records the certificate delivers, and the mark on them."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from doorstep_backend.identity.known import DeviceState
from doorstep_backend.identity.register import Register
from doorstep_backend.wire.rescued import Rescues
from doorstep_backend.wire.store import Store
from doorstep_backend.wire.tus import NO_SUCH_UPLOAD
from tests.support.backend import Backend
from tests.support.engines import has
from tests.support.enrolment import EnrolledDevice, enrolled
from tests.support.factory import RecordMaker, new_id
from tests.support.wire import Wire, record, speaking_to


def name_of(ada: Wire) -> str:
    assert isinstance(ada.session.cert, tuple)
    return Path(ada.session.cert[0]).stem


def brought(ada: Wire, maker: RecordMaker) -> tuple[str, Any]:
    """A record of another device's chain, from its card: its id, and the answer."""
    capture_id = new_id()
    content = record(maker, capture_id)
    return capture_id, ada.post(capture_id, content, content)


def marks(backend: Backend) -> Rescues:
    return Rescues(Store(backend.data))


# --- whose records


@pytest.mark.parametrize("end", [None, DeviceState.REVOKED, DeviceState.GONE])
def test_she_delivers_what_a_device_signed_also_when_it_is_out(
    van: EnrolledDevice, ada: Wire, end: DeviceState | None
) -> None:
    if end is not None:
        Register(van.backend.data).shut_out(van.device_id, end)

    capture_id, answer = brought(ada, van.maker)

    assert answer.status_code == 201
    assert "Doorstep-Receipt" in answer.headers
    assert has(Store(van.backend.data).received, capture_id)
    assert marks(van.backend).by(capture_id) == name_of(ada)
    (one,) = marks(van.backend).of_device(van.device_id)
    assert (one.by, one.records) == (name_of(ada), 1)


def test_a_mark_is_for_bytes_that_she_brought(van: EnrolledDevice, ada: Wire) -> None:
    """Otherwise she could claim what the device sent, and nobody would know which photo she had."""
    capture_id = new_id()
    content = record(van.maker, capture_id)
    van.wire().post(capture_id, content, content)

    answer = ada.patch(capture_id, len(content), b"")

    assert answer.status_code == 204
    assert marks(van.backend).by(capture_id) is None


@pytest.mark.parametrize("she_begins", [False, True])
def test_upload_of_one_is_finished_by_the_other(
    van: EnrolledDevice, ada: Wire, *, she_begins: bool
) -> None:
    """A device that comes back would pause for good if it were answered 403."""
    capture_id = new_id()
    content = record(van.maker, capture_id)
    first, second = (ada, van.wire()) if she_begins else (van.wire(), ada)
    first.post(capture_id, content)
    first.patch(capture_id, 0, content[:1000])

    assert second.head(capture_id).headers["Upload-Offset"] == "1000"
    answer = second.patch(capture_id, 1000, content[1000:])

    assert answer.status_code == 204
    assert "Doorstep-Receipt" in answer.headers
    assert marks(van.backend).by(capture_id) == name_of(ada)
    assert "receipt" in van.wire().receipts(capture_id).json()[capture_id]


def test_upload_dropped_while_she_sends_it_must_begin_again(van: EnrolledDevice, ada: Wire) -> None:
    """The test holds it until her first bytes wait to be marked."""
    capture_id = new_id()
    content = record(van.maker, capture_id)
    ada.post(capture_id, content)
    store = Store(van.backend.data)

    with ThreadPoolExecutor(1) as elsewhere:
        with store.upload_locked(capture_id):
            sent = elsewhere.submit(ada.patch, capture_id, 0, content)
            time.sleep(0.7)
            store.drop(capture_id)
        answer = sent.result()

    assert (answer.status_code, answer.text) == (404, f"{NO_SUCH_UPLOAD}\n")


def test_record_that_she_delivered_is_its_devices_alone(
    van: EnrolledDevice, ada: Wire, tmp_path: Path
) -> None:
    capture_id, _ = brought(ada, van.maker)
    other = enrolled(van.backend, tmp_path, f"van-{uuid4()}")

    with speaking_to(van.backend.base_url, van.backend.ca_file, other.files) as wire:
        theirs = [wire.head(capture_id).status_code, wire.receipts(capture_id).json()]
    own = [van.wire().head(capture_id).status_code, van.wire().receipts(capture_id).json()]

    assert theirs == [403, {capture_id: None}]
    assert own[0] == 200
    assert "receipt" in own[1][capture_id]


def test_a_record_that_is_not_ours_is_403_and_nothing_of_it_stays(
    van: EnrolledDevice, ada: Wire
) -> None:
    """Without a signed refusal: it stays on its card, whosever that is."""
    stranger = RecordMaker(device_id=f"van-{uuid4()}")
    forger = RecordMaker(device_id=van.device_id)
    words = ("is no device of this fleet", "never signed with the key of this record here")

    for maker, said in zip((stranger, forger), words, strict=True):
        capture_id, answer = brought(ada, maker)

        assert answer.status_code == 403
        assert said in answer.text
        assert "Doorstep-Refusal" not in answer.headers
        assert ada.head(capture_id).status_code == 404


def test_a_record_by_a_revoked_key_is_not_taken(van: EnrolledDevice, ada: Wire) -> None:
    van.backend.command("devices", "revoke", van.device_id, "--evidence", "2026-11-01T00:00:00Z")

    capture_id, answer = brought(ada, van.maker)

    assert answer.status_code == 403
    assert "was revoked: ask the office" in answer.text
    assert ada.head(capture_id).status_code == 404
