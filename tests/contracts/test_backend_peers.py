"""The wire as our backend and an independent tus server keep it, that alone and behind nginx."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path

import pytest

from doorstep_backend.wire.store import Store
from tests.support.backend import Backend
from tests.support.factory import RecordMaker, is_high, new_id
from tests.support.small_backends import SmallBackend, node_backend, node_behind_nginx
from tests.support.waiting import until
from tests.support.wire import (
    PHOTO,
    VERSION,
    Wire,
    announce,
    begun_post,
    proven,
    record,
    speaking_to,
)

Server = Backend | SmallBackend


@pytest.fixture(
    scope="module",
    params=[
        "backend",
        *(pytest.param(one, marks=pytest.mark.slow) for one in (node_backend, node_behind_nginx)),
    ],
)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    if request.param == "backend":
        yield request.getfixturevalue("backend")
        return
    run: Callable[[Path], AbstractContextManager[SmallBackend]] = request.param
    with run(tmp_path_factory.mktemp("peer")) as running:
        yield running


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    with speaking_to(server.base_url, server.ca_file) as wire:
        yield wire


def received(server: Server, capture_id: str) -> bytes:
    if isinstance(server, Backend):
        return Store(server.data).received(capture_id)
    return server.received_file(capture_id).read_bytes()


# --- what every server keeps


def test_post_with_body_gets_a_receipt(
    wire: Wire, server: Server, capture_id: str, content: bytes
) -> None:
    answer = wire.post(capture_id, content, content)

    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, str(len(content)))
    receipt = proven(server.receipt_key_file, answer.headers["Doorstep-Receipt"])
    assert receipt == {
        "v": 1,
        "capture_id": capture_id,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "received_at": receipt["received_at"],
    }
    assert datetime.fromisoformat(receipt["received_at"]).tzinfo is not None
    assert received(server, capture_id) == content


def test_patches_end_in_a_receipt(
    wire: Wire, server: Server, capture_id: str, content: bytes
) -> None:
    """201 is final only when Upload-Offset equals Upload-Length; the last PATCH is final."""
    created = wire.post(capture_id, content)
    first = wire.patch(capture_id, 0, content[:99])
    last = wire.patch(capture_id, 99, content[99:])

    assert [one.status_code for one in (created, first, last)] == [201, 204, 204]
    assert first.headers["Upload-Offset"] == "99"
    assert not {"Doorstep-Receipt"} & {*created.headers, *first.headers}
    receipt = proven(server.receipt_key_file, last.headers["Doorstep-Receipt"])
    assert receipt["capture_id"] == capture_id


def test_finished_upload_is_neither_overwritten_read_nor_deleted(
    wire: Wire, server: Server, capture_id: str, content: bytes
) -> None:
    """Left to itself the peer truncates it, shows it to all and deletes it."""
    wire.post(capture_id, content, content)
    url = f"{server.base_url}/files/{capture_id}"

    answers = [
        wire.post(capture_id, content, b"other"),
        wire.session.get(url, headers=VERSION, timeout=10),
        wire.session.delete(url, headers=VERSION, timeout=10),
    ]

    assert [answer.status_code for answer in answers] == [409, 405, 405]
    assert received(server, capture_id) == content


def test_first_of_two_posts_at_once_begins_the_upload(server: Server, maker: RecordMaker) -> None:
    """The other one would empty the file of a record that has its receipt."""

    def post(content: bytes) -> int:
        with speaking_to(server.base_url, server.ca_file) as wire:
            return int(wire.post(capture_id, content, content).status_code)

    for _ in range(5):
        content = record(maker, capture_id := new_id())
        with ThreadPoolExecutor(2) as both:
            statuses = sorted(both.map(post, [content, content]))

        assert statuses == [201, 409]
        assert received(server, capture_id) == content


def test_refusal_is_signed(wire: Wire, server: Server) -> None:
    capture_id = new_id()

    answer = wire.post(capture_id, b"no record", b"no record")

    assert answer.status_code == 422
    refusal = proven(server.receipt_key_file, answer.headers["Doorstep-Refusal"])
    assert (refusal["capture_id"], refusal["reason"]) == (capture_id, "damaged")


def test_digest_mismatch_is_460_and_can_be_created_again(
    wire: Wire, capture_id: str, content: bytes
) -> None:
    assert wire.post(capture_id, content, content[:-1] + b"\x01").status_code == 460
    assert wire.head(capture_id).status_code == 404
    assert wire.post(capture_id, content, content).status_code == 201


def test_receipts_answers_receipt_refusal_or_null(
    wire: Wire, server: Server, maker: RecordMaker
) -> None:
    good, bad, partial, unknown = new_id(), new_id(), new_id(), new_id()
    content = record(maker, good)
    wire.post(good, content, content)
    wire.post(bad, b"no record", b"no record")
    wire.post(partial, content)

    found = wire.receipts(good, bad, partial, unknown).json()

    assert proven(server.receipt_key_file, found[good]["receipt"])["capture_id"] == good
    assert proven(server.receipt_key_file, found[bad]["refusal"])["capture_id"] == bad
    assert (found[partial], found[unknown]) == (None, None)
    assert wire.receipts(*[good] * 101).status_code == 400


def test_wrong_offset_is_409_and_unknown_upload_404(wire: Wire, maker: RecordMaker) -> None:
    """Short bodies: an answer before the end of a long one can become nginx's 502."""
    capture_id = new_id()
    wire.post(capture_id, record(maker, capture_id))

    assert wire.patch(capture_id, 5, b"x").status_code == 409
    assert wire.head(new_id()).status_code == 404
    assert wire.post("1", b"x", b"x").status_code == 400


# --- what the peers do besides


@pytest.mark.slow
def test_the_peers_signatures_are_the_higher_of_two_that_verify(
    tmp_path: Path, maker: RecordMaker
) -> None:
    """Each receipt that a device gets from it is thus one that some libraries would refuse."""
    with node_backend(tmp_path) as peer, speaking_to(peer.base_url, peer.ca_file) as wire:
        for _ in range(8):
            content = record(maker, capture_id := new_id())
            receipt = wire.post(capture_id, content, content).headers["Doorstep-Receipt"]

            assert is_high(receipt)
            assert proven(peer.receipt_key_file, receipt)


@pytest.mark.slow
def test_nginx_limits_bodies_to_1_mb_and_keeps_nothing_of_a_cut_post(
    tmp_path: Path, maker: RecordMaker
) -> None:
    """Its defaults are what the field has: 413 from a proxy, and buffered requests."""
    big, cut = new_id(), new_id()
    content = record(maker, big, PHOTO * 5)
    with node_behind_nginx(tmp_path) as peer, speaking_to(peer.base_url, peer.ca_file) as wire:
        assert wire.post(big, content, content).status_code == 413
        assert "nginx" in wire.post(big, content, content).text

        announced = announce(cut, content[:500_000])
        begun_post(peer.port, peer.ca_file, announced, content[:400_000]).close()

        assert wire.head(cut).status_code == 404


@pytest.mark.slow
def test_tus_server_tells_the_exact_offset_after_a_silent_line(
    tmp_path: Path, capture_id: str, content: bytes
) -> None:
    """HEAD takes some 3 s there: it waits for the writer before it cuts it off."""
    with node_backend(tmp_path) as peer, speaking_to(peer.base_url, peer.ca_file) as wire:
        announced = announce(capture_id, content)
        with begun_post(peer.port, peer.ca_file, announced, content[:1000]):
            part = peer.received_file(capture_id)
            until(lambda: part.exists() and part.stat().st_size >= 1000)
            answer = wire.head(capture_id)

        assert answer.headers["Upload-Offset"] == "1000"
        assert 2.5 < answer.elapsed.total_seconds() < 5
        assert wire.patch(capture_id, 1000, content[1000:]).status_code == 204
