"""Every answer in the backend's document is given by the real one, and is as the document says."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from agent.record import signing
from doorstep_backend.identity.register import MOST_IN_A_DAY, Register
from doorstep_backend.office import demo
from doorstep_backend.office.model import open_office
from doorstep_backend.wire.headers import MAX_UPLOAD_BYTES
from doorstep_backend.wire.quota import MOST_OPEN_BYTES
from doorstep_backend.wire.store import Store
from tests.contracts.openapi.documents import BACKEND, Held, allowed, answers, operations
from tests.contracts.openapi.hooks import own_name
from tests.support.backend import Backend, running_backend
from tests.support.enrolment import EST, PKCS10, Enrolled, asked, enrolled, technician
from tests.support.factory import RecordMaker, new_id
from tests.support.wire import BODY, VERSION, Wire, announce, record, speaking_to

pytestmark = pytest.mark.slow

DAMAGED = b"no record"


def test_every_answer_in_the_document_is_given(tmp_path: Path) -> None:
    held = Held(BACKEND)
    maker = RecordMaker(device_id="van-1")
    with running_backend(tmp_path / "backend", identity=True, switches=False) as backend:
        van = enrolled(backend, tmp_path, maker.device_id, maker.key)
        with speaking(backend, held, None) as stranger:
            nobody_is_let_in(stranger)
        with speaking(backend, held, van) as wire:
            uploads(wire, maker)
            pieces(wire, maker)
            receipts(wire, maker)
            documents(wire, backend)
            certificates(wire, backend, maker)
            the_last_one_is_too_much(wire)
            with speaking(backend, held, technician(backend, tmp_path)) as other:
                retirement(wire, other, maker.device_id)

    promised = answers(held.document)
    assert promised - held.seen == set(), "in the document, and never given here"


def test_forbidden_method_is_405_and_names_the_allowed_ones(tmp_path: Path) -> None:
    held = Held(BACKEND)
    with running_backend(tmp_path / "backend", identity=True, switches=False) as backend:
        van = enrolled(backend, tmp_path, "van-1")
        with speaking_to(backend.base_url, backend.ca_file, van.files) as wire:
            for path in held.document["paths"]:
                for method in ("TRACE", "PUT"):
                    url = backend.base_url + path.format(capture_id=new_id())
                    answer = wire.session.request(method, url, timeout=10)

                    assert answer.status_code == 405
                    told = set(answer.headers["Allow"].split(", "))
                    assert told == allowed(held.document, path), path


@contextmanager
def speaking(backend: Backend, held: Held, who: Enrolled | Path | None) -> Iterator[Wire]:
    if isinstance(who, Enrolled):
        files: tuple[Path, Path] | None = who.files
    else:
        files = None if who is None else (who, who)
    with speaking_to(backend.base_url, backend.ca_file, files) as wire:
        wire.session.hooks["response"].append(held.hold)
        yield wire


def nobody_is_let_in(stranger: Wire) -> None:
    """403 of everything but what gets a certificate."""
    for method, path in operations(Held(BACKEND).document):
        url = stranger.base_url + path.format(capture_id=new_id())
        stranger.session.request(method, url, headers=VERSION, timeout=10)


def uploads(wire: Wire, maker: RecordMaker) -> None:
    """POST /files, and what it comes to."""
    url, capture_id = f"{wire.base_url}/files", new_id()
    whole = record(maker, capture_id)
    assert "Doorstep-Receipt" in wire.post(capture_id, whole, whole).headers
    wire.post(new_id(), whole)
    wire.post(capture_id, whole, whole)  # begun before: 409
    wire.post(new_id(), DAMAGED, DAMAGED)  # 422
    wire.post(new_id(), whole, whole[:-1] + b"?")  # 460
    wire.post(new_id(), DAMAGED, whole)  # 413
    wire.post(new_id(), whole, whole, **{"Content-Type": "text/plain"})  # 415
    wire.session.post(url, headers=VERSION, timeout=10)  # 400
    wire.session.post(url, timeout=10)  # 412
    wire.session.options(url, timeout=10)
    wire.session.options(f"{url}/any", timeout=10)


def pieces(wire: Wire, maker: RecordMaker) -> None:
    """HEAD and PATCH, in their order."""
    capture_id = new_id()
    whole, url = record(maker, capture_id), f"{wire.base_url}/files/{capture_id}"
    wire.patch(capture_id, 0, whole)  # 404
    wire.post(capture_id, whole)
    wire.patch(capture_id, 0, whole[:100])
    wire.patch(capture_id, 0, whole[:100])  # 409
    wire.patch(capture_id, 100, whole)  # 413
    wire.patch(capture_id, 100, whole[100:], **{"Content-Type": "text/plain"})  # 415
    wire.session.patch(url, headers=VERSION | BODY, timeout=10)  # 400
    wire.session.patch(url, timeout=10)  # 412
    assert "Doorstep-Receipt" in wire.patch(capture_id, 100, whole[100:]).headers
    for content, sent in ((DAMAGED, DAMAGED), (whole, whole[:-1] + b"?")):  # 422, 460
        other = new_id()
        wire.post(other, content)
        wire.patch(other, 0, sent)
    wire.head(capture_id)
    wire.head(new_id())  # 404
    wire.head("no-uuid")  # 400
    wire.session.head(url, timeout=10)  # 412


def receipts(wire: Wire, maker: RecordMaker) -> None:
    taken, refused = new_id(), new_id()
    whole = record(maker, taken)
    wire.post(taken, whole, whole)
    wire.post(refused, DAMAGED, DAMAGED)
    told = wire.receipts(taken, refused, new_id()).json()
    assert [one and [*one] for one in told.values()] == [["receipt"], ["refusal"], None]
    wire.receipts("no-uuid")  # 400
    wire.session.post(f"{wire.base_url}/receipts", data=b" " * 20_000, timeout=10)  # 413


def documents(wire: Wire, backend: Backend) -> None:
    """404 before there is a route, 200, and 304 for who has it."""
    wire.session.get(f"{wire.base_url}/manifest", timeout=10)
    office = open_office(Store(backend.data))
    demo.settle(office)
    demo.send_out(office, "van-1", datetime.now(UTC))
    for url in (f"{wire.base_url}/manifest", f"{wire.base_url}/fleet"):
        tag = wire.session.get(url, timeout=10).headers["ETag"]
        wire.session.get(url, headers={"If-None-Match": tag}, timeout=10)


def certificates(wire: Wire, backend: Backend, maker: RecordMaker) -> None:
    named, server = maker.device_id, own_name(maker.device_id)
    backend.command("devices", "names", named, server)
    login, key = (named, Register(backend.data).let_in(named)), signing.new_key()
    for path, own in (
        ("simpleenroll", key),
        ("simplereenroll", key),
        ("evidence/simpleenroll", maker.key),
        ("evidence/simplereenroll", maker.key),
        ("serve/simpleenroll", key),
        ("serve/simplereenroll", key),
    ):
        url = f"{wire.base_url}{EST}/{path}"
        for kind, body in (
            (PKCS10, asked(named, own, [server])),
            (PKCS10, asked("van-2", own)),  # 400
            (PKCS10, b"A" * 20_000),  # 413
            ({"Content-Type": "text/plain"}, asked(named, own)),  # 415
            (PKCS10, asked(named, signing.new_key())),  # 403: the token was used; another key
        ):
            auth = login if path == "simpleenroll" else None
            wire.session.post(url, body, headers=kind, auth=auth, timeout=10)
    wire.session.get(f"{wire.base_url}{EST}/cacerts", timeout=10)
    for path in ("simplereenroll", "serve/simpleenroll", "serve/simplereenroll"):  # 429
        for _ in range(MOST_IN_A_DAY):
            body = asked(named, signing.new_key(), [server])
            wire.session.post(f"{wire.base_url}{EST}/{path}", body, headers=PKCS10, timeout=10)


def retirement(wire: Wire, technician: Wire, device_id: str) -> None:
    """By the device, last of all: it is out then; a technician is answered the same."""
    url = f"{wire.base_url}/retire"
    for body in (b"{}", b" " * 20_000):  # 400, 413
        wire.session.post(url, body, timeout=10)
    for name in ("van-2", device_id):  # 403, 404; 200 for the second
        technician.session.post(url, json={"device_id": name}, timeout=10)
        answer = wire.session.post(url, json={"device_id": name}, timeout=10)
    assert answer.status_code == 403


def the_last_one_is_too_much(wire: Wire) -> None:
    """Begin incomplete uploads until one is above the quota."""
    told = announce(new_id(), DAMAGED) | {"Upload-Length": str(MAX_UPLOAD_BYTES)}
    for _ in range(MOST_OPEN_BYTES // MAX_UPLOAD_BYTES + 1):
        told["Upload-Metadata"] = announce(str(uuid4()), DAMAGED)["Upload-Metadata"]
        wire.session.post(f"{wire.base_url}/files", headers=VERSION | told, timeout=10)
