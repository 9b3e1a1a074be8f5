"""Fetching a document: asked for cheaply, whatever comes back, never in the way of records."""

import base64
import itertools
import random
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from agent.command.capture_process import answer as capture_answers
from agent.config import BackendSettings
from agent.process import control
from agent.record import signing
from agent.sync.blocked_reason import Connectivity
from agent.sync.document_fetch import MANIFEST_EVERY_S as EVERY_S
from agent.sync.document_fetch import WANTED_EVERY_S, Document, DocumentFetch
from agent.wire.http import Backend
from tests.support.benchtop import Bench
from tests.support.fleet import ALLOWED, SIGNED, fleet_device
from tests.support.rawserver import RawServer, head, raw_server, whole
from tests.support.roads import payload_of, signed
from tests.support.sending import QUICK

TOKEN: Final = signed(payload_of(ALLOWED))
TAG: Final = '"7-abc"'
PORTAL: Final = b"<html><title>Free Wi-Fi</title><form action=/login>Accept</form></html>"

STRANGE_ANSWERS: Final = {
    "a captive portal": PORTAL,
    "megabytes like a token": b".".join([b"e30" * 400_000, b"e30" * 400_000, b"A" * 86]),
    "nothing": b"",
    "another key": signed(payload_of(SIGNED), key=signing.new_key()).encode(),
}


@dataclass
class Rig:
    """A device, and a server that answers whatever the test wants.

    Attributes:
        untrusted: a member for each time that capture refused what another answer may mend.
    """

    device: Bench
    server: RawServer
    fetch: DocumentFetch
    untrusted: list[None]
    now_s: float = 1000.0

    def ask(self, answer: Iterable[bytes]) -> dict[str, str]:
        """Let it be time, and the server answer; returns the headers of what was asked."""
        pieces = list(answer)
        self.server.script = lambda _: pieces
        self.now_s += 2 * EVERY_S
        self.fetch.tick(self.now_s)
        return self.server.requests[-1].headers


@contextmanager
def open_rig(folder: Path) -> Iterator[Rig]:
    """A device whose capture does not listen."""
    untrusted: list[None] = []
    with (
        raw_server(folder) as server,
        fleet_device(folder / "device") as device,
        closing(Backend(settings_of(server), QUICK)) as backend,
    ):
        ask = partial(backend.manifest, device_id="dev-1")
        route = Document("manifest", EVERY_S, ask, "no route for this device")
        capture, rng = device.layout.capture_socket, random.Random(1)
        fetch = DocumentFetch(
            route,
            backend,
            capture,
            rng,
            Connectivity(),
            on_untrusted=lambda: untrusted.append(None),
        )
        yield Rig(device, server, fetch, untrusted)


def settings_of(server: RawServer) -> BackendSettings:
    return BackendSettings(server.base_url, (server.receipt_key_file,), server.ca_file)


@pytest.fixture
def deaf(tmp_path: Path) -> Iterator[Rig]:
    """A device whose capture does not listen, and that has asked for nothing."""
    with open_rig(tmp_path) as made:
        yield made


@pytest.fixture
def rig(deaf: Rig) -> Iterator[Rig]:
    """A device with its route in hand."""
    with answering(deaf.device):
        deaf.ask(whole(200, TOKEN.encode(), ETag=TAG))
        yield deaf


@contextmanager
def answering(device: Bench) -> Iterator[None]:
    """Its socket, as the command has it."""
    most = control.DOCUMENT_LIMIT_BYTES
    answers = partial(capture_answers, device.loop)
    with control.serve(device.layout.capture_socket, answers, limit_bytes=most):
        yield


def in_hand(rig: Rig) -> object:
    """The version that a press is decided by."""
    return rig.device.press()["record"]["manifest"]


def test_fetched_document_is_in_hand_at_once(rig: Rig) -> None:
    request = rig.server.requests[0]

    assert (request.method, request.path) == ("GET", "/manifest")
    assert base64.b64decode(request.headers["authorization"].removeprefix("Basic ")) == b"dev-1:"
    assert "doorstep-device" not in request.headers
    assert "if-none-match" not in request.headers
    assert in_hand(rig) == 7


@pytest.mark.parametrize("body", STRANGE_ANSWERS.values(), ids=STRANGE_ANSWERS.keys())
def test_a_200_that_is_no_manifest_is_refused_by_capture_and_stops_nothing(
    rig: Rig, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """The last valid one stays, the refusal is reported, and the next time all is fetched."""
    rig.ask(whole(200, body, ETag='"strange"'))
    rig.device.tick()
    refused = rig.device.loop.status()["manifest_refused"]

    assert in_hand(rig) == 7
    assert refused
    assert len(refused) < 200
    assert caplog.text.count("event=manifest_refused") == 1
    assert "if-none-match" not in rig.ask(whole(200, TOKEN.encode(), ETag=TAG))
    rig.device.tick()
    assert rig.device.loop.status()["manifest_refused"] is None
    assert in_hand(rig) == 7


def test_bytes_that_are_no_text_do_not_even_reach_capture(rig: Rig) -> None:
    rig.ask(whole(200, random.Random(1).randbytes(5000), ETag='"strange"'))

    assert in_hand(rig) == 7
    assert rig.device.loop.status()["manifest_refused"] is None
    assert rig.ask([head(304)])["if-none-match"] == TAG


@pytest.mark.parametrize(
    "answer",
    [
        [],
        [head(204)],
        [head(206, Content_Length=len(PORTAL)) + PORTAL],
        [head(404, Content_Length=0)],
    ],
)
def test_no_answer_and_every_other_one_are_for_the_next_time(rig: Rig, answer: list[bytes]) -> None:
    rig.ask(answer)
    before, refused = in_hand(rig), rig.device.loop.status()["manifest_refused"]
    rig.ask(whole(200, signed(payload_of(SIGNED) | {"version": 8}).encode()))

    assert (before, refused) == (7, None)
    assert in_hand(rig) == 8


@pytest.mark.parametrize(
    "tag", ["no quotes", '"a"\r\n "folded"', '"\xe9"', f'"{"x" * 5000}"', '"with \t in it"', ""]
)
def test_an_etag_that_no_request_can_carry_is_not_kept(rig: Rig, tag: str) -> None:
    """Otherwise no manifest would ever be fetched again."""
    newer = signed(payload_of(SIGNED) | {"version": 8}).encode()
    newest = signed(payload_of(SIGNED) | {"version": 9}).encode()
    rig.ask(whole(200, newer, ETag=tag))
    rig.device.tick()
    asked = rig.ask(whole(200, newest, ETag='W/"9"'))
    rig.device.tick()

    assert "if-none-match" not in asked
    assert rig.ask([head(304)])["if-none-match"] == 'W/"9"'
    assert in_hand(rig) == 9


# When it asks


def test_sync_asks_once_a_minute_give_or_take_a_third(rig: Rig) -> None:
    """Devices that were switched on together do not stay together."""
    rig.server.script = lambda _: [head(304)]
    began_s = rig.now_s + 2 * EVERY_S
    asked = len(rig.server.requests)
    times_s: list[float] = []
    for second in range(3600):
        rig.fetch.tick(began_s + second)
        if len(rig.server.requests) > asked:
            asked = len(rig.server.requests)
            times_s.append(second)

    apart_s = [later - earlier for earlier, later in itertools.pairwise(times_s)]
    assert all(40 <= one <= 81 for one in apart_s)
    assert max(apart_s) - min(apart_s) > 20
    assert 55 <= sum(apart_s) / len(apart_s) <= 65


def test_a_backend_that_does_not_answer_is_not_asked_more_often(rig: Rig) -> None:
    rig.ask([])
    asked = len(rig.server.requests)
    for second in range(39):
        rig.fetch.tick(rig.now_s + second)

    assert len(rig.server.requests) == asked


def test_wanted_document_is_asked_for_at_once_and_then_once_a_minute(rig: Rig) -> None:
    """A backend may go on signing with a key that no fleet document names."""
    rig.server.script = lambda _: [head(304)]
    rig.fetch.tick(now_s := rig.now_s + 2 * EVERY_S)
    asked = []
    for second in (1, 2, 30, 60, 61, 62):
        rig.fetch.fetch_at_next_tick()
        before = len(rig.server.requests)
        rig.fetch.tick(now_s + second)
        asked.append(len(rig.server.requests) - before)

    assert WANTED_EVERY_S == 60
    assert asked == [1, 0, 0, 0, 1, 0]


# What capture says


def test_document_fetched_while_capture_is_down_is_offered_later(deaf: Rig) -> None:
    deaf.ask(whole(200, TOKEN.encode(), ETag=TAG))
    before = in_hand(deaf)
    with answering(deaf.device):
        deaf.fetch.tick(deaf.now_s + 2)

    assert before == "none"
    assert in_hand(deaf) == 7
    assert len(deaf.server.requests) == 1


def test_a_capture_that_says_it_has_none_is_brought_one_whatever_was_fetched_before(
    rig: Rig,
) -> None:
    """A wrong clock, for one, has wiped it."""
    named = rig.ask([head(304, ETag=TAG)])
    rig.device.hear_time(datetime(2026, 12, 1, 18, 0, 5, tzinfo=UTC))
    rig.device.tick()
    asked = rig.ask(whole(200, TOKEN.encode(), ETag=TAG))

    assert named["if-none-match"] == TAG
    assert "if-none-match" not in asked


@pytest.mark.parametrize("answer", [{"error": "busy", "exit": 75}, {"strange": True}, {}])
def test_a_capture_that_answers_strangely_ends_no_fetch(deaf: Rig, answer: dict[str, Any]) -> None:
    with control.serve(deaf.device.layout.capture_socket, lambda *_: answer):
        deaf.ask(whole(200, TOKEN.encode(), ETag=TAG))
        deaf.ask(whole(200, TOKEN.encode(), ETag=TAG))

    assert len(deaf.server.requests) == 2


def test_a_capture_that_hangs_is_not_asked_again_at_once(deaf: Rig) -> None:
    """Records go on meanwhile."""
    asked: list[object] = []

    def note(request: dict[str, Any], _user: str) -> dict[str, Any]:
        asked.append(request.get("offer"))
        return {"error": "another document is being read; ask again", "exit": 75}

    with control.serve(deaf.device.layout.capture_socket, note):
        deaf.ask(whole(200, TOKEN.encode(), ETag=TAG))
        for second in range(29):
            deaf.fetch.tick(deaf.now_s + second)
        early = len(asked)
        deaf.fetch.tick(deaf.now_s + 31)

    assert (early, len(asked)) == (1, 2)


def test_refusal_that_another_answer_may_fix_is_doubted(rig: Rig) -> None:
    """A manifest by a key that only a newer fleet document names."""
    rig.ask(whole(200, signed(payload_of(ALLOWED), key=signing.new_key()).encode()))
    after_unknown = len(rig.untrusted)
    rig.ask(whole(200, signed(payload_of(SIGNED) | {"version": 6}).encode()))

    assert after_unknown == len(rig.untrusted) == 1
