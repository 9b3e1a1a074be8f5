"""The sweep after a power cut: what it adopts, sets aside, marks, and never deletes."""

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from agent.models import LARGEST_RECORD_BYTES, RecordState
from agent.queue import labels, recovery
from agent.queue.database import Database
from agent.queue.recovery import Swept
from agent.record import file as recordfile
from agent.record.verify import examine
from tests.support.benchtop import bench
from tests.support.factory import RecordMaker, add, with_other_spelling
from tests.support.peak import peak_mb
from tests.unit.agent.queue.card import Card, pressed

NOBODY = 65_534

NOTHING = Swept(parts=0, adopted=0, torn=0, damaged=0, pruned=0)


def test_a_folder_in_order_is_left_alone(card: Card) -> None:
    for state in (
        RecordState.PENDING,
        RecordState.DELIVERED,
        RecordState.REFUSED,
        RecordState.DAMAGED,
    ):
        card.queued(state)

    assert card.sweep() == NOTHING


def test_an_unfinished_file_is_deleted(card: Card) -> None:
    """Green was never shown for it, and its number is free."""
    part = card.layout.record(RecordMaker().make().label.capture_id).with_suffix(".part")
    part.write_bytes(b"half a record")

    assert card.sweep() == Swept(parts=1, adopted=0, torn=0, damaged=0, pruned=0)
    assert not part.exists()


def test_a_whole_record_without_a_row_is_queued_as_adopted(card: Card) -> None:
    """Its first attempt begins with HEAD: the row may have been lost after it was sent."""
    before, orphan = card.queued(), card.made()

    assert card.sweep() == Swept(parts=0, adopted=1, torn=0, damaged=0, pruned=0)
    row = card.outbox.get(orphan.label.capture_id)
    assert (row.state, row.adopted, row.attempts) == (RecordState.PENDING, True, 0)
    assert row.label_sha256 == orphan.label_sha256
    assert not card.outbox.get(before.label.capture_id).adopted


def test_adopted_records_are_queued_in_the_order_of_the_chain(card: Card) -> None:
    made = [card.made() for _ in range(12)]

    card.sweep()

    rows = card.outbox.items(None, 0, 100)
    assert [row.seq for row in rows] == list(range(1, 13))
    assert [row.capture_id for row in rows] == [one.label.capture_id for one in made]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: b"",
        lambda content: content[:100],
        lambda content: content[:-1],
        lambda content: content[:-2000] + b"!" + content[-1999:],
    ],
    ids=["empty", "cut", "one byte less", "altered"],
)
def test_unverified_file_is_moved_aside_with_all_its_bytes(
    card: Card, spoil: Callable[[bytes], bytes]
) -> None:
    made = card.made()
    torn = spoil(made.content)
    path = card.layout.record(made.label.capture_id)
    path.write_bytes(torn)

    assert card.sweep() == Swept(parts=0, adopted=0, torn=1, damaged=0, pruned=0)
    assert not path.exists()
    assert card.torn() == {path.name: torn}
    assert card.outbox.states() == {}


def test_a_second_torn_file_of_the_same_name_does_not_replace_the_first(card: Card) -> None:
    path = card.layout.record("x")
    for content in (b"first", b"second", b"third"):
        path.write_bytes(content)
        card.sweep()

    assert sorted(card.torn().values()) == [b"first", b"second", b"third"]


def test_a_record_of_another_device_or_under_another_name_is_not_adopted(card: Card) -> None:
    RecordMaker(device_id="van-8").make().into(card.layout.records)
    path = card.layout.record(card.made().label.capture_id)
    path.rename(card.layout.record("00000000-0000-4000-8000-000000000000"))

    assert card.sweep().torn == 2
    assert card.outbox.states() == {}


def test_a_record_in_the_other_spelling_is_adopted(card: Card) -> None:
    """Without a row it is the same record, also with its signature in the other spelling."""
    card.device = RecordMaker.begun()
    card.queued()
    orphan = with_other_spelling(card.made())
    orphan.into(card.layout.records)
    follower = card.made()

    assert card.sweep() == Swept(parts=0, adopted=2, torn=0, damaged=0, pruned=0)
    assert card.outbox.get(orphan.label.capture_id).label_sha256 == orphan.label_sha256
    assert follower.label.prev != orphan.label_sha256
    assert examine(card.layout.records.glob("*.rec"), None).problems == 0


def test_a_record_whose_number_another_has_is_set_aside(card: Card) -> None:
    """A disk that could neither flush nor delete leaves such a file; its number was used again."""
    first = card.queued()
    card.device.seq, card.device.prev = 0, None
    twin, third = card.made(), card.made()

    assert card.sweep() == Swept(parts=0, adopted=1, torn=1, damaged=0, pruned=0)
    assert card.state(first) is RecordState.PENDING
    assert card.state(third) is RecordState.PENDING
    assert list(card.torn()) == [f"{twin.label.capture_id}.rec"]


def test_files_that_are_no_records_stay_where_they_are(card: Card) -> None:
    for name in ("notes.txt", ".rec", "lost+found", "photo.jpg"):
        (card.layout.records / name).write_bytes(b"somebody's")

    assert card.sweep() == NOTHING
    assert len(list(card.layout.records.iterdir())) == 4


def test_special_file_is_set_aside_and_stops_nothing(card: Card) -> None:
    folder, pipe, link = (card.layout.record(name) for name in ("folder", "pipe", "link"))
    folder.mkdir()
    (folder / "inside").write_bytes(b"kept")
    os.mkfifo(pipe)
    link.symlink_to("/nowhere")
    (card.layout.records / "folder.part").mkdir()
    good = card.made()

    assert card.sweep() == Swept(parts=0, adopted=1, torn=3, damaged=0, pruned=0)
    assert card.state(good) is RecordState.PENDING
    assert (card.layout.torn / "folder.rec" / "inside").read_bytes() == b"kept"
    assert card.sweep() == NOTHING


def test_a_row_without_a_record_gives_way_to_a_record(card: Card) -> None:
    """Its id is one that nobody knows: files decide."""
    lie = add(card.outbox, card.device.make())
    card.device.seq, card.device.prev = 0, None
    first, second = card.made(), card.made()

    assert card.sweep() == Swept(parts=0, adopted=2, torn=0, damaged=0, pruned=0)
    assert set(card.outbox.states()) == {one.label.capture_id for one in (first, second)}
    assert lie.label.capture_id not in card.outbox.states()


@pytest.mark.parametrize("column", ["sha256", "label_sha256", "bytes", "seq", "chain"])
def test_record_starts_again_if_its_row_was_wrong(card: Card, column: str) -> None:
    """Sync compares the file with the row, and believes the row."""
    made = card.queued(RecordState.DAMAGED)
    value = {"bytes": 7, "seq": 77}.get(column, "0" * 64)
    with closing(Database(card.layout)) as database, database.step() as sql:
        sql.execute(f"UPDATE captures SET {column} = ?", (value,))

    assert card.sweep() == Swept(0, 0, 0, 0, 0, mended=1)
    row = card.outbox.get(made.label.capture_id)
    assert (row.state, row.adopted) == (RecordState.PENDING, True)
    assert (row.seq, row.chain) == (1, made.label.chain)
    assert (row.bytes, row.label_sha256) == (len(made.content), made.label_sha256)
    assert card.sweep() == NOTHING


def test_record_that_its_row_calls_pruned_and_is_there_starts_again(card: Card) -> None:
    """Otherwise nobody would send it, delete it, or miss it."""
    made = card.queued(RecordState.PRUNED)

    assert card.sweep() == Swept(0, 0, 0, 0, 0, mended=1)
    assert card.state(made) is RecordState.PENDING


@pytest.mark.slow
def test_record_that_another_user_closed_is_skipped(
    card: Card, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder of another user's cannot be moved, a file of theirs not be read; root could."""
    if os.geteuid() != 0:
        pytest.fail("this changes users: run it as root")
    good = card.made()
    closed, theirs = card.layout.record("closed"), card.layout.record("theirs")
    closed.write_bytes(b"bytes")
    closed.chmod(0)
    theirs.mkdir(0o700)
    for path in (card.layout.state, *card.layout.state.rglob("*")):
        if path != theirs:
            os.chown(path, NOBODY, -1)
    for folder in (card.layout.state, *card.layout.state.parents[:-2]):
        folder.chmod(0o777)

    os.seteuid(NOBODY)
    try:
        swept = card.sweep()
    finally:
        os.seteuid(0)

    assert swept == Swept(0, adopted=1, torn=0, damaged=0, pruned=0, mended=0, stuck=2)
    assert card.state(good) is RecordState.PENDING
    assert {path.name for path in (closed, theirs) if path.exists()} == {"closed.rec", "theirs.rec"}
    for name in ("closed", "theirs"):
        assert f"event=stuck file={name}.rec error='Permission denied'" in caplog.text


def test_sweep_forgets_the_content_of_what_is_no_record(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each error kept what was read: 300 files of 1 MB were more than capture's unit has.

    Reading one reserves LARGEST_RECORD_BYTES.
    """
    monkeypatch.setattr(recovery, "STRANGE_S", 60.0)  # on a busy machine too
    for number in range(30):
        card.layout.record(f"{number}").write_bytes(bytes(4 * 2**20))

    assert peak_mb(card.sweep) < (LARGEST_RECORD_BYTES + 20_000_000) / 1e6
    assert len(card.torn()) == 30


def test_sweep_leaves_strange_files_to_the_next_one_in_time(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may leave millions, and presses wait for a sweep."""
    monkeypatch.setattr(recovery, "STRANGE_S", 1e-9)
    queued = card.queued()
    for number in range(3):
        card.layout.record(f"{number}").touch()
        (card.layout.records / f"{number}.part").touch()

    found = [card.sweep() for _ in range(4)]

    assert [(one.parts, one.torn) for one in found] == [(1, 1), (1, 1), (1, 1), (0, 0)]
    assert [one.left for one in found] == [4, 2, 0, 0]
    assert card.state(queued) is RecordState.PENDING


def test_sweep_leaves_rows_without_files_to_the_next_one_in_time(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may invent 200,000 long rows, and SQLite writes each of them again."""
    monkeypatch.setattr(recovery, "STRANGE_S", 1e-9)
    monkeypatch.setattr(recovery, "PAGE", 1)
    for state in (RecordState.DAMAGED, RecordState.PENDING, RecordState.PENDING):
        card.layout.record(card.queued(state).label.capture_id).unlink()

    found = [card.sweep() for _ in range(3)]

    assert [(one.damaged, one.left) for one in found] == [(1, 1), (1, 0), (0, 0)]


def test_sweep_misses_no_file_if_it_has_not_read_all_names(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "MOST_FILES", 2)
    made = [card.queued() for _ in range(3)]

    assert card.sweep() == replace(NOTHING, left=1)
    assert {card.state(one) for one in made} == {RecordState.PENDING}


def test_sweep_adopts_record_after_stuck_files_that_took_its_time(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad sector may take seconds at each sweep; the next sweep continues after its file."""
    monkeypatch.setattr(recovery, "STRANGE_S", 1e-9)
    card.layout.torn.rmdir()
    card.layout.torn.touch()
    for number in range(2):
        card.layout.record(f"-{number}").touch()  # sorted before each id
    card.made()

    found = [card.sweep() for _ in range(4)]

    assert [one.adopted for one in found] == [0, 0, 1, 0]
    assert all(one.stuck == 1 for one in found)


def test_a_long_sweep_shows_that_it_lives_record_by_record(card: Card) -> None:
    for _ in range(3):
        card.made()

    card.sweep()

    assert card.signs_of_life > 3


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (RecordState.PENDING, RecordState.DAMAGED),
        (RecordState.REFUSED, RecordState.DAMAGED),
        (RecordState.DELIVERED, RecordState.PRUNED),
        (RecordState.PRUNED, RecordState.PRUNED),
        (RecordState.DAMAGED, RecordState.DAMAGED),
    ],
)
def test_a_row_whose_file_is_gone_is_marked_by_what_that_means(
    card: Card, before: RecordState, after: RecordState
) -> None:
    made = card.queued(before)
    card.layout.record(made.label.capture_id).unlink()

    card.sweep()

    assert card.state(made) is after
    if after is RecordState.DAMAGED and before is not RecordState.DAMAGED:
        assert card.outbox.get(made.label.capture_id).answer == "its file is gone"


def _into_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _into_link(path: Path) -> None:
    """A link that leads to the very bytes."""
    path.symlink_to(path.rename(path.parents[1] / "elsewhere"))


@pytest.mark.parametrize("turn", [_into_folder, _into_link])
def test_a_queued_record_that_is_no_plain_file_counts_as_gone(
    card: Card, turn: Callable[[Path], None]
) -> None:
    made = card.queued()
    turn(card.layout.record(made.label.capture_id))

    assert card.sweep() == Swept(parts=0, adopted=0, torn=1, damaged=1, pruned=0)
    assert card.state(made) is RecordState.DAMAGED


def test_a_second_sweep_changes_nothing(card: Card, caplog: pytest.LogCaptureFixture) -> None:
    """The first one says what it found in one line, and each torn file in another."""
    card.made()
    lost = [card.queued(RecordState.PENDING), card.queued(RecordState.DELIVERED)]
    for made in lost:
        card.layout.record(made.label.capture_id).unlink()
    (card.layout.records / "a.part").write_bytes(b"half")
    (card.layout.records / "b.rec").write_bytes(b"torn")
    card.sweep()
    rows, files = card.outbox.items(None, 0, 100), sorted(card.layout.records.iterdir())

    assert card.sweep() == NOTHING
    assert card.outbox.items(None, 0, 100) == rows
    assert sorted(card.layout.records.iterdir()) == files
    assert caplog.text.count("event=swept parts=1 adopted=1 torn=1 damaged=1 pruned=1") == 1
    assert caplog.text.count("event=torn file=b.rec why=") == 1


# Whole starts


def test_the_first_record_of_a_device_says_why_its_chain_starts(tmp_path: Path) -> None:
    with bench(tmp_path) as device:
        (opened,) = device.all_opened()

    assert (opened.label.kind, opened.label.seq, opened.label.prev) == ("chain_start", 1, None)
    assert "neither rows nor files were found" in opened.record["why"]


def test_more_files_than_a_device_makes_start_a_new_chain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest record may be among those that were not read, and no number is used twice."""
    pressed(tmp_path)
    monkeypatch.setattr(labels, "MOST_FILES", 1)

    with bench(tmp_path) as device:
        newest = device.all_opened()[-1]

    assert (newest.label.kind, newest.label.seq) == ("chain_start", 1)
    assert newest.record["why"] == "records/ has more files than a device makes"


def test_a_lost_key_starts_a_new_chain_that_says_so(tmp_path: Path) -> None:
    (pressed(tmp_path).capture_keys / "device.pem").unlink()
    with bench(tmp_path) as device:
        device.press()
        opened = device.all_opened()

    old, new = opened[1], opened[2]
    assert [one.label.seq for one in opened] == [1, 2, 1, 2]
    assert new.label.chain != old.label.chain
    assert new.key != old.key
    assert new.record["why"] == "the signing key was missing, and is new"


def test_a_lost_key_starts_a_new_chain_after_a_failed_start(tmp_path: Path) -> None:
    """Otherwise the old chain would continue, signed by a key that it never announced."""
    key = pressed(tmp_path).capture_keys / "device.pem"
    other = pressed(tmp_path / "other", times=0).capture_keys / "device.pem"
    key.write_bytes(other.read_bytes())  # and then a cut

    with bench(tmp_path) as device:
        newest = device.all_opened()[-1]

    assert (newest.label.kind, newest.label.seq) == ("chain_start", 1)


def test_a_device_that_is_renamed_starts_a_new_chain(tmp_path: Path) -> None:
    """A chain is one device's; else what comes after would not verify."""
    pressed(tmp_path)
    with bench(tmp_path, device={"id": "van-8"}) as device:
        device.press()
        opened = device.all_opened()

    assert [one.label.device_id for one in opened] == ["van-7", "van-7", "van-8", "van-8"]
    assert [one.label.seq for one in opened] == [1, 2, 1, 2]
    assert "device's id" in opened[2].record["why"]
    assert examine(device.layout.records.iterdir(), None).problems == 0


def test_a_torn_newest_record_gives_its_number_to_the_next_press(tmp_path: Path) -> None:
    """The record was torn before it had its row, so green was never shown for it."""
    torn = pressed(tmp_path).record("2f1c8a44-9d1c-4f7b-8a51-0f0a35e1f7b1")
    torn.write_bytes(b"eyJ")

    with bench(tmp_path) as device:
        assert device.press()["label"]["seq"] == 3


def test_a_body_that_this_device_cannot_open_is_adopted(card: Card) -> None:
    """The record is what the label says; nobody on a device looks further."""
    body = b"age-encryption.org/v1\n..."
    label = card.device.make(body=replace(recordfile.describe(body), type="application/age")).label
    path = card.layout.record(label.capture_id)
    path.write_bytes(recordfile.sign(label, body, card.device.key))

    assert card.sweep().adopted == 1
