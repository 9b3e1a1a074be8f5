"""The batches in which sync uses the network: when one begins, lasts and ends."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from agent.capture import gestures
from agent.capture.press import VOID_WINDOW_S
from agent.models import RecordState
from agent.status.troubles import Trouble
from agent.sync.backoff import BACK_OFF_CAP_S
from agent.sync.batches import IDLE_S, LOOK_EVERY_S, Batches
from agent.sync.blocked_reason import Connectivity
from agent.sync.downloads import Downloads
from agent.sync.loop import LOOK_S
from tests.support.rawserver import whole
from tests.unit.agent.sync.line import Line, open_line

EVERY_S = 900.0
HANG_UP: Iterable[bytes] = ()


@dataclass
class Urgency:
    """The answer to whether the device must not wait, and how often that was asked."""

    now: bool = False
    asked: int = 0

    def __call__(self) -> bool:
        self.asked += 1
        return self.now


@pytest.fixture
def urgency() -> Urgency:
    return Urgency()


@pytest.fixture
def batches(urgency: Urgency) -> Batches:
    return Batches(EVERY_S, urgency, Random(1))


def end(batches: Batches, now_s: float) -> float:
    """Let a batch end for want of work; return when it had ended."""
    batches.note_turn(now_s, is_idle=True)
    batches.note_turn(now_s + IDLE_S, is_idle=True)
    return now_s + IDLE_S


# --- the rule


def test_network_may_always_be_used_without_batches(urgency: Urgency) -> None:
    always = Batches(0.0, urgency)

    for now_s in (0.0, 100.0, 10_000.0):
        always.note_turn(now_s, is_idle=True)
        assert always.is_open(now_s)

    assert (urgency.asked, always.until_next_s(0.0)) == (0, 0.0)


def test_batch_lasts_while_there_is_work_and_a_little_longer(batches: Batches) -> None:
    for now_s in (0.0, 100.0, 2_000.0):
        batches.note_turn(now_s, is_idle=False)
    batches.note_turn(2_001.0, is_idle=True)
    batches.note_turn(2_001.0 + IDLE_S - 0.1, is_idle=True)
    lasted = batches.is_open(2_001.0 + IDLE_S)

    batches.note_turn(2_001.0 + IDLE_S, is_idle=True)

    assert lasted
    assert not batches.is_open(2_001.0 + IDLE_S)


def test_photo_that_is_taken_back_is_withdrawn_in_the_batch_that_sent_it() -> None:
    """Otherwise its customer would see it until the next batch."""
    assert IDLE_S > VOID_WINDOW_S + gestures.HOLD_S + 2 * LOOK_S


def test_next_batch_begins_within_the_set_time(urgency: Urgency) -> None:
    """An opt-out is not later than the setting says; nor do batches come twice as often."""
    gaps_s = []
    for seed in range(100):
        one = Batches(EVERY_S, urgency, Random(seed))
        ended_s = end(one, 50.0)
        gaps_s.append(ended_s - 50.0 + one.until_next_s(ended_s))
        assert one.is_open(50.0 + gaps_s[-1])

    assert EVERY_S * 2 / 3 <= min(gaps_s) < 0.7 * EVERY_S
    assert 0.95 * EVERY_S < max(gaps_s) <= EVERY_S


def test_device_in_its_cradle_sends_within_ten_seconds_and_until_it_is_taken_out(
    batches: Batches, urgency: Urgency
) -> None:
    ended_s = end(batches, 0.0)
    urgency.now = True
    assert not batches.is_open(ended_s)
    assert batches.wait_s(ended_s) <= LOOK_EVERY_S
    ended_s += LOOK_EVERY_S

    assert batches.is_open(ended_s)
    assert batches.until_next_s(ended_s) == 0
    end(batches, ended_s)
    assert batches.is_open(ended_s + 100)

    urgency.now = False
    assert not batches.is_open(ended_s + 200)


def test_capture_is_not_asked_more_often_than_every_ten_seconds(
    batches: Batches, urgency: Urgency
) -> None:
    for now_s in range(100):
        batches.is_open(float(now_s))
        batches.note_turn(float(now_s), is_idle=True)

    assert urgency.asked <= 1 + 100 / LOOK_EVERY_S


# --- the loop


@pytest.fixture
def line(tmp_path: Path, batches: Batches, connectivity: Connectivity) -> Iterator[Line]:
    with open_line(tmp_path, batches=batches, connectivity=connectivity) as opened:
        yield opened


@pytest.fixture
def connectivity() -> Connectivity:
    return Connectivity()


def run_dry(line: Line) -> None:
    """Let the loop make turns until its batch must have ended."""
    for _ in range(round(IDLE_S / LOOK_S) + 2):
        line.steps(2, after_s=LOOK_S)


def test_record_waits_for_the_next_batch(line: Line) -> None:
    first = line.device.press()
    run_dry(line)
    second = line.device.press()

    run_dry(line)
    waited = line.device.state(second)
    line.steps(2, after_s=EVERY_S)

    assert line.device.state(first) == RecordState.DELIVERED
    assert (waited, line.device.state(second)) == (RecordState.PENDING, RecordState.DELIVERED)


def test_loop_rests_between_batches_until_its_next_look(line: Line) -> None:
    run_dry(line)

    wait_s = line.sender.sync.step()

    assert 0 < wait_s <= LOOK_EVERY_S


@pytest.mark.parametrize("answer", [HANG_UP, whole(401), whole(503, Retry_After=60)])
def test_batch_does_not_end_while_the_backend_does_not_answer_as_it_should(
    line: Line, answer: Iterable[bytes]
) -> None:
    """Without a network the device tries as often as without batches."""
    line.tus.instead |= {"POST /files": 99 * [answer], "HEAD /files": 99 * [answer]}
    item = line.device.press()
    run_dry(line)
    run_dry(line)
    line.tus.instead.clear()

    for _ in range(round(BACK_OFF_CAP_S / LOOK_S)):
        line.steps(1, after_s=LOOK_S)

    assert line.device.state(item) == RecordState.DELIVERED


def test_batch_in_which_no_document_could_be_fetched_does_not_end(
    line: Line, batches: Batches, connectivity: Connectivity
) -> None:
    connectivity.blocked_reason = Trouble.NO_NETWORK
    run_dry(line)
    went_on = batches.is_open(line.sender.clock.now_s)

    connectivity.blocked_reason = None
    run_dry(line)

    assert went_on
    assert not batches.is_open(line.sender.clock.now_s)


def test_batch_does_not_end_while_a_document_waits_for_capture() -> None:
    waiting = ["fleet"]
    downloads = Downloads(unkept=lambda: waiting)
    before = downloads.are_settled()

    waiting.clear()

    assert (before, downloads.are_settled()) == (False, True)


def test_person_who_sends_now_does_not_wait_for_the_next_batch(line: Line) -> None:
    run_dry(line)
    item = line.device.press()

    line.sender.sync.send_once(lambda _done, _total: None)

    assert line.device.state(item) == RecordState.DELIVERED


def test_status_says_that_the_device_waits_for_its_next_batch(line: Line) -> None:
    in_batch = line.sender.sync.status()
    run_dry(line)

    between = line.sender.sync.status()

    assert (in_batch["state"], in_batch["hindrance"]) == ("idle", None)
    assert (between["state"], between["hindrance"], between["pause"]) == ("batch", "batch", None)
    assert EVERY_S / 2 < between["waits_s"] <= EVERY_S
    assert in_batch["batch_minutes"] == between["batch_minutes"] == 15
