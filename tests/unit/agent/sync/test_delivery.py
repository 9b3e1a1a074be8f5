"""An attempt: its questions, their order, and the effect of each answer."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import pytest

from agent.config import BackendSettings
from agent.models import Item
from agent.record.receipt import Receipt, Refusal
from agent.status.troubles import Trouble
from agent.sync.attempt import Attempt
from agent.sync.outcome import (
    Deferred,
    NoService,
    Outcome,
    StuckUpload,
    Unauthorised,
    UnsignedRejection,
    blocked_reason,
)
from agent.wire.http import Backend
from agent.wire.tus import Answer, number, own_address, retry_after_s
from tests.support.rawserver import head, whole
from tests.support.tusscript import receipt, refusal
from tests.unit.agent.sync.line import Line, open_line

NOON = "Tue, 01 Dec 2026 12:00:00 GMT"


@dataclass
class Record(Line):
    """A line, and one record of the device."""

    item: Item

    @property
    def content(self) -> bytes:
        return self.device.content(self.item)

    @property
    def place(self) -> str:
        return f"/files/{self.item.capture_id}"

    def send(self, **changes: Any) -> Outcome:
        """Make one attempt; the first one unless `changes` of the row say otherwise."""
        item = replace(self.item, **({"attempts": 1} | changes))
        return self.sender.delivery.send(item, self.content)

    def store(self, offset: int | None = None) -> None:
        """Lets the server have the first `offset` bytes already; all of them for None."""
        self.tus.uploads[self.place] = bytearray(self.content[:offset])
        self.tus.lengths[self.place] = len(self.content)

    def refuse(self, **other: Any) -> str:
        return refusal(self.server.key, self.item, self.content, **other)


@contextmanager
def open_record(folder: Path, photo_bytes: int, path: str = "") -> Iterator[Record]:
    with open_line(folder, path) as opened:
        item = opened.device.press(photo_bytes)
        yield Record(opened.device, opened.server, opened.tus, opened.sender, item)


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Record]:
    with open_record(tmp_path, 700_000) as opened:
        yield opened


# --- the requests

ALL: Final = 10**9
PIECES: Final = 3 * ["PATCH"]
SHORT: Final = [head(201, Upload_Offset=1000, Content_Length=0)]


@dataclass(frozen=True)
class Exchange:
    """The requests of one attempt, and its outcome.

    Attributes:
        instead: answers that the server gives in place of honest ones.
        there: how many bytes of the record it has before; None where it knows nothing of it.
        row: of the record, where it differs from a first attempt's.
    """

    asked: list[str]
    outcome: type[Outcome]
    instead: Mapping[str, list[Iterable[bytes]]] = field(default_factory=dict)
    there: int | None = None
    row: Mapping[str, Any] = field(default_factory=dict)


LATER: Final = {"attempts": 2}

EXCHANGES = {
    "a first attempt": Exchange(["POST"], Receipt),
    "all is there": Exchange(["HEAD", "RECEIPTS"], Receipt, {}, ALL, LATER),
    "all is there, adopted": Exchange(["HEAD", "RECEIPTS"], Receipt, {}, ALL, {"adopted": True}),
    "a part is there": Exchange(["HEAD", *PIECES], Receipt, {}, 100_000, LATER),
    "nothing is there": Exchange(["HEAD", "POST", *PIECES], Receipt, {}, None, LATER),
    "it is gone for good": Exchange(
        ["HEAD", "POST", *PIECES], Receipt, {"HEAD /files": [whole(410)]}, None, LATER
    ),
    "it is lost between pieces": Exchange(
        ["HEAD", "PATCH", "POST", "PATCH"],
        StuckUpload,
        {"PATCH /files": [whole(404), whole(410)]},
        10,
        LATER,
    ),
    "a part was taken": Exchange(["POST", *PIECES], Receipt, {"POST /files": [SHORT]}, 1000),
    "another offset": Exchange(
        ["POST", "HEAD", *PIECES], Receipt, {"POST /files": [whole(409)]}, 50
    ),
    "another offset at a piece": Exchange(
        ["HEAD", "PATCH", "HEAD", *PIECES], Receipt, {"PATCH /files": [whole(460)]}, 50, LATER
    ),
    "too long for a proxy": Exchange(
        ["POST", "POST", *PIECES], Receipt, {"POST /files": [whole(413)]}
    ),
    "too long for a proxy, and lost": Exchange(
        ["POST", "POST", "PATCH"],
        StuckUpload,
        {"POST /files": [whole(413)], "PATCH /files": [whole(404)]},
    ),
    "no offset is told": Exchange(["HEAD"], NoService, {"HEAD /files": [whole(200)]}, None, LATER),
    "another length is there": Exchange(
        ["HEAD"],
        NoService,
        {"HEAD /files": [whole(200, Upload_Offset=5, Upload_Length=10)]},
        5,
        LATER,
    ),
}


@pytest.mark.parametrize("name", EXCHANGES)
def test_attempt_asks_what_leads_to_a_receipt_and_nothing_twice(line: Record, name: str) -> None:
    """A device never POSTs an id that HEAD finds: plain tus servers overwrite it."""
    case = EXCHANGES[name]
    if case.there is not None:
        line.store(case.there)
    line.tus.instead |= case.instead

    outcome = line.send(**case.row)

    asked = ["RECEIPTS" if one.endswith("/receipts") else one.split()[0] for one in line.tus.asked]
    assert (asked, type(outcome)) == (case.asked, case.outcome)
    if case.outcome is Receipt:
        assert line.tus.uploads[line.place] == line.content


def test_metadata_is_id_digest_and_filetype_and_nothing_else(line: Record) -> None:
    """Default proxies log it and break on 2 KB of it."""
    line.send()

    headers = line.server.requests[0].headers
    keys = [pair.split(" ")[0] for pair in headers["upload-metadata"].split(",")]
    assert keys == ["capture_id", "sha256", "filetype"]
    assert len(headers["upload-metadata"]) < 300


def test_location_is_kept_and_used(line: Record) -> None:
    """tusd on S3 names uploads id+multipart: the stored Location is what counts."""
    moved = line.place + "+multipart"
    line.tus.place = moved
    line.tus.instead["PATCH /files"] = [whole(503)]

    line.send(attempts=2)

    stored = line.device.outbox.get(line.item.capture_id).upload_url
    assert stored == line.server.base_url + moved
    assert line.tus.asked[-1] == f"PATCH {moved}"
    line.send(attempts=3, upload_url=stored)
    assert f"HEAD {moved}" in line.tus.asked


@pytest.mark.parametrize(
    "location",
    [
        "https://elsewhere.example/other/x",
        "ftp://elsewhere.example/files/x",
        "/elsewhere/x",
        "/files/../admin",
        "/files/%2e%2E/admin",
        "/files/x%2f..%2f..%2fadmin",
        "/files/%2E./admin",
        "/files/.%2e/admin",
        "/files/%252e%252e/admin",
        "/files/%25252e%25252e%25252fadmin",
        "/files/x%2Fy",
        "/files/x%252fy",
        "/files/..\\admin",
        "/files/x\\..\\..\\admin",
        "/files/%5c..%5cadmin",
        "/files/..;/admin",
        "/files/x%00",
        "https://elsewhere.example/files/./x",
        "/files/x#there",
        "/files/",
        "https://[/files/x",
        "/files/\xe4",
        "/files/" + "x" * 4000,
        "",
    ],
)
def test_location_that_says_no_place_is_ignored(location: str) -> None:
    assert own_address("https://backend.example", location) is None


def test_upload_without_a_usable_location_is_at_its_own_place(line: Record) -> None:
    created = head(201, Location="/files/../admin", Upload_Offset=0, Content_Length=0)
    line.tus.instead["POST /files"] = [[created]]
    line.store(0)
    line.tus.instead["HEAD /files"] = [whole(404)]

    outcome = line.send(attempts=2)

    assert isinstance(outcome, Receipt)
    assert line.device.outbox.get(line.item.capture_id).upload_url is None
    assert set(line.tus.asked[2:]) == {f"PATCH {line.place}"}


@pytest.mark.parametrize(
    "origin",
    [
        "http://127.0.0.1",
        "https://127.0.0.1:443",
        "https://LOCALHOST:8443",
        "//elsewhere.example",
        "",
    ],
)
@pytest.mark.parametrize("path", ["", "/doorstep"])
def test_location_of_any_origin_is_its_path_on_ours(origin: str, path: str) -> None:
    """A server that names uploads itself, behind a proxy that ends TLS and rewrites Host."""
    base, place = f"https://backend.example{path}", f"{path}/files/17?part=2"

    assert own_address(base, origin + place) == f"https://backend.example{place}"


def test_base_with_a_path_is_kept(tmp_path: Path) -> None:
    with open_record(tmp_path, 100, "/doorstep/") as line:
        line.send()

    assert line.tus.asked == ["POST /doorstep/files"]


def test_stored_place_of_another_backend_is_not_asked(line: Record) -> None:
    """After the backend was moved in the configuration, old addresses mean nothing."""
    line.store()

    outcome = line.send(attempts=2, upload_url="https://old.example/files/x")

    assert isinstance(outcome, Receipt)
    assert line.tus.asked[0] == f"HEAD {line.place}"


@pytest.mark.parametrize(
    "told", [whole(404), whole(400), whole(200, Upload_Offset=5, Upload_Length=10)]
)
def test_own_place_is_asked_where_the_stored_one_is_not_ours(
    line: Record, told: Iterable[bytes]
) -> None:
    """A Location may have been cut short on the way, or have been the answer to another record."""
    line.store()
    line.tus.instead["HEAD /files"] = [told]

    outcome = line.send(attempts=2, upload_url=f"{line.server.base_url}/files/17")

    assert isinstance(outcome, Receipt)
    assert line.tus.asked == ["HEAD /files/17", f"HEAD {line.place}", "POST /receipts"]


def test_place_that_was_lost_is_not_used_for_the_upload_that_follows(line: Record) -> None:
    """The new one may come without a Location: it is at its own place then."""
    line.tus.uploads["/files/17"] = bytearray(line.content[:10])
    line.tus.lengths["/files/17"] = len(line.content)
    line.tus.instead["PATCH /files"] = [whole(404)]
    line.tus.instead["POST /files"] = [[head(201, Content_Length=0)]]
    line.store(0)

    outcome = line.send(attempts=2, upload_url=f"{line.server.base_url}/files/17")

    assert isinstance(outcome, Receipt)
    begun = ["HEAD /files/17", "PATCH /files/17", "POST /files"]
    assert line.tus.asked == begun + 3 * [f"PATCH {line.place}"]


@pytest.mark.parametrize("status", [401, 413, 423, 500])
def test_attempt_that_fails_leaves_no_connection_to_the_next(line: Record, status: int) -> None:
    """An answer that was sent once too often would be taken for the next one's."""
    line.tus.instead["POST /files"] = 2 * [whole(status)]

    assert not isinstance(line.send(), Receipt)
    line.store()
    assert isinstance(line.send(attempts=2), Receipt)
    assert isinstance(line.send(attempts=2), Receipt)

    assert line.server.connections == 2


def test_each_cut_halves_the_pieces_down_to_32_kib(line: Record) -> None:
    line.store(0)

    sizes = []
    for _ in range(5):
        line.tus.instead["PATCH /files"] = [[]]
        assert isinstance(line.send(attempts=2), NoService)
        sizes.append(len(line.server.requests[-1].body))
    assert isinstance(line.send(attempts=2), Receipt)

    assert sizes == [262_144, 131_072, 65_536, 32_768, 32_768]
    assert len(line.server.requests[-2].body) == 32_768


# --- the answers


def test_why_a_later_attempt_is_not_let_in_is_asked_for(line: Record) -> None:
    """An answer to HEAD has no body, so it cannot say."""
    line.tus.instead |= {"HEAD /files": [whole(403)], "POST /receipts": [whole(403, b"revoked")]}

    outcome = line.send(attempts=2)

    assert isinstance(outcome, Unauthorised)
    assert outcome.answer == 'HEAD was answered 403 "revoked"'


def test_device_admitted_for_receipts_alone_is_not_admitted(line: Record) -> None:
    line.tus.instead |= {"HEAD /files": [whole(403)]}

    outcome = line.send(attempts=2)

    assert isinstance(outcome, Unauthorised)
    assert outcome.answer == "HEAD was answered 403"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "999999999"}, 86_400),
        ({"Retry-After": "Tue, 01 Dec 2026 12:01:00 GMT", "Date": NOON}, 60),
        ({"Retry-After": "Tue, 01 Dec 2020 12:01:00 GMT", "Date": NOON}, 0),
        ({"Retry-After": "Tue, 01 Dec 2026 12:01:00 GMT"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "9" * 5000}, None),
        ({"Retry-After": "\xb2"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_or_date_and_a_day_at_most(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after_s(Answer(503, headers, b"")) == seconds


def test_answer_is_quoted_in_one_short_line(line: Record) -> None:
    body = b"<html>\x00\xff Too\n   Large</html>" + b"x" * 9000
    line.tus.instead["POST /files"] = [whole(400, body)]

    outcome = line.send()

    assert isinstance(outcome, UnsignedRejection)
    assert "POST was answered 400 " in outcome.answer
    assert "Too Large" in outcome.answer
    assert outcome.answer.isprintable()
    assert len(outcome.answer) < 200


@pytest.mark.parametrize("body", [b"{}", b'{"ID": null}', b'{"ID": {}}', b'{"ID": {"receipt": 5}}'])
def test_receipt_that_is_not_there_yet_is_deferred(line: Record, body: bytes) -> None:
    line.store()
    body = body.replace(b"ID", line.item.capture_id.encode())
    line.tus.instead["POST /receipts"] = [whole(200, body)]

    assert isinstance(line.send(attempts=2), Deferred)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"\xff", b"[" * 60_000])
def test_answer_that_is_no_list_of_receipts(line: Record, body: bytes) -> None:
    line.store()
    line.tus.instead["POST /receipts"] = [whole(200, body)]

    assert isinstance(line.send(attempts=2), NoService)


def test_refusal_asked_for_later_counts(line: Record) -> None:
    line.store()
    found = {line.item.capture_id: {"refusal": line.refuse(reason="unknown_key")}}
    line.tus.instead["POST /receipts"] = [whole(200, json.dumps(found).encode())]

    outcome = line.send(attempts=2)

    assert isinstance(outcome, Refusal)
    assert outcome.reason == "unknown_key"


@pytest.mark.parametrize("attempts", [1, 2])
@pytest.mark.parametrize("status", [201, 204, 422, 403, 500])
def test_signed_refusal_counts_on_any_answer(line: Record, status: int, attempts: int) -> None:
    refused = whole(status, Doorstep_Refusal=line.refuse())
    line.store(10)
    line.tus.instead |= {"POST /files": [refused], "PATCH /files": [refused]}

    assert isinstance(line.send(attempts=attempts), Refusal)


def test_signed_refusal_counts_on_the_answer_about_receipts_too(line: Record) -> None:
    line.store()
    line.tus.instead["POST /receipts"] = [whole(422, Doorstep_Refusal=line.refuse())]

    assert isinstance(line.send(attempts=2), Refusal)


NOT_OURS: dict[str, dict[str, Any]] = {
    "another id": {"capture_id": "00000000-0000-4000-8000-000000000000"},
    "another digest": {"sha256": "0" * 64},
    "another size": {"bytes": 5},
    "a size that is a float": {"bytes": ...},
    "a version that is true": {"v": True},
    "a later version": {"v": 2},
    "no digest": {"sha256": ...},
    "no time": {"received_at": ...},
    "a time that is a number": {"received_at": 5},
    "a time without a zone": {"received_at": "2026-12-01T09:15:07"},
    "a time elsewhere": {"received_at": "2026-12-01T09:15:07+01:00"},
    "no such time": {"received_at": "2026-13-01T09:15:07Z"},
    "a refusal": {"received_at": ..., "reason": "no", "refused_at": "2026-12-01T09:15:07Z"},
    "both": {"reason": "no", "refused_at": "2026-12-01T09:15:07Z"},
}


@pytest.mark.parametrize("what", NOT_OURS)
def test_receipt_that_is_not_exactly_ours_delivers_nothing(line: Record, what: str) -> None:
    other = {"capture_id": line.item.capture_id, "content": line.content} | NOT_OURS[what]
    if what == "a size that is a float":
        other["bytes"] = float(len(line.content))
    token = receipt(line.server.key, **other)
    line.tus.signed = {"Doorstep-Receipt": token}
    found = json.dumps({line.item.capture_id: {"receipt": token}})
    line.tus.instead["POST /receipts"] = [whole(200, found.encode())]

    for attempts in (1, 2):
        outcome = line.send(attempts=attempts)

        assert isinstance(outcome, Deferred)
        assert "signed" in outcome.answer


@pytest.mark.parametrize(
    "token",
    ["", "x", "a.b.c", "bm90.YQ.signature", "\xff\xfe", "e30.e30.", "W10.W10.W10", "." * 99],
)
def test_garbage_for_a_receipt_delivers_nothing(line: Record, token: str) -> None:
    line.tus.signed = {"Doorstep-Receipt": token, "Doorstep-Refusal": token}

    assert isinstance(line.send(), Deferred)


@pytest.mark.parametrize("other", [{"bytes": 5}, {"reason": ""}, {"reason": 5}, {"refused_at": 1}])
def test_refusal_that_is_not_ours_is_a_bare_4xx(line: Record, other: dict[str, Any]) -> None:
    line.tus.instead["POST /files"] = [whole(422, Doorstep_Refusal=line.refuse(**other))]

    assert isinstance(line.send(), UnsignedRejection)


@pytest.mark.parametrize("offset", ["", "-1", "abc", "1e3", "9" * 40, "9" * 5000, "0x10", "5, 5"])
def test_absurd_offset_is_refused(offset: str) -> None:
    assert number(Answer(200, {"Upload-Offset": offset}, b""), "Upload-Offset") is None


def test_location_of_an_answer_without_an_offset_is_not_kept(line: Record) -> None:
    """Its head may have ended early, in the middle of the Location."""
    line.tus.instead["POST /files"] = [[head(201, Location="/files/17", Content_Length=0)]]

    assert isinstance(line.send(), NoService)
    assert line.device.outbox.get(line.item.capture_id).upload_url is None


@pytest.mark.parametrize("taken", [0, 9, 10, 10 + 262_145, 10**17])
def test_piece_that_makes_no_progress_ends_the_attempt(line: Record, taken: int) -> None:
    line.store(10)
    line.tus.instead["PATCH /files"] = [whole(204, Upload_Offset=taken)]

    assert isinstance(line.send(attempts=2), NoService)
    assert len(line.tus.asked) == 2


FAULT = tuple(whole(500))
TOO_LONG = tuple(whole(413))
NOTHING_TAKEN = tuple(whole(201, b"", Upload_Offset=0))
FIRST_PIECE, SECOND_PIECE = (tuple(whole(204, b"", Upload_Offset=n * 262_144)) for n in (1, 2))


@pytest.mark.parametrize(
    ("posts", "patches", "sent_whole"),
    [
        ([FAULT], [], True),
        ([NOTHING_TAKEN], [FAULT], True),
        ([TOO_LONG, FAULT], [], False),
        ([TOO_LONG], [FAULT], False),
        ([TOO_LONG], [FIRST_PIECE, FAULT], False),
        ([TOO_LONG], [FIRST_PIECE, SECOND_PIECE, FAULT], True),
    ],
    ids=["whole", "whole, then a piece", "413", "piece 1 of 3", "piece 2 of 3", "piece 3 of 3"],
)
def test_outcome_of_a_first_attempt_says_whether_it_sent_the_whole_record(
    line: Record, posts: list[Iterable[bytes]], patches: list[Iterable[bytes]], *, sent_whole: bool
) -> None:
    """A proxy that answers 413 may not have read anything."""
    line.tus.instead |= {"POST /files": posts, "PATCH /files": patches}

    outcome = line.send()

    assert isinstance(outcome, NoService)
    assert outcome.sent_whole is sent_whole


@pytest.mark.parametrize("bytes_there", [1, 2 * 262_144, 600_000])
def test_outcome_of_an_attempt_that_sent_only_the_rest_does_not_say_sent_whole(
    line: Record, bytes_there: int
) -> None:
    line.store(bytes_there)
    pieces = -(-(len(line.content) - bytes_there) // 262_144)
    honest = [
        tuple(whole(204, b"", Upload_Offset=bytes_there + n * 262_144)) for n in range(1, pieces)
    ]
    line.tus.instead["PATCH /files"] = [*honest, FAULT]

    outcome = line.send(attempts=2)

    assert isinstance(outcome, NoService)
    assert not outcome.sent_whole


class Answering(Backend):
    """A backend that gives these answers, and no other."""

    answers: list[Answer]

    def _ask(self, *_: Any, **__: Any) -> Answer:
        return self.answers.pop(0)


def expected(status: int) -> tuple[type[Outcome], Trouble | None, float | None]:
    """The outcome of a bare answer with this status, to any request."""
    match status:
        case 401 | 403:
            return Unauthorised, Trouble.NOT_LET_IN, None
        case 409 | 460:
            return StuckUpload, None, None
        case 423:
            return Deferred, Trouble.BUSY, 7
        case 429 | 503:
            return NoService, Trouble.BUSY, 7
        case _ if 400 <= status <= 499:
            return UnsignedRejection, None, None
    return NoService, Trouble.NO_ANSWER, None


@pytest.mark.parametrize("asked", ["POST", "HEAD", "PATCH", "POST receipts"])
def test_every_status_is_what_the_table_says(line: Record, asked: str) -> None:
    """100 to 599 on each request, and on all that follow it."""
    length = str(len(line.content))
    told = {"PATCH": "10", "POST receipts": length}.get(asked)
    found = Answer(200, {"Upload-Offset": told or "", "Upload-Length": length}, b"")
    item = replace(line.item, attempts=1 if asked == "POST" else 2)
    with closing(Answering(BackendSettings("https://backend.example", ()))) as backend:
        for status in range(100, 600):
            bare = Answer(status, {"Retry-After": "7"}, b"")
            backend.answers = [found, *3 * [bare]] if told else 3 * [bare]

            outcome = Attempt(backend, {}, lambda _item, _url: None, item, line.content).run()

            seconds = getattr(outcome, "retry_after_s", None)
            assert (type(outcome), blocked_reason(outcome), seconds) == expected(status), status
