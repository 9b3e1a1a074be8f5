"""Why sync does not get through, as one word: after real exchanges, with records and without."""

import random
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import trustme

from agent.config import BackendSettings
from agent.record import certificates, signing
from agent.rule.manifest import PhotoRule
from agent.status.troubles import HINDRANCES, Trouble
from agent.sync.document_fetch import MANIFEST_EVERY_S, Document, DocumentFetch
from agent.sync.hindrance import Reach, of_answer, told
from agent.wire.http import Backend, NoAnswer
from agent.wire.tls import Tls
from tests.support.authority import new_authority
from tests.support.rawserver import RawServer, head, raw_server, whole
from tests.support.roads import payload_of, signed, stop_at
from tests.support.sending import QUICK, DeviceQueue, Sender, device_queue, sender
from tests.support.tusscript import TusScript
from tests.support.waiting import until

TOKEN = signed(payload_of(stop_at((52.5, 13.4), 1, PhotoRule.NO_PHOTO))).encode()
PORTAL = b"<html><title>Free Wi-Fi</title><form action=/login>Accept</form></html>"


@dataclass
class Line:
    """A device that has a manifest to fetch, and a server under the test's control."""

    device: DeviceQueue
    server: RawServer
    tus: TusScript
    sender: Sender
    reach: Reach

    def hindrance(self) -> object:
        return self.sender.sync.status()["hindrance"]

    def step(self, after_s: float = 0.0) -> object:
        """One step of the loop, `after_s` later; returns what sync then says of itself."""
        self.sender.clock.now_s += after_s
        self.sender.sync.step()
        return self.hindrance()

    def hung_up(self) -> None:
        """Waits until the server has: else the next request may meet a line that is closing."""
        until(lambda: self.server.ended == self.server.connections)


@contextmanager
def opened(folder: Path, own: Path | None = None, *, fetches: bool = False) -> Iterator[Line]:
    """A line; where it `fetches`, a manifest that is due at each step that comes late enough."""
    reach = Reach()
    with ExitStack() as stack:
        server = stack.enter_context(raw_server(folder))
        made = stack.enter_context(device_queue(folder / "device"))
        settings = BackendSettings(server.base_url, (server.receipt_key_file,), server.ca_file)
        tls = Tls(server.ca_file, own=own)
        door = stack.enter_context(closing(Backend(settings, QUICK, tls=tls)))
        ask = partial(door.manifest, device_id="van-7")
        route = Document("manifest", MANIFEST_EVERY_S, ask, "no route")
        fetch = DocumentFetch(route, door, made.layout.capture_socket, random.Random(1), reach)
        asked = [fetch] if fetches else []
        sending = stack.enter_context(sender(made, server, downloads=asked, own=own, reach=reach))
        server.script = tus = TusScript(server)
        yield Line(made, server, tus, sending, reach)


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    with opened(tmp_path) as made:
        yield made


@pytest.fixture
def fetching(tmp_path: Path) -> Iterator[Line]:
    with opened(tmp_path, fetches=True) as made:
        yield made


# --- what a record was answered

ANSWERS: list[tuple[Iterable[bytes], Trouble | None]] = [
    (whole(401), Trouble.NOT_LET_IN),
    (whole(403), Trouble.NOT_LET_IN),
    (whole(423), Trouble.BUSY),
    (whole(423, Retry_After=60), Trouble.BUSY),
    (whole(429), Trouble.BUSY),
    (whole(503), Trouble.BUSY),
    (whole(503, Retry_After=60), Trouble.BUSY),
    (whole(500), Trouble.NO_ANSWER),
    (whole(502, Retry_After=60), Trouble.NO_ANSWER),
    (whole(302, Location="https://portal.example/"), Trouble.NO_ANSWER),
    (whole(200, PORTAL), Trouble.NO_ANSWER),
    (whole(201), Trouble.NO_ANSWER),
    ([b"SSH-2.0-OpenSSH_9.9\r\n"], Trouble.NO_ANSWER),
    ([b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello"], Trouble.NO_ANSWER),
    ([head(200, Content_Length=50) + b"cut"], Trouble.NO_NETWORK),
    ([], Trouble.NO_NETWORK),
    (whole(400), None),
    (whole(404), None),
]


def ended(answer: Iterable[bytes]) -> Iterator[bytes]:
    """An answer after which the server hangs up, so that what is short is cut short."""
    yield from answer
    raise ConnectionAbortedError


@pytest.mark.parametrize(("answer", "expected"), ANSWERS)
def test_what_a_record_was_answered_is_told_until_one_gets_through(
    line: Line, answer: Iterable[bytes], expected: Trouble | None
) -> None:
    """A bare 4xx is about that record alone: it is suspect."""
    line.device.press()
    line.tus.instead["POST /files"] = [ended(answer)]

    first = line.step()
    line.hung_up()
    later = line.step(after_s=86_401)

    assert (first, later) == (expected, None)
    assert line.device.outbox.counts().waiting == 0


def test_a_signature_that_does_not_count_is_no_answer_of_a_backend(line: Line) -> None:
    line.device.press()
    line.tus.signed = {"Doorstep-Receipt": "a.b.c"}

    assert line.step() == Trouble.NO_ANSWER


def test_what_hindered_a_record_that_waits_no_more_is_forgotten(line: Line) -> None:
    item = line.device.press()
    line.tus.instead["POST /files"] = [whole(401)]
    before = line.step()
    line.device.outbox.mark_damaged(item, "its file is gone")

    assert before == Trouble.NOT_LET_IN
    assert line.step(after_s=301) is None


# --- what asking for a document was answered, while nothing waits


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        *(one for one in ANSWERS if one[1] is not None and one[0] != whole(201)),
        (whole(204), Trouble.NO_ANSWER),
        (whole(200, random.Random(1).randbytes(5000)), Trouble.NO_ANSWER),
        (whole(404), None),
        (whole(304), None),
        (whole(200, TOKEN), None),
    ],
)
def test_what_a_document_was_answered_is_told_though_nothing_waits(
    fetching: Line, answer: Iterable[bytes], expected: Trouble | None
) -> None:
    """And who was answered as a backend answers had contact."""
    fetching.tus.instead["GET /manifest"] = [ended(answer), whole(304)]

    first, contact = fetching.step(), fetching.reach.contact
    fetching.hung_up()
    later = fetching.step(after_s=100)

    assert (first, later) == (expected, None)
    assert (contact is not None) == (expected is None)
    assert fetching.sender.sync.status()["last_contact"] is not None


def test_a_document_that_comes_does_not_hide_why_records_wait(fetching: Line) -> None:
    fetching.device.press()
    fetching.tus.instead["GET /manifest"] = 9 * [whole(304)]
    fetching.tus.instead["POST /files"] = [whole(503, Retry_After=3_600)]
    fetching.step()

    assert fetching.step(after_s=301) == Trouble.BUSY
    assert fetching.tus.asked.count("GET /manifest") == 2


def test_a_receipt_is_news_for_documents_too(fetching: Line) -> None:
    """They are asked for again a minute later only, the fleet document ten."""
    fetching.device.press()
    fetching.tus.instead["GET /manifest"] = [whole(500)]

    assert fetching.step() is None
    assert fetching.device.outbox.counts().waiting == 0


def test_the_newer_of_two_contacts_counts(fetching: Line) -> None:
    fetching.device.press()
    fetching.tus.instead["GET /manifest"] = [whole(304)]
    before = datetime.now(UTC) - timedelta(seconds=1)
    fetching.step()

    receipt = datetime(2026, 12, 1, 9, 15, 7, 412_000, tzinfo=UTC)
    contact = str(fetching.sender.sync.status()["last_contact"])
    assert datetime.fromisoformat(contact) >= max(before, receipt)


# --- no answer at all


def failure(url: str, ca: Path, own: Path | None = None) -> Trouble:
    """What it comes to, to ask there."""
    settings = BackendSettings(url, (), ca)
    with closing(Backend(settings, QUICK, tls=Tls(ca, own=own))) as door:
        with pytest.raises(NoAnswer) as raised, door.attempt():
            door.fleet(None)
        return raised.value.hindrance


@contextmanager
def listener(says: bytes | None) -> Iterator[str]:
    """Something that is no TLS server; None for one that says nothing until it is left."""
    over = threading.Event()

    def serve() -> None:
        with suppress(OSError):
            line, _ = listening.accept()
            with line:
                line.recv(4096)
                if says is None:
                    over.wait(10)
                else:
                    line.sendall(says)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = threading.Thread(target=serve)
        serving.start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}"
        over.set()
        serving.join()


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tmp_path / "ca.pem"


def test_nobody_there_and_no_such_name_are_no_network(ca: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    assert failure(f"https://127.0.0.1:{port}", ca) == Trouble.NO_NETWORK
    assert failure("https://backend.invalid", ca) == Trouble.NO_NETWORK


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\n\r\n", Trouble.NO_ANSWER),
        (b"\x00" * 50, Trouble.NO_ANSWER),
        (b"", Trouble.NO_NETWORK),
        pytest.param(None, Trouble.NO_NETWORK, marks=pytest.mark.slow),
    ],
)
def test_what_speaks_no_tls_is_no_answer_and_silence_is_no_network(
    ca: Path, says: bytes | None, expected: Trouble
) -> None:
    """A captive portal answers on the backend's port, but not as a TLS server does."""
    with listener(says) as url:
        assert failure(url, ca) == expected


def test_a_backend_that_does_not_prove_who_it_is_is_about_certificates(
    tmp_path: Path, ca: Path
) -> None:
    with raw_server(tmp_path) as server:
        assert failure(server.base_url, ca) == Trouble.CERTIFICATE


def test_a_device_that_has_none_is_about_certificates(tmp_path: Path, ca: Path) -> None:
    assert failure("https://127.0.0.1:9", ca, own=tmp_path / "tls.pem") == Trouble.NOT_ENROLLED


def refuse(client: ssl.SSLSocket) -> None:
    """By an alert that arrives: what is closed with something unread in it takes it back."""
    client.settimeout(5.0)
    with suppress(OSError):
        client.do_handshake()
    with suppress(OSError):
        socket.socket.shutdown(client, socket.SHUT_WR)
        while socket.socket.recv(client, 65_536):
            pass


@contextmanager
def strict(folder: Path) -> Iterator[str]:
    """A server that takes certificates of another authority only; its own is by `strict-ca.pem`."""
    ours, theirs = trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(str(folder / "strict-ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.issue_cert("127.0.0.1").configure_cert(context)
    theirs.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED

    def serve() -> None:
        with suppress(OSError):
            while True:
                plain, _ = listening.accept()
                with context.wrap_socket(
                    plain, server_side=True, do_handshake_on_connect=False
                ) as client:
                    refuse(client)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = threading.Thread(target=serve)
        serving.start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
        serving.join()


def test_a_backend_that_refuses_the_certificate_is_about_certificates(tmp_path: Path) -> None:
    """Where its alert arrives; without one it is a line that was cut."""
    key = signing.new_key()
    leaf = new_authority().issue(key.public_key(), "van-7")
    own = tmp_path / "tls.pem"
    own.write_bytes(signing.private_pem(key) + certificates.pem([leaf]))

    with strict(tmp_path) as url:
        found = {failure(url, tmp_path / "strict-ca.pem", own) for _ in range(20)}

    assert found == {Trouble.CERTIFICATE}


# --- the rules


def test_every_status_is_one_of_the_list() -> None:
    assert {of_answer(status) for status in range(100, 600)} <= HINDRANCES


@pytest.mark.parametrize(
    ("records", "documents", "obstacle", "has_ended", "expected"),
    [
        (None, None, None, False, None),
        (None, None, None, True, None),
        (Trouble.BUSY, None, None, False, Trouble.BUSY),
        (None, Trouble.NO_ANSWER, None, False, Trouble.NO_ANSWER),
        (Trouble.NO_NETWORK, Trouble.CERTIFICATE, None, False, Trouble.CERTIFICATE),
        (Trouble.NOT_LET_IN, Trouble.NO_NETWORK, None, False, Trouble.NOT_LET_IN),
        (Trouble.NO_NETWORK, None, None, True, Trouble.CERTIFICATE),
        (None, None, "no fleet document", False, Trouble.NO_FLEET),
        (None, Trouble.CERTIFICATE, "no fleet document", False, Trouble.CERTIFICATE),
        (None, Trouble.NO_NETWORK, "no fleet document", False, Trouble.NO_NETWORK),
    ],
)
def test_the_worse_is_told_and_what_keeps_the_fleet_document_away_before_that_it_is(
    records: Trouble | None,
    documents: Trouble | None,
    obstacle: str | None,
    has_ended: bool,
    expected: Trouble | None,
) -> None:
    found = told(records, documents, obstacle, is_enrolled=True, has_ended=has_ended)
    assert found == expected


def test_a_device_that_is_not_enrolled_is_told_so_alone_and_no_longer_than_it_is() -> None:
    before, other = Trouble.NOT_ENROLLED, Trouble.CERTIFICATE

    assert told(before, other, "no fleet", is_enrolled=False, has_ended=False) == before
    assert told(None, None, None, is_enrolled=False, has_ended=False) == before
    assert told(before, before, None, is_enrolled=True, has_ended=False) is None
