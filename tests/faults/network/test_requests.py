"""Faults of whole requests by a script: answers that come twice, and records that always fail."""

import base64
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.models import Item, RecordState
from tests.faults.network.inner import Inner, inner_backend
from tests.faults.network.rig import in_memory
from tests.support.rawserver import RawServer, Request, Script, raw_server, whole
from tests.support.sending import DeviceQueue, Sender, device_queue, sender
from tests.support.tusscript import receipt

pytestmark = pytest.mark.slow

DAY_S = 86_400.0
"""Longest wait of a record, be it suspect or asked to wait by somebody."""


@dataclass(frozen=True, slots=True)
class Relayed:
    """A device, the server whose script stands between, and the backend.

    Attributes:
        server: its script answers each request, with `ask` or otherwise.
    """

    device: DeviceQueue
    sender: Sender
    server: RawServer
    inner: Inner

    def ask(self, request: Request) -> bytes:
        """The backend's own answer, whole."""
        lines = [f"{request.method} {request.path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in request.headers.items()]
        with socket.create_connection(("127.0.0.1", self.inner.port)) as line:
            asked = "\r\n".join([*_without_connection(lines), "connection: close", "", ""])
            line.sendall(asked.encode("latin-1") + request.body)
            with line.makefile("rb") as reader:
                told, _, body = reader.read().partition(b"\r\n\r\n")
        kept = _without_connection(told.decode("latin-1").split("\r\n"))
        return "\r\n".join([*kept, "", ""]).encode("latin-1") + body


def _without_connection(lines: list[str]) -> list[str]:
    return [line for line in lines if not line.lower().startswith("connection:")]


@dataclass(frozen=True, slots=True)
class _Reachable:
    base_url: str
    ca_file: Path
    receipt_key_file: Path


@pytest.fixture
def one() -> Iterator[Relayed]:
    """A relay that is honest until the script is another."""
    with (
        in_memory() as folder,
        inner_backend(folder / "backend") as inner,
        raw_server(folder) as server,
        device_queue(folder / "device") as made,
        sender(made, _Reachable(server.base_url, server.ca_file, inner.receipt_key_file)) as sends,
    ):
        relayed = Relayed(made, sends, server, inner)
        server.script = lambda request: [relayed.ask(request)]
        yield relayed


def turn(one: Relayed, items: Iterable[Item], then_s: float) -> None:
    """Run one turn of the loop; no record may be in a wrong place."""
    one.sender.sync.step()
    one.sender.clock.now_s += then_s
    for item in items:
        assert one.inner.misplaced(one.device, item) == []


def delivered(one: Relayed, items: Iterable[Item]) -> int:
    return sum(one.device.state(item) == RecordState.DELIVERED for item in items)


# --- duplicate answers


def one_piece(one: Relayed) -> Script:
    return lambda request: [2 * one.ask(request)]


def two_pieces(one: Relayed) -> Script:
    return lambda request: 2 * [one.ask(request)]


def a_request_late(one: Relayed) -> Script:
    """Each third answer comes again when the next request is there, before the true one."""
    kept: list[bytes] = []
    asked = iter(range(10**6))

    def script(request: Request) -> Iterable[bytes]:
        answer = one.ask(request)
        pieces = [*kept, answer]
        kept[:] = [answer] if next(asked) % 3 == 0 else []
        return pieces

    return script


@pytest.mark.parametrize("twice", [one_piece, two_pieces, a_request_late])
@pytest.mark.parametrize("adopted", [False, True])
def test_answer_that_comes_twice_is_never_taken_for_another_records(
    one: Relayed, twice: Callable[[Relayed], Script], adopted: bool
) -> None:
    items = [one.device.press(adopted=adopted) for _ in range(8)]
    one.server.script = twice(one)
    for _ in range(20):
        turn(one, items, then_s=400)

    one.server.script = lambda request: [one.ask(request)]
    for _ in range(20):
        turn(one, items, then_s=400)

    assert delivered(one, items) == len(items)


def test_a_line_that_is_one_answer_behind_is_given_up(one: Relayed) -> None:
    """Each answer on it is to the request before: nothing on it would ever be right again."""
    items = [one.device.press() for _ in range(3)]
    behind = [*whole(200)]

    def script(request: Request) -> Iterable[bytes]:
        behind.append(one.ask(request))
        return [behind.pop(0)] if one.server.connections == 1 else [behind.pop()]

    one.server.script = script
    for _ in range(6):
        turn(one, items, then_s=400)

    assert delivered(one, items) == len(items)
    assert one.server.connections == 2


# --- poison


def is_about(request: Request, item: Item) -> bool:
    """By path, by metadata, or in the question for receipts."""
    announced = request.headers.get("upload-metadata", "")
    named = base64.b64encode(item.capture_id.encode()).decode()
    own = item.capture_id
    return own in request.path or named in announced or own.encode() in request.body[:200]


POISON: dict[str, Callable[[Relayed, Item], Iterable[bytes]]] = {
    "the line is cut": lambda *_: [],
    "500": lambda *_: whole(500),
    "503 for a day": lambda *_: whole(503, b"", Retry_After=86_400),
    "302": lambda *_: whole(302, b"", Location="https://elsewhere.example/"),
    "403": lambda *_: whole(403),
    "404": lambda *_: whole(404),
    "409": lambda *_: whole(409),
    "413": lambda *_: whole(413),
    "423": lambda *_: whole(423, b"", Retry_After=86_400),
    "460": lambda *_: whole(460),
    "a portal's page": lambda *_: whole(200, b"<html>"),
    "complete, no receipt": lambda _, item: whole(201, b"", Upload_Offset=item.bytes),
    "another record's receipt": lambda one, item: whole(
        201, b"", Upload_Offset=item.bytes, Doorstep_Receipt=receipt(one.server.key, "x", b"")
    ),
}

OTHERS = 20

STEPS = 2000
"""More than all rests of the loop together have looks at the queue."""


@pytest.mark.parametrize("how", POISON)
@pytest.mark.parametrize("poisoned", [1, 4])
def test_records_that_always_fail_do_not_delay_the_others(
    one: Relayed, how: str, poisoned: int
) -> None:
    """The oldest ones fail, whatever is asked; while another waits, each has one turn, not two."""
    bad = [one.device.press() for _ in range(poisoned)]
    good = [one.device.press() for _ in range(OTHERS)]
    asked: list[str] = []

    def script(request: Request) -> Iterable[bytes]:
        ill = next((item for item in bad if is_about(request, item)), None)
        asked.append(ill.capture_id if ill else "good")
        return POISON[how](one, ill) if ill else [one.ask(request)]

    one.server.script = script
    for _ in range(STEPS):
        if delivered(one, good) == OTHERS:
            break
        one.sender.clock.now_s += one.sender.sync.step()

    assert delivered(one, good) == OTHERS
    assert asked.count("good") == OTHERS
    assert [one.device.outbox.get(item.capture_id).attempts for item in bad] == poisoned * [1]
    for item in [*bad, *good]:
        assert one.inner.misplaced(one.device, item) == []
    one.server.script = lambda request: [one.ask(request)]
    while delivered(one, bad) < poisoned and one.sender.clock.now_s < 1000 + 3 * DAY_S:
        turn(one, bad, then_s=600)
    assert delivered(one, bad) == poisoned
