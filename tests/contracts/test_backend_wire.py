"""The backend's side of the wire, over real HTTPS against the real process."""

import hashlib
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from agent.models import RecordKind
from agent.record.verify import examine
from doorstep_backend.engines.chosen import objects_of
from doorstep_backend.engines.objects import REFUSED, TEXT
from doorstep_backend.wire.store import Store
from tests.support.backend import Backend
from tests.support.engines import has
from tests.support.factory import RecordMaker, decoded, is_high, new_id, respelled_file
from tests.support.wire import (
    PHOTO,
    VERSION,
    Wire,
    announce,
    proven,
    record,
)

# --- one whole upload


def test_post_with_body_is_stored_unpacked_and_receipted(
    wire: Wire, backend: Backend, capture_id: str, content: bytes
) -> None:
    """A single request is enough, and leaves the bytes, the photo and the record in the open."""
    answer = wire.post(capture_id, content, content)

    assert answer.status_code == 201
    assert answer.headers["Location"] == f"{backend.base_url}/files/{capture_id}"
    assert answer.headers["Upload-Offset"] == answer.headers["Upload-Length"] == str(len(content))
    kept = Store(backend.data)
    assert kept.received(capture_id) == content
    assert kept.photo(capture_id) == PHOTO
    assert kept.label(capture_id)["capture_id"] == capture_id
    assert kept.record(capture_id) == {"simulated": True, "new": "field"}
    assert type_of(answer.headers["Doorstep-Receipt"]) == "doorstep-receipt"


def type_of(token: str) -> str:
    return str(json.loads(decoded(token.partition(".")[0]))["typ"])


def test_chunked_bodies_are_appended_too(wire: Wire, capture_id: str, content: bytes) -> None:
    answer = wire.post(capture_id, content, iter([content[:10], content[10:]]))

    assert answer.status_code == 201
    assert "Doorstep-Receipt" in answer.headers


def test_options_names_version_and_extensions(wire: Wire) -> None:
    answer = wire.session.options(f"{wire.base_url}/files", timeout=10)

    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert answer.headers["Tus-Extension"] == "creation,creation-with-upload"
    assert int(answer.headers["Tus-Max-Size"]) > 1_000_000


# --- HEAD


def test_head_tells_offset_length_and_metadata(wire: Wire, capture_id: str, content: bytes) -> None:
    wire.post(capture_id, content)
    wire.patch(capture_id, 0, content[:7])

    answer = wire.head(capture_id)

    assert answer.status_code == 200
    assert answer.headers["Upload-Offset"] == "7"
    assert answer.headers["Upload-Length"] == str(len(content))
    assert answer.headers["Cache-Control"] == "no-store"
    announced = announce(capture_id, content)["Upload-Metadata"]
    assert answer.headers["Upload-Metadata"] == announced


def test_an_offset_is_right_or_409_and_a_finished_upload_has_none(
    wire: Wire, capture_id: str, content: bytes
) -> None:
    """409 tells the right one; HEAD never carries a receipt, which is asked for at /receipts."""
    wire.post(capture_id, content)
    wire.patch(capture_id, 0, content[:50])

    refused = [wire.patch(capture_id, offset, content[offset:]) for offset in (0, 49, 51)]
    last = wire.patch(capture_id, 50, content[50:])
    again, head = wire.patch(capture_id, 0, content), wire.head(capture_id)

    assert [answer.status_code for answer in (*refused, last, again)] == [409, 409, 409, 204, 409]
    assert [answer.headers["Upload-Offset"] for answer in refused] == ["50", "50", "50"]
    assert head.headers["Upload-Offset"] == head.headers["Upload-Length"] == str(len(content))
    assert "Doorstep-Receipt" not in head.headers


# --- refusals


@pytest.mark.parametrize("kept_bytes", [0, 1000, None])
def test_post_of_an_existing_id_is_409_and_changes_nothing(
    wire: Wire, backend: Backend, capture_id: str, content: bytes, kept_bytes: int | None
) -> None:
    """An empty, partial or complete upload is never overwritten."""
    wire.post(capture_id, content)
    wire.patch(capture_id, 0, content[:kept_bytes])
    before = wire.head(capture_id).headers["Upload-Offset"]

    with_body = wire.post(capture_id, content, content)
    without = wire.post(capture_id, content)

    assert (with_body.status_code, without.status_code) == (409, 409)
    assert wire.head(capture_id).headers["Upload-Offset"] == before
    if kept_bytes is None:
        assert Store(backend.data).received(capture_id) == content


def test_early_refusal_of_a_long_body_is_still_readable(wire: Wire, maker: RecordMaker) -> None:
    """A server that answers and closes while the body comes shows no status at all."""
    capture_id = new_id()
    content = record(maker, capture_id, PHOTO * 20)
    wire.post(capture_id, content)

    statuses = {wire.post(capture_id, content, content).status_code for _ in range(5)}

    assert statuses == {409}


@pytest.mark.parametrize(
    "capture_id",
    ["1", "..%2Fkeys", "D9428888-122B-11E1-B85C-61CD3CBB3210", "d9428888122b11e1b85c61cd3cbb3210"],
)
def test_ids_that_are_no_uuids_are_400(wire: Wire, capture_id: str) -> None:
    """A single spelling per upload, and no name that could leave the folder."""
    statuses = [
        wire.post(capture_id, b"content", b"content").status_code,
        wire.head(capture_id).status_code,
        wire.patch(capture_id, 0, b"content").status_code,
        wire.receipts(capture_id).status_code,
    ]

    slash_is_no_route = 404 if "%2F" in capture_id else 400
    assert statuses == [400, slash_is_no_route, slash_is_no_route, 400]


@pytest.mark.parametrize("version", ["0.2.2", "2.0.0", ""])
def test_wrong_version_is_412_and_tells_the_right_one(
    wire: Wire, capture_id: str, content: bytes, version: str
) -> None:
    wrong = {"Tus-Resumable": version}

    answers = [
        wire.post(capture_id, content, content, **wrong),
        wire.head(capture_id, **wrong),
        wire.patch(capture_id, 0, content, **wrong),
    ]

    assert [answer.status_code for answer in answers] == [412, 412, 412]
    assert {answer.headers["Tus-Version"] for answer in answers} == {"1.0.0"}


def test_over_long_body_is_413_and_nothing_of_it_is_kept(wire: Wire, maker: RecordMaker) -> None:
    """Announced or chunked: a body longer than what is left leaves the offset where it was."""
    capture_id, never = new_id(), new_id()
    content = record(maker, capture_id)
    wire.post(capture_id, content)
    wire.patch(capture_id, 0, content[:20])

    announced = wire.patch(capture_id, 20, content)
    chunked = wire.patch(capture_id, 20, iter([content[20:], b"more"]))
    posted = wire.post(never, content, content + b"more")

    assert (announced.status_code, chunked.status_code, posted.status_code) == (413, 413, 413)
    assert wire.head(never).status_code == 404
    assert wire.head(capture_id).headers["Upload-Offset"] == "20"
    assert wire.patch(capture_id, 20, content[20:]).status_code == 204


def test_more_than_the_backend_takes_is_413(wire: Wire) -> None:
    headers = VERSION | announce(new_id(), b"") | {"Upload-Length": "999999999999"}

    assert wire.session.post(f"{wire.base_url}/files", headers=headers).status_code == 413


def metadata(filetype: str) -> dict[str, str]:
    said = announce(str(uuid4()), b"x")["Upload-Metadata"]
    return {"Upload-Metadata": f"{said.rpartition(',')[0]},{filetype}"}


@pytest.mark.parametrize(
    "changed",
    [
        {"Upload-Length": "-1"},
        {"Upload-Length": "ten"},
        {"Upload-Length": ""},
        {"Upload-Metadata": ""},
        {"Upload-Metadata": "capture_id !!"},
        announce(str(uuid4()), b"x", place="52.5"),
        announce(str(uuid4()), b"x", sha256="A" * 64),
        announce(str(uuid4()), b"x", sha256="a" * 63),
        metadata("filetype " + "YWFh" * 1000),
        metadata("filetype YQ==,filetype YQ=="),
        metadata("filetype \xe4"),
        metadata("filetype /w=="),
    ],
    ids=lambda changed: str(changed)[-50:],
)
def test_malformed_announcement_is_400(wire: Wire, changed: dict[str, str]) -> None:
    """Metadata is capture_id, sha256 and filetype and nothing else: proxies log it."""
    headers = VERSION | announce(new_id(), b"x") | changed

    answer = wire.session.post(f"{wire.base_url}/files", headers=headers, timeout=10)

    assert answer.status_code == 400


# --- signed refusals


def refusal_of(backend: Backend, answer: Any) -> dict[str, Any]:
    assert answer.status_code == 422
    assert "Doorstep-Receipt" not in answer.headers
    assert type_of(answer.headers["Doorstep-Refusal"]) == "doorstep-refusal"
    return proven(backend.receipt_key_file, answer.headers["Doorstep-Refusal"])


def test_record_that_does_not_verify_is_refused_with_a_signature(
    wire: Wire, backend: Backend, maker: RecordMaker
) -> None:
    """The refusal names id and digest, so that nobody else's answer can be taken for it."""
    capture_id = new_id()
    content = record(maker, capture_id)[:-1]

    refusal = refusal_of(backend, wire.post(capture_id, content, content))

    assert refusal == {
        "v": 1,
        "capture_id": capture_id,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "reason": "damaged",
        "refused_at": refusal["refused_at"],
    }
    objects = objects_of(backend.data)
    assert objects.get(capture_id, REFUSED) == content
    assert not has(objects.found, capture_id)
    assert not has(objects.get, capture_id, TEXT)


def test_final_patch_can_carry_a_refusal(wire: Wire, backend: Backend) -> None:
    capture_id = new_id()
    wire.post(capture_id, b"no record")

    assert refusal_of(backend, wire.patch(capture_id, 0, b"no record"))["reason"] == "damaged"


def test_either_spelling_of_a_labels_signature_is_taken_in(
    wire: Wire, backend: Backend, maker: RecordMaker, tmp_path: Path
) -> None:
    """ES256 has two signatures for one label, and signers write either."""
    maker.make(RecordKind.CHAIN_START)  # pruned
    for is_wanted_high in (True, False):
        capture_id = new_id()
        content = record(maker, capture_id)
        if is_high(content.partition(b"\n")[0].decode()) is not is_wanted_high:
            content = respelled_file(content)

        assert wire.post(capture_id, content, content).status_code == 201
        (tmp_path / f"{capture_id}.rec").write_bytes(Store(backend.data).received(capture_id))

    assert examine(tmp_path.glob("*.rec"), maker.key.public_key()).problems == 0


def test_the_other_spelling_of_a_record_is_neither_another_record_nor_in_its_place(
    wire: Wire, backend: Backend, maker: RecordMaker
) -> None:
    """Anybody can write it, without the key: the id in the label is what counts."""
    capture_id, other_id = new_id(), new_id()
    content = record(maker, capture_id)
    first = wire.post(capture_id, content, content).headers["Doorstep-Receipt"]
    respelled = respelled_file(content)

    again = wire.post(capture_id, respelled, respelled)
    elsewhere = wire.post(other_id, respelled, respelled)

    assert again.status_code == 409
    assert wire.receipts(capture_id).json()[capture_id] == {"receipt": first}
    assert Store(backend.data).received(capture_id) == content
    assert refusal_of(backend, elsewhere)["reason"] == "wrong_id"
    assert not has(objects_of(backend.data).found, other_id)
