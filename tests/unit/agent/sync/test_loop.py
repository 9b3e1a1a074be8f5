"""The loop: claim, deliver, mark, wait; against scripted answers."""

import logging
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.errors import NotNow
from agent.models import RecordState
from agent.process import control
from agent.queue import disk
from agent.queue.outbox import CLAIM_S
from agent.sync import loop
from agent.sync.link import LinkWatch
from agent.sync.round import Round, RoundResult, read
from tests.support.factory import MOMENT, respelled_file
from tests.support.rawserver import whole
from tests.support.sending import Sender, device_queue, sender
from tests.support.tusscript import refusal
from tests.support.waiting import until
from tests.unit.agent.sync.line import Line

HANG_UP: Iterable[bytes] = ()


@contextmanager
def running(sender: Sender) -> Iterator[threading.Event]:
    """The loop in a thread, once it listens; it must open the database itself."""
    sender.device.database.close()
    stop = threading.Event()
    thread = threading.Thread(target=_run, args=(sender, stop))
    thread.start()
    try:
        assert until(sender.device.layout.sync_socket.exists)
        yield stop
    finally:
        stop.set()
        thread.join()


def _run(sender: Sender, stop: threading.Event) -> None:
    try:
        sender.sync.run(stop)
    finally:
        sender.device.database.close()


# --- marks


def test_refused_record_is_kept_and_the_next_goes_on(line: Line) -> None:
    refused, next_one = line.device.press(), line.device.press()
    token = refusal(line.server.key, refused, line.device.content(refused), reason="damaged")
    line.tus.instead["POST /files"] = [whole(422, Doorstep_Refusal=token)]

    line.steps(2)

    assert line.device.state(refused) == RecordState.REFUSED
    assert line.answer(refused) == "damaged"
    assert line.device.layout.record(refused.capture_id).exists()
    assert line.device.state(next_one) == RecordState.DELIVERED


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), "missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "bytes"),
        (lambda path: path.write_bytes(bytes(path.stat().st_size)), "other bytes"),
        (lambda path: path.write_bytes(b""), "0 bytes"),
        (lambda path: path.write_bytes(respelled_file(path.read_bytes())), "other bytes"),
    ],
)
def test_damaged_record_is_not_sent_and_the_next_goes_on(
    line: Line, damage: Callable[[Path], object], words: str
) -> None:
    """Some cards return other bytes than were written.

    So is the other spelling of its signature, although it verifies: nobody honest writes that.
    """
    damaged, next_one = line.device.press(), line.device.press()
    damage(line.device.layout.record(damaged.capture_id))

    line.steps(2)

    assert line.device.state(damaged) == RecordState.DAMAGED
    assert words in (line.answer(damaged) or "")
    assert line.device.state(next_one) == RecordState.DELIVERED
    assert len(line.server.requests) == 1


# --- waits


def test_not_let_in_pauses_the_loop_and_changes_no_state(line: Line) -> None:
    """After the pause another due item goes first, so that one answered 403 blocks nobody."""
    first, second = line.device.press(), line.device.press()
    line.device.outbox.schedule_retry(second, line.sender.clock.now_s, "tried before")
    line.tus.instead["POST /files"] = [whole(403)]

    line.steps(5)
    assert len(line.server.requests) == 1
    assert line.device.state(first) == RecordState.PENDING
    line.steps(1, after_s=1)
    assert line.device.state(second) == RecordState.DELIVERED
    line.steps(1, after_s=0.01)

    assert line.device.state(first) == RecordState.DELIVERED


def test_rows_say_that_the_device_is_shut_out_until_it_is_let_in(line: Line) -> None:
    """The cradle's light looks at them; also by a HEAD, and in a process that came afterwards."""
    items = [line.device.press() for _ in range(3)]
    line.device.outbox.schedule_retry(items[1], 0.0, "tried before")
    for asked in ("POST /files", "HEAD /files", "POST /receipts"):
        line.tus.instead[asked] = 9 * [whole(403, b"certificate revoked")]

    seen = []
    for _ in range(3):
        line.steps(1)
        seen.append(line.device.outbox.is_shut_out())
        line.sender.clock.now_s += 10
    line.tus.instead.clear()
    with sender(line.device, line.server) as restarted:
        restarted.clock.now_s += 400
        restarted.sync.step()
    seen.append(line.device.outbox.is_shut_out())

    assert seen == [False, False, True, False]
    states = [line.device.state(item) for item in items]
    assert states.count(RecordState.DELIVERED) == 1
    assert "let in since; before: " in "".join(line.answer(item) or "" for item in items)


@pytest.mark.parametrize(
    ("before", "counts"),
    [
        ("sent whole 2: POST was answered 500", {"sent_whole": 2}),
        ("dead end 2: twice", {"dead_ends": 2}),
    ],
)
def test_row_that_counted_fruitless_attempts_says_that_the_device_is_shut_out(
    line: Line, before: str, counts: dict[str, Any]
) -> None:
    """A count below the alarm begins again, because the cradle's light reads the plain words."""
    item = line.device.press()
    line.device.outbox.schedule_retry(item, 0.0, before, **counts)
    told = whole(403, b"certificate revoked")
    line.tus.instead["POST /files"] = [told]

    line.steps(1)

    assert line.device.outbox.is_shut_out()


def test_row_of_an_alarm_keeps_its_words_while_the_device_is_shut_out(line: Line) -> None:
    item = line.device.press()
    line.device.outbox.schedule_retry(item, 0.0, "dead end 3: twice", suspected=True, dead_ends=3)
    told = whole(403, b"certificate revoked")
    line.tus.instead["POST /files"] = [told]

    line.steps(1)

    assert line.answer(item) == "dead end 3: twice"
    assert line.alarms == 1


def test_suspect_waits_and_the_others_go_on(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    suspect, next_one = line.device.press(), line.device.press()
    line.tus.instead |= {
        "POST /files": 2 * [whole(413, b"Too Large")],
        "HEAD /files": [whole(400)],
    }

    line.steps(2)

    assert line.device.state(next_one) == RecordState.DELIVERED
    assert line.wait_s(suspect) == 300
    line.steps(1, after_s=301)
    assert line.wait_s(suspect) == 600
    assert line.alarms == 1
    assert "Too Large" in caplog.text
    assert caplog.text.count("event=suspect") == 2


def test_third_dead_end_of_a_record_is_an_alarm_and_it_goes_on(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that takes each POST and keeps none of it; after the alarm one that works."""
    item = line.device.press()
    line.tus.instead |= {
        "POST /files": [HANG_UP],
        "HEAD /files": 9 * [whole(404)],
        "PATCH /files": 4 * [whole(404)],
    }

    alarms = []
    for _ in range(5):
        line.steps(1)
        alarms.append(line.alarms)
        assert line.wait_s(item) <= 16
        line.sender.clock.now_s += 16
    assert alarms == [0, 0, 0, 1, 1]
    assert "the upload did not stay" in (line.device.outbox.alarms(1)[0].answer or "")
    assert [caplog.text.count(f"event={one}") for one in ("deferred", "suspect")] == [1, 1]
    line.steps(1)

    assert line.device.state(item) == RecordState.DELIVERED
    assert line.device.outbox.alarms(1) == []


def test_dead_ends_are_counted_from_process_to_process(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    """A `sync --once` is one each time; a line that is lost in between fixes nothing."""
    item = line.device.press(adopted=True)
    gone = whole(404)
    line.tus.instead |= {
        "HEAD /files": [gone, HANG_UP, gone, whole(423), gone, HANG_UP, gone],
        "PATCH /files": 4 * [gone],
    }

    alarms = [_sent_by_a_new_process(line) for _ in range(7)]

    assert alarms == [0, 0, 0, 0, 1, 1, 1]
    assert (line.answer(item) or "").startswith("dead end 4: after POST ")
    assert "wait_s=" in next(one for one in caplog.messages if "event=suspect" in one)
    assert _sent_by_a_new_process(line) == 0
    assert line.device.state(item) == RecordState.DELIVERED


def test_refusal_whose_reason_reads_like_a_dead_end_counts_for_nothing(line: Line) -> None:
    """The backend writes the reason, and a technician puts the record back."""
    item, outbox = line.device.press(), line.device.outbox
    outbox.mark_refused(item, "a.refusal", MOMENT, "dead end 9: in the backend's words")
    outbox.retry(item.capture_id, 0.0)
    line.tus.instead |= {"HEAD /files": [whole(404)], "PATCH /files": [whole(404)]}

    line.steps(1)

    assert (line.answer(item) or "").startswith("dead end 1: after POST ")
    assert outbox.counts().suspected == 0


def _sent_by_a_new_process(line: Line) -> int:
    """The alarms after it has tried the one record that waits."""
    with sender(line.device, line.server) as sending:
        sent = sending.sync.send_once(lambda _done, _total: None)
    assert sent.tried == 1
    return line.alarms


@pytest.mark.parametrize(
    ("answer", "wait_s", "rest_s"),
    [
        (whole(500), (0, 1), (0, 1)),
        (whole(503, Retry_After=100), (100, 100), (100, 100)),
        (whole(423, Retry_After=3600), (3600, 3600), (0, 1)),
        (whole(423, Retry_After=0), (0, 1), (0, 1)),
    ],
    ids=["failed", "busy", "locked", "locked, and is to be asked at once"],
)
def test_item_waits_and_the_loop_rests_as_the_answer_asks(
    line: Line, answer: Iterable[bytes], wait_s: tuple[float, float], rest_s: tuple[float, float]
) -> None:
    """A locked upload does not hold up the others."""
    first, _second = line.device.press(), line.device.press()
    line.tus.instead["POST /files"] = [answer]

    line.steps(2)

    assert len(line.server.requests) == 1
    assert wait_s[0] <= line.wait_s(first) <= wait_s[1]
    assert line.wait_s(first) > 0
    assert rest_s[0] <= line.sender.sync.status()["waits_s"] <= rest_s[1]


def test_link_watch_tells_each_change_once() -> None:
    ours, kernels = socket.socketpair(type=socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    with closing(LinkWatch()) as watch, kernels:
        watch.close()
        watch.sockets.append(ours)
        told = [watch.changed()]
        kernels.send(b"a link")
        kernels.send(b"a route")
        told += [watch.changed(), watch.changed()]

    assert told == [False, True, False]


def test_link_news_end_the_loops_wait(line: Line) -> None:
    _first, second = line.device.press(), line.device.press()
    line.tus.instead["POST /files"] = [whole(503, Retry_After=100)]
    line.steps(1)

    line.sender.sync.link_news()
    line.steps(1, after_s=0.5)

    assert line.device.state(second) == RecordState.DELIVERED


def test_records_are_counted_in_one_log_line_once_none_is_due(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(3):
        line.device.press()

    line.steps(4)

    assert caplog.messages == ["event=delivered count=3"]


# --- crashes and rivals


def test_claim_of_a_sender_that_died_ends_by_itself(line: Line) -> None:
    """The answer may be lost, the upload not: the next attempt begins with HEAD."""
    item = line.device.press()
    clock = line.sender.clock
    assert line.device.outbox.claim(clock.now_s, due_s=clock.now_s) is not None

    clock.now_s += CLAIM_S - 1
    line.steps(1)
    assert line.server.requests == []
    clock.now_s += 2
    line.steps(1)

    assert line.tus.asked[0] == f"HEAD /files/{item.capture_id}"
    assert line.device.state(item) == RecordState.DELIVERED


def test_delivery_booked_by_another_boot_is_due_within_30_s(line: Line) -> None:
    """Its clock means nothing now; not at once, since a fleet may come back together."""
    item = line.device.press()
    line.device.outbox.claim(9e9, due_s=9e9)

    with (
        device_queue(line.device.folder, "boot-2") as booted,
        sender(booted, line.server) as sending,
        running(sending),
    ):
        assert until(lambda: 0 < line.wait_s(item) <= 30)


@pytest.mark.parametrize("act", ["run", "send_once"])
def test_sender_does_not_start_beside_another(line: Line, act: str) -> None:
    stop = threading.Event()
    stop.set()
    with (
        disk.lock(line.device.layout.sync_lock, exclusive=False, wait=False),
        pytest.raises(NotNow, match="held by another process; only one may run"),
    ):
        getattr(line.sender.sync, act)(stop)


def test_two_senders_never_send_one_record_twice(line: Line) -> None:
    """Even without the lock: a claim is one UPDATE."""
    items = [line.device.press(100) for _ in range(40)]
    line.device.database.close()
    threads = [threading.Thread(target=_drain, args=(line,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {line.device.state(item) for item in items} == {RecordState.DELIVERED}
    assert line.tus.asked == 40 * ["POST /files"]
    assert line.server.connections == 2


def _drain(line: Line) -> None:
    with device_queue(line.device.folder) as same, sender(same, line.server) as sending:
        while sending.sync.step() == 0:
            pass


# --- send once


def test_send_once_sends_what_is_backed_off_but_not_what_is_suspect(line: Line) -> None:
    backed_off, suspect, fresh = (line.device.press() for _ in range(3))
    line.device.outbox.schedule_retry(backed_off, 1e6, "silent")
    line.device.outbox.schedule_retry(suspect, 0.0, "413", suspected=True)
    told: list[tuple[int, int]] = []

    sent = line.sender.sync.send_once(lambda done, total: told.append((done, total)))

    assert sent == RoundResult(tried=2, delivered=2, waiting=1, paused=None)
    assert told == [(1, 2), (2, 2)]
    assert line.device.state(suspect) == RecordState.PENDING
    assert line.device.state(fresh) == RecordState.DELIVERED


def test_send_once_tries_each_record_once(line: Line) -> None:
    for _ in range(4):
        line.device.press()
    line.tus.instead["POST /files"] = [whole(500), whole(423), whole(500)]

    sent = line.sender.sync.send_once(lambda _done, _total: None)

    assert sent == RoundResult(tried=4, delivered=1, waiting=3, paused=None)
    assert len(line.server.requests) == 4


@pytest.mark.parametrize(
    ("answer", "tried", "paused"),
    [
        (HANG_UP, 3, None),
        (whole(503, Retry_After=86_400), 1, None),
        (whole(401), 1, "POST was answered 401"),
    ],
    ids=["no answer", "a long rest", "not let in"],
)
def test_send_once_gives_up_when_no_record_would_get_through(
    line: Line, answer: Iterable[bytes], tried: int, paused: str | None
) -> None:
    for _ in range(9):
        line.device.press()
    line.tus.instead["POST /files"] = 9 * [answer]

    sent = line.sender.sync.send_once(lambda _done, _total: None)

    assert sent == RoundResult(tried=tried, delivered=0, waiting=9, paused=paused)


def test_two_that_ask_the_running_loop_at_once_are_both_answered(line: Line) -> None:
    line.device.press()
    path, told = line.device.layout.sync_socket, []
    asking = [
        threading.Thread(target=lambda: told.append(control.ask(path, {"send": True}, 5)))
        for _ in range(2)
    ]
    with running(line.sender):
        for one in asking:
            one.start()
        for one in asking:
            one.join()

    assert [answer and answer["waiting"] for answer in told] == [0, 0]


@pytest.mark.slow
def test_request_while_the_queue_is_gone_is_answered_once_it_is_back(line: Line) -> None:
    """Capture makes it again meanwhile; the loop looks every two seconds."""
    line.device.press()
    path, told = line.device.layout.sync_socket, []
    database = line.device.layout.database
    asking = threading.Thread(target=lambda: told.append(control.ask(path, {"send": True}, 9)))
    with running(line.sender):
        assert until(lambda: _state(path) == "idle" and line.server.requests)
        database.rename(database.with_name("aside"))
        asking.start()
        time.sleep(0.5)
        database.with_name("aside").rename(database)
        asking.join()

    assert told[0] is not None


def test_a_round_that_cannot_be_told_is_not_now() -> None:
    stopped = Round()
    stopped.over.set()

    with pytest.raises(NotNow, match="sync was stopped meanwhile; ask again"):
        stopped.wait()
    with pytest.raises(NotNow, match="the running sync answered something else"):
        read({"tried": 1})


def test_send_once_asks_the_running_loop(line: Line) -> None:
    items = [line.device.press() for _ in range(3)]
    for item in items:
        line.device.outbox.schedule_retry(item, 1e6, "silent")
    with device_queue(line.device.folder) as same, sender(same, line.server) as command:
        with running(line.sender):
            sent = command.sync.send_once(lambda _done, _total: None)

        assert sent == RoundResult(tried=3, delivered=3, waiting=0, paused=None)
        assert {same.state(item) for item in items} == {RecordState.DELIVERED}
    assert line.server.connections == 1


@dataclass
class Noted:
    """Something to fetch that notes when it may, and when somebody waits for it."""

    turns: int = 0
    hurries: int = 0

    def tick(self, _now_s: float) -> None:
        self.turns += 1

    def make_due(self) -> None:
        self.hurries += 1


def test_send_once_asks_the_running_loop_for_the_manifest_too(line: Line) -> None:
    """With `sync --once` a technician also wants the present route, even with nothing to send."""
    noted = Noted()
    with (
        device_queue(line.device.folder) as same,
        sender(same, line.server, downloads=[noted]) as daemon,
        running(daemon),
    ):
        line.sender.sync.send_once(lambda _done, _total: None)

    assert noted.hurries == 1


def test_nothing_is_fetched_while_the_loop_rests_and_all_of_it_afterwards(line: Line) -> None:
    noted = Noted()
    line.device.press()
    line.tus.instead["POST /files"] = [whole(401)]
    with sender(line.device, line.server, downloads=[noted]) as sending:
        sending.sync.step()
        sending.sync.step()
        resting = noted.turns
        sending.clock.now_s += 301
        sending.sync.step()

    assert (resting, noted.turns) == (1, 2)


def test_loop_that_rests_for_long_says_so(line: Line) -> None:
    """Somebody waits at a `sync --once`; the clock stands, so the rest would never end."""
    for _ in range(3):
        line.device.press()
    tomorrow = whole(503, Retry_After=86_400)
    line.tus.instead |= {"POST /files": 9 * [tomorrow], "HEAD /files": 9 * [tomorrow]}
    with running(line.sender):
        answer = control.ask(line.device.layout.sync_socket, {"send": True}, 5)

    assert answer is not None
    assert answer.pop("unkept") == []
    assert answer == {"tried": 1, "delivered": 0, "waiting": 3, "paused": None}


# --- run


def test_new_record_is_noticed_by_the_running_loop(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LOOK_S", 0.1)
    with device_queue(line.device.folder) as same, running(line.sender):
        item = same.press()
        assert until(lambda: same.state(item) == RecordState.DELIVERED)


class NotedStop(threading.Event):
    """Notes which threads set it."""

    def __init__(self) -> None:
        super().__init__()
        self.setters: list[threading.Thread] = []

    def set(self) -> None:
        self.setters.append(threading.current_thread())
        super().set()


def test_loop_that_fails_sets_stop_but_never_in_its_own_thread(line: Line) -> None:
    """A signal's stop.set() there would wait for the lock that the interrupted one holds."""
    stop = NotedStop()
    path = line.device.layout.sync_socket

    with (
        control.serve(path, lambda request, _: request),
        pytest.raises(NotNow, match="another process listens there"),
    ):
        line.sender.sync.run(stop)

    assert stop.is_set()
    assert threading.current_thread() not in stop.setters


def test_loop_that_is_stopped_does_not_set_stop_again(line: Line) -> None:
    stop = NotedStop()
    stop.set()

    line.sender.sync.run(stop)

    assert len(stop.setters) == 1


def test_stop_ends_a_running_transfer(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    """The link is not lost then: it was the device that hung up."""
    line.device.press()
    arrived, over = threading.Event(), threading.Event()

    def mute(_request: object) -> Iterator[bytes]:
        arrived.set()
        over.wait()
        yield b""

    line.server.script = mute
    with running(line.sender) as stop:
        assert arrived.wait(5)
        status = control.ask(line.device.layout.sync_socket, {"status": True}, 5)
        start_s = time.monotonic()
        stop.set()
    assert time.monotonic() - start_s < 1
    assert status is not None
    assert status["state"] == "sending"
    over.set()
    assert "event=link_lost" not in caplog.text


def test_status_tells_the_last_contact_and_why_nothing_is_sent(line: Line) -> None:
    for _ in range(3):
        line.device.press()
    line.steps(1)
    line.tus.instead["POST /files"] = [whole(401), whole(503, Retry_After=100)]
    line.steps(1)
    paused = line.sender.sync.status()
    line.steps(1, after_s=3)

    not_let_in, busy = "POST was answered 401", "POST was answered 503"
    assert paused == {
        "state": "paused",
        "last_contact": "2026-12-01T09:15:07.412Z",
        "last_answer": not_let_in,
        "pause": not_let_in,
        "waits_s": pytest.approx(0.5, abs=0.5),
        "hindrance": "not_let_in",
    }
    assert line.sender.sync.status() == paused | {
        "state": "waiting",
        "last_answer": busy,
        "pause": None,
        "waits_s": 100.0,
        "hindrance": "busy",
    }


def _state(path: Path) -> object:
    answer = control.ask(path, {"status": True}, 5)
    return answer and answer["state"]


def test_other_requests_are_told_what_there_is(line: Line) -> None:
    with running(line.sender), pytest.raises(Exception, match="sync takes"):
        control.ask(line.device.layout.sync_socket, {"press": "photo"}, 5)


def test_systemd_hears_of_start_and_life(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"\0doorstep-test-{os.getpid()}")
        systemd.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@doorstep-test-{os.getpid()}")

        with running(line.sender):
            assert systemd.recv(100) == b"READY=1"
            assert systemd.recv(100) == b"WATCHDOG=1"


@pytest.mark.slow
def test_link_that_comes_up_is_noticed(line: Line) -> None:
    """An address that appears; netlink needs no rights to listen, `ip` needs root to change."""
    _first, second = line.device.press(), line.device.press()
    line.tus.instead["POST /files"] = [whole(503, Retry_After=3600)]
    backoff, clock = line.sender.sync._backoff, line.sender.clock  # noqa: SLF001 - how long it rests

    with device_queue(line.device.folder) as same, running(line.sender):
        assert until(lambda: _state(line.device.layout.sync_socket) == "waiting")
        try:
            subprocess.run(["ip", "addr", "add", "127.0.0.9/8", "dev", "lo"], check=True)
            assert until(lambda: backoff.rest_until_s < clock.now_s + 1)
            clock.now_s += 1
            assert until(lambda: same.state(second) == RecordState.DELIVERED)
        finally:
            subprocess.run(["ip", "addr", "del", "127.0.0.9/8", "dev", "lo"], check=False)
