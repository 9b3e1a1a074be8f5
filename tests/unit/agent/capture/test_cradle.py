"""The light in the cradle: "all sent" only if every record is known, and with the backend."""

import sqlite3  # noqa: TID251 - it takes a row away, as a process that was taken over could
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.capture.housekeeping import ASK_SHUT_OUT_S
from agent.models import RecordState
from agent.queue import database, queue_repair
from agent.queue.disk import lock
from hardware.indicator import Signal
from hardware.power import PowerReading
from tests.support.benchtop import Bench, Parts, bench

FED = PowerReading(60, external=True, under_voltage=None)


def _in_the_cradle() -> Parts:
    parts = Parts()
    parts.power.reading = FED
    return parts


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path, _in_the_cradle()) as opened:
        yield opened


def _light(device: Bench, after_s: float = 1.1) -> Signal:
    device.tick(after_s)
    return device.parts.light.shown[-1]


def _light_when_asked(device: Bench) -> Signal:
    """Return the light after the queue was asked again whether the device is shut out."""
    return _light(device, ASK_SHUT_OUT_S + 0.1)


def _deliver_all(device: Bench) -> None:
    """By a sender of its own, as another process has it."""
    for row in device.rows():
        if row.state is RecordState.PENDING:
            device.outbox.mark_delivered(row, "a receipt", datetime.now(UTC))


def test_the_light_is_right_within_a_second_of_what_the_sender_did(device: Bench) -> None:
    device.press()
    device.tick(2.0)
    waiting = _light(device)
    *others, last = device.rows()
    for row in others:
        device.outbox.mark_delivered(row, "a receipt", datetime.now(UTC))
    one_left = _light(device)
    device.outbox.mark_delivered(last, "a receipt", datetime.now(UTC))

    assert (waiting, one_left, _light(device)) == (
        Signal.SENDING,
        Signal.SENDING,
        Signal.ALL_SENT,
    )


def test_a_restart_shows_all_sent_and_one_with_a_record_never_does(tmp_path: Path) -> None:
    with bench(tmp_path) as device:
        device.press()
    with bench(tmp_path, _in_the_cradle()) as device:
        first = _light(device)
        _deliver_all(device)
    assert (first, device.parts.light.shown) == (Signal.SENDING, [Signal.SENDING])

    with bench(tmp_path, _in_the_cradle()) as device:
        assert _light(device) is Signal.ALL_SENT


def test_a_device_that_is_shut_out_asks_for_the_office(device: Bench) -> None:
    """The cradle shows "sending" until each waiting record had its 401 or 403."""
    device.press()
    device.tick(2.0)
    rows = [row for row in device.rows() if row.state is RecordState.PENDING]
    lights = [_light(device)]
    for row, asked in zip(rows, ("POST", "HEAD"), strict=True):
        device.outbox.schedule_retry(row, 9e9, f'{asked} was answered 403 "certificate revoked"')
        lights.append(_light_when_asked(device))
    device.press()
    lights.append(_light_when_asked(device))
    *_, newest = device.rows()
    device.outbox.schedule_retry(newest, 9e9, "POST receipts was answered 401")
    lights.append(_light_when_asked(device))

    sending, office = Signal.SENDING, Signal.ASK_OFFICE
    assert lights == [sending, sending, office, sending, office]


def test_queue_is_asked_only_every_10_s_whether_the_device_is_shut_out(device: Bench) -> None:
    """The question looks through all waiting rows, in the loop that serves presses."""
    device.press()
    lights = [_light_when_asked(device)]
    for row in device.rows():
        device.outbox.schedule_retry(row, 9e9, "POST was answered 403")
    lights += [_light(device, 3.0) for _ in range(4)]

    sending, office = Signal.SENDING, Signal.ASK_OFFICE
    assert lights == [sending, sending, sending, sending, office]


@pytest.mark.parametrize(
    "answer",
    ['POST was answered 500 "POST was answered 403"', "PATCH was answered 413", "let in since"],
)
def test_light_stays_white_if_one_answer_was_another(device: Bench, answer: str) -> None:
    device.press()
    device.tick(2.0)
    first, *others = [row for row in device.rows() if row.state is RecordState.PENDING]
    device.outbox.schedule_retry(first, 9e9, answer)
    for row in others:
        device.outbox.schedule_retry(row, 9e9, "POST was answered 403")

    assert _light_when_asked(device) is Signal.SENDING


def test_a_record_that_lies_there_and_is_not_queued_is_for_the_office(device: Bench) -> None:
    """Such a record cannot be sent, and no count has it."""
    _deliver_all(device)
    device.layout.torn.rmdir()
    device.layout.torn.touch()
    device.layout.record("garbage").write_bytes(b"no record")
    device.tick(queue_repair.SWEEP_EVERY_S + 1)
    stuck = device.parts.light.shown[-1]
    device.layout.torn.unlink()
    device.layout.torn.mkdir()
    device.tick(queue_repair.SWEEP_EVERY_S + 1)

    assert (stuck, device.parts.light.shown[-1]) == (Signal.ASK_OFFICE, Signal.ALL_SENT)


@contextmanager
def _impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setattr(database, "LOCK_PATIENCE_S", 0.1)
        yield


def _held(device: Bench) -> AbstractContextManager[None]:
    """The queue, by another process."""
    return lock(device.layout.state_lock, exclusive=True, wait=False)


def test_boot_sends_only_part_before_the_records_are_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that is gone comes back with the sweep; another process kept that off at the start."""
    with bench(tmp_path) as device:
        photo = device.press()["label"]["capture_id"]
        _deliver_all(device)
    with closing(sqlite3.connect(device.layout.database)) as sql, sql:
        sql.execute("DELETE FROM captures WHERE capture_id = ?", (photo,))
    with ExitStack() as opened:
        with _impatient(monkeypatch), _held(device):
            device = opened.enter_context(bench(tmp_path, _in_the_cradle()))
        before = [_light(device) for _ in range(3)]
        device.tick(queue_repair.REPAIR_EVERY_S)

        assert photo in [row.capture_id for row in device.rows()]
        assert before == [Signal.ASK_OFFICE] * 3
        assert device.parts.light.shown[-1] is Signal.SENDING


@pytest.mark.slow  # it waits for a lock as long as the product does
def test_a_queue_that_another_process_holds_is_not_all_sent(
    device: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    _deliver_all(device)
    with _impatient(monkeypatch), _held(device):
        held = _light(device)

    assert held is Signal.NOT_READY
    assert _light(device) is Signal.ALL_SENT
