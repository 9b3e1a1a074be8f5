"""The head of the chain and what this boot knew of the time: what files say, and no row."""

import os
import threading
import time
import uuid
from contextlib import closing

import pytest

from agent.models import ChainHead, RecordLabel
from agent.queue import labels
from agent.queue.database import Database
from agent.record.signing import PublicKey
from tests.support.factory import Made, RecordMaker, add
from tests.support.peak import peak_mb
from tests.unit.agent.queue.card import Card

BOOT = "boot-1"


def head(
    card: Card, device: RecordMaker | None = None, device_id: str = "van-7"
) -> ChainHead | None:
    key = (device or card.device).key.public_key()
    return labels.head(card.layout, labels.read_labels(card.layout), key, device_id)


def head_of(made: Made) -> ChainHead:
    return ChainHead(made.label.chain, made.label.seq, made.label_sha256)


def rewrite(card: Card, change: str, *values: object) -> None:
    """As another process that may write the queue."""
    with closing(Database(card.layout)) as database, database.step() as sql:
        sql.execute(f"UPDATE captures SET {change}", values)


def test_chain_has_no_head_without_a_record(card: Card) -> None:
    assert head(card) is None


def test_the_head_is_the_record_with_the_highest_number(card: Card) -> None:
    made = [card.made() for _ in range(12)]

    assert head(card) == head_of(made[-1])


@pytest.mark.parametrize(
    "lie",
    [
        "seq = 1000000",
        "chain = 'another'",
        "number = 1000 - number",
        "label_sha256 = sha256",
        "state = 'PRUNED'",
    ],
)
def test_a_row_that_lies_changes_nothing(card: Card, lie: str) -> None:
    for _ in range(3):
        card.queued()
    true = head(card)
    rewrite(card, f"{lie} WHERE number = 2")

    assert head(card) == true


def test_a_row_without_a_file_is_no_head(card: Card) -> None:
    newest, lost = card.queued(), card.device.make()
    add(card.outbox, lost)

    assert head(card) == head_of(newest)


def test_another_key_or_device_has_no_chain_to_follow(card: Card) -> None:
    card.made()

    assert head(card, RecordMaker()) is None
    assert head(card, device_id="van-8") is None


def test_the_chain_with_the_latest_time_is_followed(card: Card) -> None:
    """A device that had lost its state began another one; that it has more records says nothing."""
    for _ in range(5):
        card.device.make(utc="2026-12-01T09:00:00.000Z").into(card.layout.records)
    other = RecordMaker(key=card.device.key)
    newest = other.make(utc="2026-12-02T09:00:00.000Z")
    newest.into(card.layout.records)

    assert head(card) == head_of(newest)


@pytest.mark.parametrize("left", [None, b"garbage", b"a.b.c\n", b"", b"bnVsbA.bnVsbA.x\n"])
def test_a_damaged_newest_record_does_not_end_the_chain(card: Card, left: bytes | None) -> None:
    before = card.made()
    path = card.layout.record(card.made().label.capture_id)
    path.unlink()
    if left is not None:
        path.write_bytes(left)

    assert head(card) == head_of(before)


def test_a_label_that_was_altered_is_no_head(card: Card) -> None:
    """Only the winner is verified; where it does not, the one before it wins."""
    before = card.made()
    made = card.made()
    path = card.layout.record(made.label.capture_id)
    path.write_bytes(made.content.replace(made.line[-10:-4], b"AAAAAA"))

    assert head(card) == head_of(before)


def test_the_newest_of_each_chain_is_known_by_its_label(card: Card) -> None:
    card.made()
    newest = card.made()
    other = RecordMaker(key=card.device.key).make()
    other.into(card.layout.records)

    found = labels.newest_of_each_chain(labels.read_labels(card.layout))

    assert set(found.values()) == {newest.label.capture_id, other.label.capture_id}


def test_a_long_scan_shows_that_it_lives(card: Card) -> None:
    for _ in range(labels.ALIVE_EVERY):
        (card.layout.records / f"{uuid.uuid4()}.rec").touch()

    labels.read_labels(card.layout, card.live)

    assert card.signs_of_life == 1


def test_names_without_a_label_take_no_memory(card: Card) -> None:
    """A stuck file stays in records/, and another process may have left millions."""
    made = card.made()
    for number in range(3_000):
        (card.layout.records / f"{number:0200}.rec").touch()

    assert peak_mb(lambda: labels.read_labels(card.layout)) < 3_000 * 200 / 2 / 1e6
    (seen,) = labels.read_labels(card.layout)
    assert (seen.capture_id, seen.chain) == (made.label.capture_id, card.device.chain)


# What this boot knew of the time


def in_boot(card: Card, clock: str = "gnss", boot_id: str = BOOT) -> Made:
    made = card.device.make(clock=clock, boot_id=boot_id)
    made.into(card.layout.records)
    return add(card.outbox, made)


def gnss_label(card: Card, key: PublicKey | None = None) -> RecordLabel | None:
    keys = [key or card.device.key.public_key()]
    return labels.gnss_label(card.layout, labels.read_labels(card.layout), keys, BOOT)


def test_the_newest_label_with_a_gnss_time_is_found(card: Card) -> None:
    assert gnss_label(card) is None
    in_boot(card)
    newest = in_boot(card)
    in_boot(card, "unsynced")

    assert gnss_label(card) == newest.label


def test_a_label_of_another_boot_dates_nothing(card: Card) -> None:
    in_boot(card, boot_id="another boot")
    rewrite(card, "boot_id = ?", BOOT)

    assert gnss_label(card) is None


def test_a_row_that_claims_a_guess_was_a_gnss_time_is_not_believed(card: Card) -> None:
    in_boot(card, "unsynced")
    rewrite(card, "clock = 'gnss'")

    assert gnss_label(card) is None


def test_a_label_of_another_device_dates_nothing(card: Card) -> None:
    in_boot(card)

    assert gnss_label(card, RecordMaker().key.public_key()) is None


@pytest.mark.parametrize("content", [None, b"", b"eyJ", b"\xff" * 100_000])
def test_a_label_that_cannot_be_read_dates_nothing(card: Card, content: bytes | None) -> None:
    path = card.layout.record(in_boot(card).label.capture_id)
    path.unlink()
    if content is not None:
        path.write_bytes(content)

    assert gnss_label(card) is None


@pytest.mark.parametrize("left_bytes", [0, None])
def test_a_newest_record_of_a_terabyte_ends_no_start(card: Card, left_bytes: int | None) -> None:
    """A broken card, or another process's `truncate`: the first line is all that counts."""
    made = in_boot(card)
    path = card.layout.record(made.label.capture_id)
    for size_bytes in (left_bytes, 2**40):
        if size_bytes is not None:
            os.truncate(path, size_bytes)

    assert gnss_label(card) == (made.label if left_bytes is None else None)
    assert head(card) == (head_of(made) if left_bytes is None else None)


def test_a_file_under_another_name_tells_nothing(card: Card) -> None:
    made = in_boot(card)
    card.layout.record(made.label.capture_id).rename(card.layout.record(str(uuid.uuid4())))

    assert gnss_label(card) is None
    assert head(card) is None


def test_a_pipe_or_a_link_in_a_records_place_keeps_no_device_from_its_start(card: Card) -> None:
    path = card.layout.record(in_boot(card).label.capture_id)
    away = path.rename(card.layout.state / "elsewhere")
    card.layout.record(str(uuid.uuid4())).symlink_to(away)
    os.mkfifo(path)
    writer = threading.Timer(2.0, lambda: path.write_bytes(b"late"))  # a reader waits for it
    writer.start()
    start_s = time.monotonic()

    assert gnss_label(card) is None
    waited_s = time.monotonic() - start_s
    writer.cancel()
    assert waited_s < 1
