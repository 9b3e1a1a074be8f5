"""A look that finds nothing proves nothing: each fault that it must find."""

import pytest

from agent.sync.outcome import NoService
from tests.bench.fleet.devices import NO_ANSWER, why
from tests.bench.fleet.kept import Judged, Kept, judged

HELD = {"a": "1", "b": "2"}
ROWS = [("a", "1"), ("b", "2")]
OTHER = [("a", "1"), ("b", "3")]


def test_complete_records_are_neither_lost_nor_double() -> None:
    assert judged(HELD, Kept(ROWS, ROWS, ROWS)) == Judged(set(), set(), set())


@pytest.mark.parametrize(
    "kept",
    [
        Kept(ROWS[:1], ROWS, ROWS),
        Kept(ROWS, ROWS[:1], ROWS),
        Kept(OTHER, ROWS, ROWS),
        Kept(ROWS, OTHER, ROWS),
    ],
    ids=["no row", "no object", "another row", "another object"],
)
def test_a_receipt_without_its_row_and_its_bytes_is_a_lost_record(kept: Kept) -> None:
    assert judged(HELD, kept).lost == {"b"}


def test_a_second_object_of_a_capture_is_double() -> None:
    assert judged(HELD, Kept(ROWS, [*ROWS, ("b", "3")], ROWS)).double == {"b"}


def test_a_receipt_that_no_device_knows_of_is_no_fault_and_is_filed_too() -> None:
    assert judged({"a": "1"}, Kept(ROWS, ROWS, ROWS[:1])) == Judged(set(), set(), {"b"})


def test_attempt_counts_by_the_status_that_ended_it() -> None:
    busy = NoService('POST was answered 503 "the store is away"')

    assert (why(busy), why(NoService("no route"))) == ("503", NO_ANSWER)
