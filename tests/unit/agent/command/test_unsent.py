"""A device may retire only if each unsent record was discarded by its exact number."""

from dataclasses import asdict

import pytest

from agent.command.unsent import Unsent, counted, why_not
from agent.models import Item, RecordState
from tests.support.factory import new_id

KINDS = list(asdict(Unsent()))


def test_nothing_unsent_may_go() -> None:
    assert why_not(Unsent(), 0) is None


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_keeps_it_and_says_a_way_out(kind: str) -> None:
    words = why_not(Unsent(**{kind: 3}), 0)

    assert words is not None
    assert f"3 {kind} (" in words
    assert "--discard 3" in words
    assert why_not(Unsent(**{kind: 3}), 3) is None


@pytest.mark.parametrize("given_up", [0, 1, 5, 7])
def test_another_number_than_there_are_gives_nothing_up(given_up: int) -> None:
    """The driver may have pressed once more since the technician looked."""
    assert why_not(Unsent(waiting=4, torn=2), given_up) is not None
    assert why_not(Unsent(waiting=4, torn=2), 6) is None


def test_missing_record_is_reported_when_it_is_given_up() -> None:
    words = why_not(Unsent(), 2)

    assert words is not None
    assert "--discard says 2, and the device 0" in words


@pytest.mark.parametrize("state", [RecordState.DELIVERED, RecordState.PRUNED])
def test_a_row_that_calls_a_file_done_without_its_receipt_is_not_believed(
    state: RecordState,
) -> None:
    """Sync writes rows too."""
    item = _row(state)

    assert counted([item], {item.capture_id}, 0, {}) == Unsent(unproven=1)
    assert counted([item], set(), 0, {}) == Unsent()


def _row(state: RecordState) -> Item:
    return Item(
        number=1,
        capture_id=new_id(),
        chain="a",
        seq=1,
        label_sha256="0" * 64,
        kind="photo",
        about=None,
        utc="2026-12-01T09:15:02.000Z",
        clock="gnss",
        bytes=1,
        sha256="0" * 64,
        state=state,
        adopted=False,
        attempts=1,
        suspected=0,
        dead_ends=0,
        sent_whole=0,
        due_s=0.0,
        upload_url=None,
        answer=None,
        decision="x.y.z",
        decided_utc=None,
    )
