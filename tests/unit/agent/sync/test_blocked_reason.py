"""Why sync does not get through, as one word: after real exchanges, with records and without."""

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from agent.rule.manifest import PhotoRule
from agent.status.troubles import Trouble
from agent.sync.blocked_reason import Connectivity, for_status
from agent.sync.document_fetch import MANIFEST_EVERY_S, Document, DocumentFetch
from tests.support.rawserver import head, whole
from tests.support.roads import payload_of, signed, stop_at
from tests.support.waiting import until
from tests.unit.agent.sync.line import Line, open_line

TOKEN = signed(payload_of(stop_at((52.5, 13.4), 1, PhotoRule.NO_PHOTO))).encode()
PORTAL = b"<html><title>Free Wi-Fi</title><form action=/login>Accept</form></html>"


@pytest.fixture
def fetching(tmp_path: Path) -> Iterator[Line]:
    """A line over which a manifest is asked for too, at each step that comes late enough."""
    fetches: list[DocumentFetch] = []
    connectivity = Connectivity()
    with open_line(tmp_path, downloads=fetches, connectivity=connectivity) as line:
        backend, socket = line.sender.backend, line.device.layout.capture_socket
        ask = partial(backend.manifest, device_id="van-7")
        route = Document("manifest", MANIFEST_EVERY_S, ask, "no route")
        fetches.append(DocumentFetch(route, backend, socket, random.Random(1), connectivity))
        yield line


def step(line: Line, after_s: float = 0.0) -> object:
    """Take one step of the loop, `after_s` later; returns what sync then says of itself."""
    line.steps(1, after_s)
    return line.sender.sync.status()["hindrance"]


def await_hang_up(line: Line) -> None:
    """Wait until the server has: else the next request may meet a line that is closing."""
    until(lambda: line.server.ended == line.server.connections)


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
def test_answer_to_a_record_is_reported_until_one_gets_through(
    line: Line, answer: Iterable[bytes], expected: Trouble | None
) -> None:
    """A bare 4xx is about that record alone: it is suspect."""
    line.device.press()
    line.tus.instead["POST /files"] = [ended(answer)]

    first = step(line)
    await_hang_up(line)
    later = step(line, after_s=86_401)

    assert (first, later) == (expected, None)
    assert line.device.outbox.counts().waiting == 0


def test_a_signature_that_does_not_count_is_no_answer_of_a_backend(line: Line) -> None:
    line.device.press()
    line.tus.signed = {"Doorstep-Receipt": "a.b.c"}

    assert step(line) == Trouble.NO_ANSWER


def test_hindrance_of_a_record_that_waits_no_more_is_forgotten(line: Line) -> None:
    item = line.device.press()
    line.tus.instead["POST /files"] = [whole(401)]
    before = step(line)
    line.device.outbox.mark_damaged(item, "its file is gone")

    assert before == Trouble.NOT_LET_IN
    assert step(line, after_s=301) is None


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
def test_answer_to_a_document_is_reported_though_nothing_waits(
    fetching: Line, answer: Iterable[bytes], expected: Trouble | None
) -> None:
    """And who was answered as a backend answers had contact."""
    fetching.tus.instead["GET /manifest"] = [ended(answer), whole(304)]

    first, contact = step(fetching), fetching.sender.sync.status()["last_contact"]
    await_hang_up(fetching)
    later = step(fetching, after_s=100)

    assert (first, later) == (expected, None)
    assert (contact is not None) == (expected is None)
    assert fetching.sender.sync.status()["last_contact"] is not None


def test_a_document_that_comes_does_not_hide_why_records_wait(fetching: Line) -> None:
    fetching.device.press()
    fetching.tus.instead["GET /manifest"] = 9 * [whole(304)]
    fetching.tus.instead["POST /files"] = [whole(503, Retry_After=3_600)]
    step(fetching)

    assert step(fetching, after_s=301) == Trouble.BUSY
    assert fetching.tus.asked.count("GET /manifest") == 2


def test_a_receipt_is_news_for_documents_too(fetching: Line) -> None:
    """They are asked for again a minute later only, the fleet document ten."""
    fetching.device.press()
    fetching.tus.instead["GET /manifest"] = [whole(500)]

    assert step(fetching) is None
    assert fetching.device.outbox.counts().waiting == 0


def test_the_newer_of_two_contacts_counts(fetching: Line) -> None:
    fetching.device.press()
    fetching.tus.instead["GET /manifest"] = [whole(304)]
    before = datetime.now(UTC) - timedelta(seconds=1)
    step(fetching)

    receipt = datetime(2026, 12, 1, 9, 15, 7, 412_000, tzinfo=UTC)
    contact = str(fetching.sender.sync.status()["last_contact"])
    assert datetime.fromisoformat(contact) >= max(before, receipt)


# --- the rules


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
def test_worse_answer_is_reported_with_what_keeps_the_fleet_document_away(
    records: Trouble | None,
    documents: Trouble | None,
    obstacle: str | None,
    has_ended: bool,
    expected: Trouble | None,
) -> None:
    found = for_status(records, documents, obstacle, is_enrolled=True, has_ended=has_ended)
    assert found == expected


def test_device_that_is_not_enrolled_reports_that_alone_while_it_lasts() -> None:
    before, other = Trouble.NOT_ENROLLED, Trouble.CERTIFICATE

    assert for_status(before, other, "no fleet", is_enrolled=False, has_ended=False) == before
    assert for_status(None, None, None, is_enrolled=False, has_ended=False) == before
    assert for_status(before, before, None, is_enrolled=True, has_ended=False) is None
