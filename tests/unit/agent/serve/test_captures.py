"""The list of what is not delivered: pages, no numbers, hours, and as quick at its end."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.models import CaptureId, RecordState
from agent.queue.outbox import Outbox
from agent.queue.reader import NOT_DELIVERED, OutboxReader
from agent.queue.readonly import ReadOnlyDatabase
from agent.serve import captures
from agent.serve.answer import HttpAnswer
from tests.support.factory import MOMENT, RecordMaker, add, new_id, queue

LATER = MOMENT + timedelta(hours=5, minutes=59)


def page(outbox: OutboxReader, **parameters: str) -> dict[str, Any]:
    answer = captures.page(outbox, captures.page_request(parameters), LATER)
    assert answer.status == 200
    found: dict[str, Any] = json.loads(answer.body)
    return found


def mixed(outbox: Outbox, count: int) -> list[CaptureId]:
    """Rows in the order of arrival, each in another state than the one before."""
    maker = RecordMaker()
    ids = [add(outbox, maker.make()).label.capture_id for _ in range(count)]
    for number, one in enumerate(map(outbox.get, ids)):
        match number % 5:
            case 1:
                outbox.mark_refused(one, "a.refusal.jws", MOMENT, "unknown_key")
            case 2:
                outbox.mark_damaged(one, "its file is gone")
            case 3:
                outbox.schedule_retry(one, 1e9, "POST was answered 413", suspected=True)
            case 4:
                outbox.mark_delivered(one, "a.receipt.jws", MOMENT)
    return ids


def test_a_page_says_why_each_is_here_in_order_of_arrival_and_nothing_else(outbox: Outbox) -> None:
    *ids, _delivered = mixed(outbox, 5)

    said = [
        {"state": "PENDING", "suspect": False, "age_h": 6, "answer": None},
        {"state": "REFUSED", "suspect": False, "age_h": 6, "answer": "unknown_key"},
        {"state": "DAMAGED", "suspect": False, "age_h": 6, "answer": "its file is gone"},
        {"state": "PENDING", "suspect": True, "age_h": 6, "answer": "POST was answered 413"},
    ]
    lines = [{"id": capture_id, **line} for capture_id, line in zip(ids, said, strict=True)]
    assert page(outbox) == {"captures": lines, "next": None}


@pytest.mark.parametrize("limit", ["1", "2", "3", "100"])
@pytest.mark.parametrize("state", [None, "PENDING", "REFUSED", "DAMAGED", "SUSPECT"])
def test_pages_joined_are_the_whole_list(outbox: Outbox, state: str | None, limit: str) -> None:
    """Each once, whatever the size of a page; the last one has no next."""
    mixed(outbox, 23)
    wanted = {} if state is None else {"state": state}
    whole = page(outbox, **wanted, limit="100")["captures"]
    assert len(whole) > 3

    found, after = [], dict[str, str]()
    for _ in range(30):
        one = page(outbox, **wanted, **after, limit=limit)
        found += one["captures"]
        if one["next"] is None:
            break
        assert len(one["captures"]) == int(limit)
        after = {"after": one["next"]}

    assert found == whole


def test_a_state_shows_only_its_own(outbox: Outbox) -> None:
    mixed(outbox, 10)

    for state in ("PENDING", "REFUSED", "DAMAGED"):
        assert {one["state"] for one in page(outbox, state=state)["captures"]} == {state}
    assert {one["suspect"] for one in page(outbox, state="SUSPECT")["captures"]} == {True}


def test_a_cursor_outlasts_the_delivery_of_its_item(outbox: Outbox) -> None:
    ids = mixed(outbox, 10)
    after = page(outbox, limit="1")["next"]
    outbox.mark_delivered(outbox.get(ids[0]), "a.receipt.jws", MOMENT)

    assert page(outbox, after=after, limit="1")["captures"][0]["id"] == ids[1]


def test_cursor_that_no_page_named_is_reported(outbox: Outbox) -> None:
    wanted = captures.page_request({"after": new_id()})

    answer = captures.page(outbox, wanted, LATER)

    said = b'{"error":"after: not what a page named as `next`; begin again without it"}'
    assert answer == HttpAnswer(400, said)


@pytest.mark.parametrize(
    ("clock", "utc", "age_h"),
    [
        ("gnss", "2026-12-01T09:00:00.000Z", 6),
        ("gnss", "2026-12-01T09:59:59.999Z", 6),
        ("unsynced", "2026-12-01T09:15:02.000Z", None),
        ("ntp", "2026-12-01T15:14:02.000Z", 0),
        ("ntp", "2026-12-01T15:59:59.999Z", 0),
        ("ntp", "2026-12-01T16:00:00.000Z", None),
        ("gnss", "\x1b[2J", None),
    ],
    ids=["hour began", "hour ends", "no clock", "now", "this hour", "to come", "no time"],
)
def test_an_age_is_from_hour_to_hour_or_unknown(
    outbox: Outbox, clock: str, utc: str, age_h: int | None
) -> None:
    """Otherwise a client that asks each second reads from its steps the second of a press."""
    add(outbox, RecordMaker().make(clock=clock, utc=utc))

    assert page(outbox)["captures"][0]["age_h"] == age_h


def test_a_long_answer_is_cut_and_does_not_command_a_terminal(outbox: Outbox) -> None:
    made = add(outbox, RecordMaker().make())
    outbox.schedule_retry(outbox.get(made.label.capture_id), 1e9, "\x1b[2J" + "x" * 5_000)

    answer = page(outbox)["captures"][0]["answer"]

    assert len(answer) == 200
    assert answer.isprintable()


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        *(("limit", value) for value in ("0", "101", "-1", "1e1", "ten", "", " 5", "5 ", "+5")),
        *(("limit", value) for value in ("٣", "9" * 400, "1_0", "0x10")),
        *(("after", value) for value in ("0", "-1", "", "9" * 400, "words", "g" * 36, "a\x00b")),
        *(("after", value) for value in ("' OR 1=1 --", "AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA")),
        *(("state", value) for value in ("pending", "DELIVERED", "PRUNED", "", "PENDING'", "*")),
        ("state", "PENDING,REFUSED"),
    ],
)
def test_wrong_parameter_is_reported_and_not_quoted(parameter: str, value: str) -> None:
    with pytest.raises(ValueError) as told:
        captures.page_request({parameter: value})

    assert (
        str(told.value)
        == {
            "limit": "limit: not a number from 1 to 100",
            "after": "after: not what a page named as `next`; begin again without it",
            "state": "state: none of PENDING, REFUSED, DAMAGED, SUSPECT",
        }[parameter]
    )


@pytest.mark.parametrize("state", [*NOT_DELIVERED, None])
def test_each_page_is_read_from_an_index_and_sorts_nothing(
    tmp_path: Path, state: RecordState | None
) -> None:
    """The index of the state, with rows in order of their numbers; or that of the suspects."""
    _, database, _ = queue(tmp_path)
    asked: list[str] = []
    with database.look() as sql:
        sql.set_trace_callback(asked.append)
    outbox = OutboxReader(database)
    outbox.suspects(None, 10) if state is None else outbox.undelivered([state], None, 10)

    with database.look() as sql:
        sql.set_trace_callback(None)
        (query,) = [one for one in asked if one.startswith("SELECT number, capture_id")]
        steps = [row["detail"] for row in sql.execute(f"EXPLAIN QUERY PLAN {query}")]
    database.close()

    assert steps == [
        "SEARCH captures USING INDEX captures_suspect (number>?)"
        if state is None
        else "SEARCH captures USING INDEX idx_captures_state (state=? AND rowid>?)"
    ]


def test_reader_without_write_access_sees_the_same(tmp_path: Path) -> None:
    layout, database, outbox = queue(tmp_path)
    mixed(outbox, 10)

    assert page(OutboxReader(ReadOnlyDatabase(layout))) == page(outbox)
    database.close()
