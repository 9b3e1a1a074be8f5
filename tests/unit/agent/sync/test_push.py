"""The status document rides on requests that are made anyway: on which, on how many, and what not.

Another process's answers, the queue and the card are real; the server notes what it was sent.
"""

import json
import random
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent import __version__
from agent.command.sync import sync_loop
from agent.config import Config, load
from agent.identity.tls_identity import IdentityStore, TlsIdentity
from agent.record import signing
from agent.status import header, values
from agent.status.document import LIMIT_BYTES, document, queue_part
from agent.status.values import DiskPart, QueuePart, Status
from agent.sync.loop import Sync
from agent.sync.push import LOOK_EVERY_S, STARTS_S, Push, part_worth_sending
from tests.support.authority import YEAR
from tests.support.device import Device, towards
from tests.support.est import Answered, est_server, required
from tests.support.rawserver import RawServer, Request, raw_server, whole
from tests.support.sending import NOON, DeviceQueue, device_queue
from tests.support.tusscript import TusScript
from tests.unit.agent.sync.line import Line, open_line

NAME = header.NAME.lower()


def carried(request: Request) -> dict[str, Any] | None:
    """The document that a request carried."""
    text = request.headers.get(NAME)
    return None if text is None else header.decoded(text)


def once(loop: Sync) -> None:
    """A round in which everything is asked for and all that waits is tried."""
    loop.send_once(lambda _done, _total: None)


# On which requests: the sending process as the command puts it together


@contextmanager
def in_place(folder: Path, server: RawServer, **tables: Any) -> Iterator[tuple[Sync, DeviceQueue]]:
    """The whole of sync over a queue, towards a server that answers as a backend does."""
    device = Device(folder, backend=towards(server), **tables)
    tus = TusScript(server)
    server.script = lambda asked: whole(404) if asked.method == "GET" else tus(asked)
    with device_queue(folder) as made, sync_loop(load(device.config)) as loop:
        yield loop, made


def test_status_rides_on_each_fetch_of_the_manifest(tmp_path: Path) -> None:
    with raw_server(tmp_path) as server:
        with in_place(tmp_path / "device", server, policy={"manifest": "required"}) as (loop, _):
            for _ in range(3):
                once(loop)
        asked = [request for request in server.requests if request.path == "/manifest"]
        documents = [carried(request) for request in asked]

    assert len(documents) == len(server.requests) == 3
    for told, request in zip(documents, asked, strict=True):
        assert told is not None
        assert (told["v"], told["device"], told["agent"]) == (1, "van-7", __version__)
        assert told["capture"] is None
        assert told["sync"]["state"] == "idle"
        assert len(request.headers[NAME]) <= header.LIMIT_CHARS
        assert len(json.dumps(told, separators=(",", ":"))) <= LIMIT_BYTES


def test_status_rides_on_the_first_upload_without_manifest_and_fleet(tmp_path: Path) -> None:
    with raw_server(tmp_path) as server:
        with in_place(tmp_path / "device", server) as (loop, made):
            for _ in range(3):
                made.press()
            once(loop)

        assert [carried(request) is not None for request in server.requests] == [True, False, False]


@pytest.mark.parametrize(
    ("manifest", "expected"), [("off", {"/fleet"}), ("required", {"/manifest"})]
)
def test_no_certificate_is_asked_for_with_it(
    tmp_path: Path, manifest: str, expected: set[str]
) -> None:
    """EST requests are of another kind, and may go to somebody else. The fleet document is asked
    for with it where there is no manifest."""
    with est_server(tmp_path / "est") as server:
        tables = required(server, tmp_path / "van", signing.new_key().public_key())
        van = Device(tmp_path / "van", policy={"manifest": manifest}, **tables)
        key = signing.new_key()
        starts = datetime.now(UTC) - timedelta(days=300)
        leaf = server.authority.issue(key.public_key(), "van-7", starts=starts, life=YEAR)
        server.script = lambda asked: Answered(404) if asked.method == "GET" else None
        with device_queue(van.folder), sync_loop(load(van.config)) as loop:
            before = loop.status()["hindrance"]
            IdentityStore(van.layout).install(TlsIdentity(key, (leaf,)))
            once(loop)
            until = loop.status()["tls_until"]
            with_it = {asked.path for asked in server.asked if header.NAME in asked.headers}

        assert "simplereenroll" in server.paths()
        assert with_it == expected
        assert before == "not_enrolled"
        assert until is not None


# News


@dataclass
class Pushing:
    """A line whose uploads may carry the document.

    Attributes:
        composed: how often the document was made.
        error: what making it raises.
    """

    config: Config
    line: Line
    composed: int = 0
    error: Exception | None = None

    def __post_init__(self) -> None:
        self.device = self.line.device
        self.start()
        self.line.sender.clock.now_s += STARTS_S

    def start(self) -> None:
        sender = self.line.sender
        self.push = Push(self.compose, sender.backend.carry, sender.clock.boottime_s)

    def compose(self) -> Status:
        self.composed += 1
        if self.error is not None:
            raise self.error
        said = self.line.sender.sync.status()
        return document(self.config, queue_part(self.device.outbox), sync=said, now=NOON)

    def upload(self, after_s: float = LOOK_EVERY_S, *, adopted: bool = False) -> list[Any]:
        """Send one record more; returns what each of its requests carried."""
        self.device.press(adopted=adopted)
        self.line.server.requests.clear()
        self.line.sender.clock.now_s += after_s
        self.line.sender.sync.step()
        return [carried(request) for request in self.line.server.requests]

    def tear(self) -> None:
        """Something that a person must look after: a file that did not verify."""
        (self.device.layout.torn / "x.rec").write_bytes(b"torn")

    def mend(self) -> None:
        (self.device.layout.torn / "x.rec").unlink()


@pytest.fixture
def pushing(tmp_path: Path) -> Iterator[Pushing]:
    def on_upload() -> None:
        made.push.on_upload()

    with open_line(tmp_path, on_upload=on_upload) as line:
        device = Device(tmp_path / "device", backend=towards(line.server))
        made = Pushing(load(device.config), line)
        yield made


def test_status_rides_on_the_first_upload_after_a_change_only(
    pushing: Pushing,
) -> None:
    at_start = pushing.upload(), pushing.upload()
    pushing.tear()
    worse = pushing.upload(), pushing.upload()
    pushing.mend()
    better = pushing.upload(), pushing.upload()

    firsts = [first for ((first,), _) in (at_start, worse, better)]
    assert ["torn" in told["needs"] for told in firsts] == [False, True, False]
    assert [second for (_, (second,)) in (at_start, worse, better)] == [None, None, None]


def test_a_capture_that_may_still_be_starting_is_not_told_as_stopped(pushing: Pushing) -> None:
    """At boot sync's first request goes out before capture listens."""
    pushing.start()
    ((starting,), (meanwhile,)) = pushing.upload(), pushing.upload()
    ((stopped,),) = (pushing.upload(STARTS_S),)

    assert "capture_stopped" not in starting["needs"]
    assert meanwhile is None
    assert "capture_stopped" in stopped["needs"]


def test_only_the_first_request_of_an_upload_carries_it(pushing: Pushing) -> None:
    told = pushing.upload(adopted=True)

    assert pushing.line.tus.asked[0].startswith("HEAD ")
    assert [one is not None for one in told] == [True, False, False]


def test_why_records_wait_is_news_when_they_go_again(pushing: Pushing) -> None:
    """The status of that time is sent afterwards, and then that it is over."""
    pushing.upload()
    pushing.line.tus.instead["POST /files"] = [whole(503)]
    pushing.upload()
    again, after, later = pushing.upload(400), pushing.upload(), pushing.upload()

    assert again[0]["queue"]["why"] == "busy"
    assert after[0]["queue"]["why"] == "next"
    assert later == [None]


def test_news_are_looked_for_every_ten_seconds_and_once_for_a_request(pushing: Pushing) -> None:
    """Looking asks capture, which has presses to serve; a drain sends ten records a second."""
    pushing.upload()
    pushing.tear()
    too_early = pushing.upload(LOOK_EVERY_S - 0.1)
    composed = pushing.composed
    in_time = pushing.upload(0.1)

    assert too_early == [None]
    assert composed == 1
    assert "torn" in in_time[0]["needs"]
    assert pushing.composed == 2


def test_word_of_a_fetch_is_no_news_to_an_upload(pushing: Pushing) -> None:
    pushing.tear()
    with pushing.line.sender.backend.attempt():
        pushing.push.on_fetch(pushing.line.sender.backend.fleet)('"fleet-1"')

    (request,) = pushing.line.server.requests
    assert "torn" in (carried(request) or {})["needs"]
    assert request.headers["if-none-match"] == '"fleet-1"'
    assert pushing.upload() == [None]


CHANGES: dict[str, tuple[str, Any, bool]] = {
    "a need": ("needs", ("torn",), True),
    "bench mode": ("bench_mode", True, True),
    "the agent": ("agent", "2027.1", True),
    "the time": ("utc", "2026-12-01T09:16:00.000Z", False),
    "how many wait": ("queue", QueuePart(4, 0, 0, 0, why="no_network"), False),
    "why": ("queue", QueuePart(3, 0, 0, 0, why="busy"), True),
    "that it goes on": ("queue", QueuePart(3, 0, 0, 0, why="next"), True),
    "the last contact": ("sync", values.SyncPart(last_contact="2026-12-01T10:00:00.000Z"), False),
}


BEFORE = Status(
    v=1,
    device="van-7",
    agent="2026.11",
    utc="2026-12-01T09:15:00.000Z",
    needs=(),
    identity=values.IdentityPart("off"),
    manifest="off",
    bench_mode=False,
    sealed=True,
    queue=QueuePart(3, 0, 0, 0, why="no_network"),
    torn=0,
    disk=DiskPart(24_000, 64),
    clock_wrong=False,
    capture=None,
    sync=values.SyncPart(last_contact="2026-12-01T09:00:00.000Z"),
    doctor=None,
)


@pytest.mark.parametrize("what", CHANGES)
def test_news_are_these_changes(what: str) -> None:
    name, value, is_news = CHANGES[what]
    changes: dict[str, Any] = {name: value}

    assert (part_worth_sending(replace(BEFORE, **changes)) != part_worth_sending(BEFORE)) is is_news


def test_nothing_that_waits_and_something_that_is_next_say_the_same() -> None:
    first, second = (
        replace(BEFORE, queue=QueuePart(0, 0, 0, 0, why=why)) for why in ("next", None)
    )

    assert part_worth_sending(first) == part_worth_sending(second)


# Absent rather than late


@pytest.mark.parametrize("error", [OSError("gone"), ValueError("no time"), KeyError("needs")])
def test_status_that_cannot_be_made_is_omitted_and_reported_once(
    pushing: Pushing, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    pushing.error = error
    without = [pushing.upload() for _ in range(3)]
    pushing.error = None

    assert without == [[None], [None], [None]]
    assert caplog.text.count("event=status_not_pushed") == 1
    assert pushing.upload()[0]["v"] == 1
    assert pushing.device.outbox.counts().waiting == 0


def test_status_that_is_too_long_is_omitted(caplog: pytest.LogCaptureFixture) -> None:
    """Proxies answer 431 to long headers: then not even the record would arrive."""
    texts: list[str] = []
    noise = random.Random(1).randbytes(header.LIMIT_CHARS).hex()
    made = replace(BEFORE, device=noise)
    push = Push(lambda: made, texts.append, lambda: 0.0)

    push.on_upload()

    assert texts == []
    assert "characters, where 2000 are the most" in caplog.text


@contextmanager
def hanging(path: Path) -> Iterator[None]:
    """A capture that takes questions and answers none."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(16)
        yield


def test_a_capture_that_hangs_is_waited_for_once_in_ten_seconds(
    pushing: Pushing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For 2 s, which are 0.3 s here; a process without an answer is reported as that."""
    monkeypatch.setattr("agent.status.reading._ASK_TIMEOUT_S", 0.3)
    monkeypatch.setattr("agent.sync.receipt_offers.ANSWER_S", 0.1)
    with hanging(pushing.device.layout.capture_socket):
        began_s = time.monotonic()
        (told,) = pushing.upload()
        first_s = time.monotonic() - began_s
        pushing.upload(1.0)
        both_s = time.monotonic() - began_s

    assert "error" in told["capture"]
    assert "capture_stopped" in told["needs"]
    assert 0.3 <= first_s < 1.0
    assert both_s < first_s + 0.3
    assert pushing.device.outbox.counts().waiting == 0
