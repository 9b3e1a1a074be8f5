"""A record that is sent whole again and again, without a receipt and without a cut line."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import pytest

from agent.models import RecordState
from agent.status.document import queue_part
from agent.status.values import plain
from tests.support.rawserver import Request, whole
from tests.support.sending import sender
from tests.support.tusscript import TusScript
from tests.unit.agent.sync.line import Line

CUT: Final[Iterable[bytes]] = ()
UNKNOWN: Final = tuple(whole(404))


@dataclass
class Forgetful:
    """A server that takes whole records, and gives no receipt.

    Attributes:
        at_place: the answer to HEAD on its own Location, another one for each POST.
        at_id: the answer to HEAD on the record's id.
        at_end: the answer to the last byte; None for success.
        bodies: how often the last byte came.
    """

    at_place: int = 404
    at_id: Iterable[bytes] = UNKNOWN
    at_end: Iterable[bytes] | None = None
    bodies: int = 0
    created: int = 0
    length: int = 0

    def __call__(self, request: Request) -> Iterable[bytes]:
        match request.method:
            case "HEAD":
                return whole(self.at_place) if "/at-" in request.path else self.at_id
            case "PATCH":
                return self._take(204, int(request.headers["upload-offset"]), request)
            case "POST" if request.path == "/files":
                self.created += 1
                self.length = int(request.headers["upload-length"])
                return self._take(201, 0, request, Location=f"/files/at-{self.created}")
        return whole(200, b"{}")

    def _take(self, status: int, offset: int, request: Request, **more: str) -> Iterable[bytes]:
        taken = offset + len(request.body)
        self.bodies += taken == self.length
        if taken == self.length and self.at_end is not None:
            return self.at_end
        return whole(status, b"", Upload_Offset=taken, **more)


def attempt(line: Line) -> float:
    """Make one attempt at the only record; returns the wait until the next one."""
    due_s = line.device.outbox.due_s()
    assert due_s is not None
    line.sender.clock.now_s = max(due_s, line.sender.clock.now_s + 301)
    tried = len(line.server.requests)
    line.sender.sync.step()
    assert len(line.server.requests) > tried
    return (line.device.outbox.due_s() or 0.0) - line.sender.clock.now_s


@pytest.mark.parametrize(
    "forgetful",
    [
        Forgetful(at_place=400),
        Forgetful(at_place=404),
        Forgetful(at_place=410),
        Forgetful(at_place=400, at_id=tuple(whole(200, Upload_Offset=0))),
        Forgetful(at_end=tuple(whole(500))),
    ],
    ids=["400", "404", "410", "offset 0", "500 at the end"],
)
@pytest.mark.parametrize("photo_bytes", [3_000, 300_000], ids=["one piece", "two pieces"])
def test_record_sent_whole_three_times_without_a_receipt_is_an_alarm(
    line: Line, forgetful: Forgetful, photo_bytes: int
) -> None:
    """Each attempt costs the whole record, so it then waits as a suspect one does."""
    line.server.script = server = replace(forgetful)
    item = line.device.press(photo_bytes)

    tried = [(attempt(line), line.alarms, line.answer(item) or "") for _ in range(5)]
    waits_s, alarms, answers = zip(*tried, strict=True)

    assert server.bodies == 5
    assert alarms == (0, 0, 1, 1, 1)
    assert max(waits_s[:2]) < 300
    assert waits_s[2:] == (300, 600, 1200)
    assert [answer[:14] for answer in answers[:2]] == ["sent whole 1: ", "sent whole 2: "]
    (alarm,) = plain(queue_part(line.device.outbox))["alarms"]
    assert alarm["what"].startswith("dead end 5: sent whole again, without a receipt: ")


def test_whole_bodies_are_counted_across_restarts_and_lost_lines(line: Line) -> None:
    """The row counts them, and once the server works the record is delivered."""
    line.server.script = Forgetful(at_place=400)
    item = line.device.press()
    server = line.server.script

    alarms = []
    for script in (server, lambda _: CUT, server, lambda _: CUT, server):
        line.server.script = script
        with sender(line.device, line.server) as restarted:
            restarted.sync.send_once(lambda _done, _total: None)
        alarms.append(line.alarms)
    line.server.script = line.tus
    with sender(line.device, line.server) as mended:
        mended.sync.send_once(lambda _done, _total: None)

    assert alarms == [0, 0, 0, 0, 1]
    assert line.device.state(item) == RecordState.DELIVERED
    assert line.alarms == 0


@pytest.mark.parametrize(
    "end", [CUT, tuple(whole(503)), tuple(whole(423))], ids=["cut", "busy", "locked"]
)
def test_lines_that_are_cut_and_busy_servers_are_no_dead_end(
    line: Line, end: Iterable[bytes]
) -> None:
    """A bad network may cut each answer off, and a busy backend says itself that time helps."""
    line.server.script = server = Forgetful(at_end=end)
    line.device.press()

    for _ in range(8):
        attempt(line)

    assert server.bodies == 8
    assert line.alarms == 0


@pytest.mark.parametrize("photo_bytes", [270_000, 600_000], ids=["two pieces", "three pieces"])
def test_server_that_keeps_the_offset_and_refuses_the_last_piece_is_no_dead_end(
    line: Line, photo_bytes: int
) -> None:
    """Each attempt but the first costs the last piece only, so it is tried as often as before."""
    item = line.device.press(photo_bytes)
    length = len(line.device.content(item))

    def keeping(request: Request) -> Iterable[bytes]:
        if request.method == "POST" and request.body:
            return whole(413)
        if request.method == "PATCH":
            is_last = int(request.headers["upload-offset"]) + len(request.body) == length
            return whole(500) if is_last else line.tus(request)
        return line.tus(request)

    line.server.script = keeping
    bodies = []
    for _ in range(6):
        line.server.requests.clear()
        attempt(line)
        bodies.append(sum(len(one.body) for one in line.server.requests))
    first, *later = bodies

    assert first >= length
    assert set(later) == {length % 262_144}
    assert line.alarms == 0
    assert line.device.outbox.get(item.capture_id).answer == "sent whole 1: PATCH was answered 500"


def test_record_that_only_waits_for_its_receipt_is_no_dead_end(line: Line) -> None:
    """The backend has it, and may decide later: it is sent once."""
    line.server.script = server = TusScript(line.server, signed={})
    server.instead["POST /receipts"] = [whole(200, b"{}") for _ in range(9)]
    line.device.press()

    for _ in range(8):
        attempt(line)

    assert sum(len(one.body) > 1_000 for one in line.server.requests) == 1
    assert line.alarms == 0
