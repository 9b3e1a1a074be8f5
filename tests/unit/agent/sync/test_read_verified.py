"""Only a plain file with the queued bytes is sent."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.sync.outcome import Deferred
from agent.sync.read_verified import read_verified
from tests.support.factory import Made, RecordMaker, add


@pytest.fixture
def made() -> Made:
    return RecordMaker().make()


def lay_link(path: Path, made: Made) -> None:
    elsewhere = path.with_name("elsewhere")
    elsewhere.write_bytes(made.content)
    path.symlink_to(elsewhere)


IN_ITS_PLACE: dict[str, Callable[[Path, Made], None]] = {
    "link": lay_link,
    "pipe": lambda path, _: os.mkfifo(path),
    "folder": lambda path, _: path.mkdir(),
}


def test_the_bytes_that_were_queued_are_sent(layout: Layout, outbox: Outbox, made: Made) -> None:
    made.into(layout.records)
    add(outbox, made)

    item = outbox.get(made.label.capture_id)
    assert read_verified(layout.record(item.capture_id), item) == made.content


@pytest.mark.parametrize("what", IN_ITS_PLACE)
def test_special_file_is_not_followed_and_not_sent(
    layout: Layout, outbox: Outbox, made: Made, what: str
) -> None:
    """Also where it leads to the very bytes: who put it there decides what they are next."""
    add(outbox, made)
    item = outbox.get(made.label.capture_id)
    path = layout.record(item.capture_id)
    IN_ITS_PLACE[what](path, made)

    expected = Deferred("its file cannot be read: a link or a folder is in its place")
    assert read_verified(path, item) == expected
