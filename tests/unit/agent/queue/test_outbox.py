"""The queue: nothing is lost, nothing is sent twice at once, nothing blocks the rest."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.errors import UnknownItem
from agent.models import CaptureId, Item, RecordKind, RecordState
from agent.queue.database import Database
from agent.queue.outbox import CLAIM_S, Outbox
from hardware.clock import ClockSource
from tests.support.factory import MOMENT, RecordMaker, add, new_id, queue

MANY = 100_000
"""Rows of a device that was away from the network for two years."""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    _, opened, _ = queue(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def outbox(database: Database) -> Outbox:
    return Outbox(database, "boot-1")


@pytest.fixture
def device() -> RecordMaker:
    return RecordMaker()


def claimed(outbox: Outbox, now_s: float = 0.0) -> Item:
    item = outbox.claim(now_s, due_s=now_s)
    assert item is not None
    return item


def state(outbox: Outbox, item: Item) -> RecordState:
    return outbox.get(item.capture_id).state


def test_added_row_is_what_the_label_says(outbox: Outbox, device: RecordMaker) -> None:
    about = new_id()
    made = add(outbox, device.make(RecordKind.VOID, about=about), due_s=7.0, adopted=True)
    item = outbox.get(made.label.capture_id)

    assert (item.chain, item.seq, item.kind, item.about) == (device.chain, 1, "void", about)
    assert (item.label_sha256, item.bytes) == (made.label_sha256, len(made.content))
    assert (item.state, item.attempts, item.due_s) == (RecordState.PENDING, 0, 7.0)
    assert item.adopted


def test_second_add_changes_nothing(outbox: Outbox, device: RecordMaker) -> None:
    """Nobody can know if a commit that raised was durable, so it is tried again."""
    made = add(outbox, device.make())
    outbox.mark_delivered(claimed(outbox), "receipt", MOMENT)
    add(outbox, made)

    assert outbox.states() == {made.label.capture_id: RecordState.DELIVERED}


def test_the_file_decides_who_has_a_number_of_a_chain(outbox: Outbox, device: RecordMaker) -> None:
    """Capture writes no number twice: a row that has it already is somebody's idea of it."""
    add(outbox, device.make())
    second = add(outbox, RecordMaker(key=device.key, chain=device.chain).make())

    assert list(outbox.states()) == [second.label.capture_id]
    assert outbox.holder(second.label) == second.label.capture_id


def test_the_item_that_is_longest_due_goes_first(outbox: Outbox, device: RecordMaker) -> None:
    late, early, same = (add(outbox, device.make(), due_s) for due_s in (9.0, 5.0, 5.0))

    order = [claimed(outbox, 10.0).capture_id for _ in range(3)]
    assert order == [made.label.capture_id for made in (early, same, late)]
    assert outbox.claim(10.0, due_s=10.0) is None


def test_nothing_goes_before_it_is_due(outbox: Outbox, device: RecordMaker) -> None:
    add(outbox, device.make(), due_s=5.0)

    assert outbox.claim(4.9, due_s=4.9) is None
    assert outbox.due_s() == 5.0
    assert claimed(outbox, 5.0).attempts == 1


def test_a_claim_books_the_retry_before_the_attempt(outbox: Outbox, device: RecordMaker) -> None:
    """A sender that dies leaves a booking, no state to get stuck in."""
    add(outbox, device.make())
    item = claimed(outbox, 100.0)

    assert state(outbox, item) is RecordState.PENDING
    assert outbox.due_s() == 100.0 + CLAIM_S
    assert outbox.claim(100.0 + CLAIM_S - 1, due_s=100.0 + CLAIM_S - 1) is None
    assert claimed(outbox, 100.0 + CLAIM_S).attempts == 2


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(poisoned=st.sets(st.integers(0, 9), min_size=1, max_size=5), suspected=st.booleans())
def test_poison_does_not_delay_the_others(
    tmp_path_factory: pytest.TempPathFactory, poisoned: set[int], suspected: bool
) -> None:
    """Every other item goes in its first turn, if one fails for ever."""
    _, database, outbox = queue(tmp_path_factory.mktemp("poison"))
    device = RecordMaker()
    ids = [add(outbox, device.make(), due_s=0.0).label.capture_id for _ in range(10)]
    bad = {ids[index] for index in poisoned}
    attempts = 0
    while item := outbox.claim(1.0, due_s=1.0):
        attempts += 1
        if item.capture_id in bad:
            outbox.schedule_retry(item, 1.0 + 2.0**item.attempts, "HTTP 413", suspected=suspected)
        else:
            outbox.mark_delivered(item, "receipt", MOMENT)

    assert attempts == 10
    assert {each for each, now in outbox.states().items() if now is RecordState.PENDING} == bad
    database.close()


def test_hurry_sends_what_is_backed_off_but_no_suspect(outbox: Outbox, device: RecordMaker) -> None:
    """`sync --once` does not repeat what the backend's proxy refused a minute ago."""
    backed_off, suspect = (add(outbox, device.make()) for _ in range(2))
    outbox.schedule_retry(claimed(outbox), 300.0, "timeout")
    outbox.schedule_retry(claimed(outbox), 300.0, "HTTP 413", suspected=True)
    outbox.make_due(10.0)

    assert claimed(outbox, 10.0).capture_id == backed_off.label.capture_id
    assert outbox.claim(10.0, due_s=10.0) is None
    assert claimed(outbox, 300.0).capture_id == suspect.label.capture_id


def test_hurry_and_claim_try_a_dead_end_with_its_alarm(outbox: Outbox, device: RecordMaker) -> None:
    """Its column says that it is one; a text may say anything."""
    suspect, dead_end = (add(outbox, device.make()) for _ in range(2))
    outbox.schedule_retry(claimed(outbox), 300.0, "dead end 3: in words", suspected=True)
    outbox.schedule_retry(claimed(outbox), 300.0, "twice", suspected=True, dead_ends=3)
    outbox.make_due(10.0)

    item = outbox.claim(10.0, due_s=500.0, suspects=False)
    assert item is not None
    assert item.capture_id == dead_end.label.capture_id
    assert (item.answer, item.suspected, item.dead_ends) == ("twice", 1, 3)
    assert outbox.claim(10.0, due_s=500.0, suspects=False) is None
    assert outbox.get(suspect.label.capture_id).due_s == 300.0


def test_reboot_makes_everything_due_again(database: Database, device: RecordMaker) -> None:
    """The clock that booked the retry started again; nothing may wait for its old time."""
    before = Outbox(database, "boot-1")
    add(before, device.make())
    before.schedule_retry(claimed(before), 500_000.0, "timeout")
    after = Outbox(database, "boot-2")
    mine = add(after, device.make(), due_s=70.0)
    after.reset_schedule(12.0)

    assert after.due_s() == 12.0
    assert after.get(mine.label.capture_id).due_s == 70.0
    claimed(after, 12.0)
    after.reset_schedule(13.0)
    assert after.claim(13.0, due_s=13.0) is None


ENDINGS: dict[str, Callable[[Outbox, Item], object]] = {
    "schedule_retry": lambda outbox, item: outbox.schedule_retry(item, 0.0, "late", suspected=True),
    "set_upload_url": lambda outbox, item: outbox.set_upload_url(item, "https://x"),
    "mark_delivered": lambda outbox, item: outbox.mark_delivered(item, "other", MOMENT),
    "mark_refused": lambda outbox, item: outbox.mark_refused(item, "other", MOMENT, "no"),
    "mark_damaged": lambda outbox, item: outbox.mark_damaged(item, "gone"),
    "delete_rows": lambda outbox, item: outbox.delete_rows([item.capture_id]),
    "retry": lambda outbox, _: outbox.retry(None, 0.0),
    "reset_schedule": lambda outbox, _: outbox.reset_schedule(0.0),
    "make_due": lambda outbox, _: outbox.make_due(0.0),
    "claim": lambda outbox, _: outbox.claim(1e9, due_s=1e9),
}


@pytest.mark.parametrize("name", sorted(ENDINGS))
def test_delivered_record_stays_delivered(outbox: Outbox, device: RecordMaker, name: str) -> None:
    """A late answer of another attempt, or an operator, takes nothing back."""
    add(outbox, device.make())
    item = claimed(outbox)
    outbox.mark_delivered(item, "receipt", MOMENT)
    before = outbox.get(item.capture_id)
    ENDINGS[name](outbox, item)

    assert outbox.get(item.capture_id) == before
    assert (before.state, before.decision) == (RecordState.DELIVERED, "receipt")


@settings(max_examples=40)
@given(st.lists(st.sampled_from([*sorted(ENDINGS), "mark_pruned"]), max_size=12))
def test_states_change_only_along_the_arrows(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    """PENDING to DELIVERED to PRUNED; REFUSED and DAMAGED go back only by `queue retry`."""
    _, database, outbox = queue(tmp_path_factory.mktemp("arrows"))
    item = outbox.get(add(outbox, RecordMaker().make()).label.capture_id)
    acts = ENDINGS | {"mark_pruned": lambda outbox, item: outbox.mark_pruned([item.capture_id])}
    arrows = {
        (RecordState.PENDING, "mark_delivered"): RecordState.DELIVERED,
        (RecordState.PENDING, "mark_refused"): RecordState.REFUSED,
        (RecordState.PENDING, "mark_damaged"): RecordState.DAMAGED,
        (RecordState.REFUSED, "mark_damaged"): RecordState.DAMAGED,
        (RecordState.REFUSED, "retry"): RecordState.PENDING,
        (RecordState.DAMAGED, "retry"): RecordState.PENDING,
        (RecordState.DELIVERED, "mark_pruned"): RecordState.PRUNED,
    }
    now = RecordState.PENDING
    for name in names:
        acts[name](outbox, item)
        if now is RecordState.PRUNED and name == "delete_rows":
            assert outbox.states() == {}
            break
        now = arrows.get((now, name), now)

        assert state(outbox, item) is now
    database.close()


def test_a_refusal_is_kept_with_its_proof(outbox: Outbox, device: RecordMaker) -> None:
    add(outbox, device.make())
    item = claimed(outbox)
    outbox.mark_refused(item, "refusal", MOMENT, "unknown device")
    kept = outbox.get(item.capture_id)

    assert kept.state is RecordState.REFUSED
    assert (kept.decision, kept.answer) == ("refusal", "unknown device")
    assert outbox.claim(1e9, due_s=1e9) is None


@pytest.mark.parametrize("how", ["refused", "damaged", "suspect"])
def test_retry_puts_an_item_back_at_once(outbox: Outbox, device: RecordMaker, how: str) -> None:
    """The item begins with a question to the backend: `adopted`."""
    made = add(outbox, device.make())
    other = add(outbox, device.make(), due_s=1e9)
    item = claimed(outbox)
    outbox.schedule_retry(item, 0.0, "dead end 2: twice", dead_ends=2)
    match how:
        case "refused":
            outbox.mark_refused(item, "refusal", MOMENT, "no")
        case "damaged":
            outbox.mark_damaged(item, "other bytes")
        case _:
            outbox.schedule_retry(item, 1e9, "HTTP 413", suspected=True)

    assert outbox.retry(made.label.capture_id, 5.0) == 1
    again = claimed(outbox, 5.0)
    assert (again.capture_id, again.adopted) == (item.capture_id, True)
    assert (again.suspected, again.dead_ends) == (0, 0)
    assert (again.decision, again.decided_utc) == (None, None)
    assert outbox.get(other.label.capture_id).due_s == 1e9


def test_retry_of_a_record_that_needs_none_is_reported(outbox: Outbox, device: RecordMaker) -> None:
    made = add(outbox, device.make())

    for capture_id in (made.label.capture_id, new_id()):
        with pytest.raises(UnknownItem, match=capture_id):
            outbox.retry(capture_id, 0.0)
    assert outbox.retry(None, 0.0) == 0


def test_the_counts_are_of_what_the_backend_has_not(outbox: Outbox, device: RecordMaker) -> None:
    for _ in range(6):
        add(outbox, device.make(utc=f"2026-12-01T09:15:0{device.seq}.000Z"))
    items = [claimed(outbox) for _ in range(5)]
    outbox.schedule_retry(items[0], 0.0, "HTTP 413", suspected=True)
    outbox.mark_delivered(items[0], "receipt", MOMENT)
    outbox.mark_refused(items[1], "refusal", MOMENT, "no")
    outbox.mark_damaged(items[2], "gone")
    outbox.schedule_retry(items[3], 9.0, "HTTP 413", suspected=True)
    counts = outbox.counts()

    assert (counts.waiting, counts.suspected, counts.refused, counts.damaged) == (3, 1, 1, 1)
    assert counts.oldest_utc == "2026-12-01T09:15:03.000Z"
    assert [item.seq for item in outbox.alarms(10)] == [2, 3, 4]
    assert [item.seq for item in outbox.alarms(1)] == [2]


def test_an_empty_queue_counts_nothing(outbox: Outbox) -> None:
    counts = outbox.counts()

    assert (counts.waiting, counts.oldest_utc, outbox.due_s()) == (0, None, None)


def test_items_are_paged_in_order_of_arrival(outbox: Outbox, device: RecordMaker) -> None:
    for due_s in (5.0, 4.0, 3.0, 2.0, 1.0):
        add(outbox, device.make(), due_s)
    outbox.mark_delivered(claimed(outbox, 9.0), "receipt", MOMENT)

    page = outbox.items(None, 0, 3)
    assert [item.seq for item in page] == [1, 2, 3]
    assert [item.seq for item in outbox.items(None, page[-1].number, 3)] == [4, 5]
    assert [item.seq for item in outbox.items(RecordState.PENDING, page[-1].number, 3)] == [4]
    assert [item.seq for item in outbox.items(RecordState.DELIVERED, 0, 3)] == [5]


def test_every_item_is_read_once_page_by_page(
    outbox: Outbox, device: RecordMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device whose queue is long has little memory for it."""
    monkeypatch.setattr("agent.queue.reader._PAGE_ROWS", 2)
    made = [add(outbox, device.make()).label.capture_id for _ in range(5)]

    assert [item.capture_id for item in outbox.every()] == made
    monkeypatch.setattr("agent.queue.reader.MOST_ROWS", 3)
    assert [item.capture_id for item in outbox.every()] == made[:3]


@pytest.mark.parametrize(
    ("labels", "times", "dated_by"),
    [
        ([], [], "ntp"),
        (["ntp", "gnss"], [], "ntp"),
        (["gnss", "rtc"], [], "rtc"),
        (["rtc", "unsynced", "gnss"], [], "unsynced"),
        (["unsynced"], ["rtc"], "rtc"),
        (["unsynced", "rtc"], ["rtc", "gnss"], "gnss"),
        (["unsynced"], ["ntp", "rtc"], "ntp"),
        (["a later version's"], [], "ntp"),
    ],
)
def test_a_boot_is_dated_by_its_best_time_record_or_its_worst_label(
    database: Database, device: RecordMaker, labels: list[str], times: list[str], dated_by: str
) -> None:
    outbox = Outbox(database, device.boot_id)
    for clock in labels:
        add(outbox, device.make(clock=clock))
    for clock in times:
        add(outbox, device.make(RecordKind.TIME, clock=clock))

    assert outbox.dated_by() == dated_by
    assert Outbox(database, "another boot").dated_by() is ClockSource.NTP


def _fill(database: Database, rows: int, state: str) -> None:
    with database.step() as sql:
        sql.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)"
            " INSERT INTO captures (capture_id, chain, seq, label_sha256, boot_id, kind, utc,"
            " clock, bytes, sha256, state, adopted, attempts, suspected, due_boot_id, due_s)"
            " SELECT printf('00000000-0000-4000-8000-%012d', i), 'chain', i, ?2, 'boot-0', 'photo',"
            " '2026-12-01', 'gnss', 400000, ?2, ?3, 0, 0, 0, 'boot-1', i FROM n",
            (rows, "0" * 64, state),
        )


def _steps(database: Database, act: Callable[[Outbox], object]) -> int:
    """Instructions of SQLite's virtual machine that `act` costs: work, independent of the clock."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    with database.look() as sql:
        sql.set_progress_handler(count, 1)
    act(Outbox(database, "boot-1"))
    with database.look() as sql:
        sql.set_progress_handler(None, 1)
    return steps


QUESTIONS: dict[str, Callable[[Outbox], object]] = {
    "holder": lambda outbox: outbox.holder(RecordMaker().make().label),
    "claim": lambda outbox: outbox.claim(1.0, due_s=1.0),
    "claim, no suspects": lambda outbox: outbox.claim(1e9, due_s=1e9, suspects=False),
    "due_s": lambda outbox: outbox.due_s(),
    "get": lambda outbox: outbox.get(CaptureId("00000000-0000-4000-8000-000000000007")),
    "items": lambda outbox: outbox.items(None, 5, 3),
    "items pending": lambda outbox: outbox.items(RecordState.PENDING, 5, 3),
    "items delivered": lambda outbox: outbox.items(RecordState.DELIVERED, 5, 3),
    "items refused": lambda outbox: outbox.items(RecordState.REFUSED, 5, 3),
    "alarms": lambda outbox: outbox.alarms(3),
    "is shut out": lambda outbox: outbox.is_shut_out(),
    "add": lambda outbox: add(outbox, RecordMaker().make()),
}


@pytest.mark.slow
@pytest.mark.parametrize("state", ["PENDING", "DELIVERED", "REFUSED"])
def test_the_work_of_a_question_does_not_grow_with_the_queue(tmp_path: Path, state: str) -> None:
    """Everything asked while driving is answered by an index, at ten rows as at 100,000."""
    work = {}
    for rows in (10, MANY):
        _, database, _ = queue(tmp_path / str(rows))
        _fill(database, rows, state)
        work[rows] = {name: _steps(database, act) for name, act in QUESTIONS.items()}
        database.close()

    grown = {
        name: (work[10][name], steps)
        for name, steps in work[MANY].items()
        if steps > 2 * work[10][name] + 100
    }
    assert grown == {}


@pytest.mark.slow
def test_the_status_counts_from_an_index(tmp_path: Path) -> None:
    """Only what waits is counted, at three steps a row, and no row is read but the oldest."""
    _, database, outbox = queue(tmp_path)
    _fill(database, MANY, "PENDING")

    assert outbox.counts().waiting == MANY
    assert _steps(database, Outbox.counts) < 3 * MANY + 500
    with database.step() as sql:
        sql.execute("UPDATE captures SET state = 'DELIVERED'")
    assert _steps(database, Outbox.counts) < 500
    database.close()
