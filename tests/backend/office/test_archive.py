"""A month in a file: nothing is lost on the way, a gap is noticed as ever, the rows are gone."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from zipfile import ZipFile

import pytest

from agent.models import CaptureId
from agent.record.verify import examine
from doorstep_backend.identity.ending import DeviceEnding
from doorstep_backend.identity.register import Register
from doorstep_backend.keys import alone
from doorstep_backend.office import archive as archiving
from doorstep_backend.office.archive import archive
from doorstep_backend.office.demo import ALLOWED, CHANGES_MIND
from doorstep_backend.office.erasure import NotDone
from doorstep_backend.office.export import export_device
from doorstep_backend.office.received import received
from tests.support.demo_office import DemoOffice
from tests.support.engines import only_sqlite
from tests.support.factory import RecordMaker

MAY, JUNE = "2026-05-07T11:00:00.000Z", "2026-06-01T00:00:00.000Z"
LATER = datetime(2026, 9, 1, tzinfo=UTC)


@pytest.fixture
def demo_office(tmp_path: Path) -> DemoOffice:
    return DemoOffice(tmp_path / "backend", van=RecordMaker.begun())


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "archives"


def came(demo_office: DemoOffice, *times: str, number: str = ALLOWED) -> list[CaptureId]:
    return [demo_office.receive(demo_office.photo(number), at) for at in times]


def problems(demo_office: DemoOffice, folder: Path, *archives: Path) -> int:
    """Return the report of `doorstep verify` on everything that is exported of the van."""
    export_device(demo_office.office, "van-7", folder / "van.zip", LATER, archives)
    ZipFile(folder / "van.zip").extractall(folder)
    return examine((folder / "labels").glob("*.rec"), None).problems


def rows(demo_office: DemoOffice) -> set[str]:
    """Return the ids that any table or object still has."""
    asked = [(demo_office.office.store.db, "uploads"), (demo_office.office.store.db, "verdicts")]
    asked.append((demo_office.office.ledger, "captures"))
    found = {row[0] for db, table in asked for row in db.execute(f"SELECT capture_id FROM {table}")}
    return found | set(demo_office.office.store.objects.ids())


def test_a_month_goes_into_a_file_with_which_the_chain_still_verifies(
    demo_office: DemoOffice, into: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiving, "BATCH", 2)
    gone, stays = came(demo_office, *[MAY] * 5), came(demo_office, JUNE)
    demo_office.office.erasure.expire(LATER)

    told = archive(demo_office.office, "2026-05", into, LATER)

    file = into / "2026-05.jsonl"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert told == f"{file}: 5 records, sha256 {digest}"
    assert rows(demo_office) == set(stays)
    assert file.stat().st_mode & 0o077 == 0
    assert problems(demo_office, tmp_path, file) == 0
    assert {path.stem for path in (tmp_path / "labels").glob("*.rec")} == {*gone, *stays}
    assert archive(demo_office.office, "2026-05", into, LATER) == told


def test_gap_in_a_chain_is_noticed_without_the_archives_file(
    demo_office: DemoOffice, into: Path, tmp_path: Path
) -> None:
    came(demo_office, JUNE, MAY, JUNE)
    demo_office.office.erasure.expire(LATER)
    archive(demo_office.office, "2026-05", into, LATER)

    assert problems(demo_office, tmp_path) == 1


def test_a_device_that_ends_has_the_gaps_that_it_had_and_no_others(
    demo_office: DemoOffice, into: Path
) -> None:
    came(demo_office, MAY, MAY)
    demo_office.photo(ALLOWED)  # number 4 never comes, and number 1 did not
    came(demo_office, MAY, JUNE)
    ending = DeviceEnding(Register(demo_office.folder), demo_office.office)
    before = ending.chains("van-7")
    demo_office.office.erasure.expire(LATER)

    archive(demo_office.office, "2026-05", into, LATER)

    assert ending.chains("van-7") == before
    assert (before[0].last_seq, before[0].gaps) == (6, ((1, 1), (4, 4)))


def test_held_record_is_added_to_the_archive_once_it_is_erased(
    demo_office: DemoOffice, into: Path
) -> None:
    came(demo_office, MAY)
    (held,) = came(demo_office, MAY, number=CHANGES_MIND)
    demo_office.office.erasure.hold(CHANGES_MIND, "CASE-7", LATER)
    demo_office.office.erasure.expire(LATER)
    assert "1 records" in archive(demo_office.office, "2026-05", into, LATER)
    assert rows(demo_office) == {held}

    demo_office.office.erasure.release(CHANGES_MIND, LATER)
    demo_office.office.erasure.expire(LATER)
    file = into / "2026-05.jsonl"
    file.rename(into / "elsewhere")
    with pytest.raises(NotDone, match=r"put 2026-05.jsonl back"):
        archive(demo_office.office, "2026-05", into, LATER)
    (into / "elsewhere").rename(file)

    assert "2 records" in archive(demo_office.office, "2026-05", into, LATER)
    assert rows(demo_office) == set()


def line_of(demo_office: DemoOffice, capture_id: str) -> bytes:
    """Return the lines that an interrupted run has written."""
    labelled = archiving._labelled(demo_office.office.store, capture_id)  # noqa: SLF001 - as it does it
    assert labelled is not None
    return archiving._line(demo_office.office, *labelled)  # noqa: SLF001 - as above


def test_archive_is_completed_after_a_power_cut(
    demo_office: DemoOffice, into: Path, tmp_path: Path
) -> None:
    """The cut may come in the middle of a line, or between an upload's deletion and its label's."""
    ids = came(demo_office, *[MAY] * 3)
    demo_office.office.erasure.expire(LATER)
    other, line = tmp_path / "other", line_of(demo_office, ids[0])
    into.mkdir()
    (into / "2026-05.jsonl").write_bytes(line + line[:100])
    demo_office.office.store.db.execute("DELETE FROM uploads WHERE capture_id = ?", (ids[0],))

    assert "3 records" in archive(demo_office.office, "2026-05", into, LATER)

    assert rows(demo_office) == set()
    other.mkdir()
    assert problems(demo_office, other, into / "2026-05.jsonl") == 0


def test_line_flushed_before_a_power_cut_is_in_the_file_once(
    demo_office: DemoOffice, into: Path, tmp_path: Path
) -> None:
    ids = came(demo_office, *[MAY] * 3)
    demo_office.office.erasure.expire(LATER)
    file = into / "2026-05.jsonl"
    into.mkdir()
    file.write_bytes(line_of(demo_office, ids[1]))

    assert "3 records" in archive(demo_office.office, "2026-05", into, LATER)

    assert len(file.read_bytes().splitlines()) == 3
    assert rows(demo_office) == set()
    with file.open("ab") as twice:  # as an earlier version left it
        twice.write(file.read_bytes())
    assert problems(demo_office, tmp_path, file) == 0
    assert "3 records" in archive(demo_office.office, "2026-05", into, LATER)


@pytest.mark.parametrize("what", [pytest.param("label", marks=only_sqlite), "upload"])
def test_record_that_differs_from_the_received_one_stays(
    demo_office: DemoOffice, into: Path, what: str
) -> None:
    """An upload that is missing since `objects stray` is not the trace of an interrupted run."""
    good, bad = came(demo_office, MAY, MAY)
    demo_office.office.erasure.expire(LATER)
    if what == "label":
        label = demo_office.file(f"received/{good}.rec").read_bytes()
        demo_office.file(f"received/{bad}.rec").write_bytes(label)
    else:
        demo_office.office.store.db.execute("DELETE FROM uploads WHERE capture_id = ?", (bad,))

    told = archive(demo_office.office, "2026-05", into, LATER)

    assert "1 records" in told
    assert told.endswith("1 stay: their labels or uploads are not as received")
    assert rows(demo_office) == {bad}
    assert good in (into / "2026-05.jsonl").read_text()


def test_another_folder_is_refused_also_where_the_first_run_died(
    demo_office: DemoOffice, into: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    came(demo_office, MAY)
    demo_office.office.erasure.expire(LATER)
    monkeypatch.setattr(archiving, "_note", lambda *_: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        archive(demo_office.office, "2026-05", into, LATER)
    monkeypatch.undo()

    with pytest.raises(NotDone, match=r"put 2026-05.jsonl back"):
        archive(demo_office.office, "2026-05", tmp_path / "elsewhere", LATER)
    assert "1 records" in archive(demo_office.office, "2026-05", into, LATER)


def test_rows_that_a_restore_brought_back_go_out_again_without_their_labels(
    demo_office: DemoOffice, into: Path, tmp_path: Path
) -> None:
    """PostgreSQL was set back to a time before the run, and the bucket was not."""
    came(demo_office, MAY, MAY, JUNE)
    demo_office.office.erasure.expire(LATER)
    ending = DeviceEnding(Register(demo_office.folder), demo_office.office)
    ends = ending.chains("van-7")
    before = [
        (db, table, db.execute(f"SELECT * FROM {table}").fetchall())
        for db, table in (
            (demo_office.office.store.db, "uploads"),
            (demo_office.office.store.db, "verdicts"),
            (demo_office.office.ledger, "captures"),
        )
    ]
    told = archive(demo_office.office, "2026-05", into, LATER)
    for table in ("archived_runs", "archives"):
        demo_office.office.ledger.execute(f"DELETE FROM {table}")
    for db, table, found in before:
        marks = ", ".join("?" * len(found[0]))
        for row in found:
            db.execute(f"INSERT INTO {table} VALUES ({marks}) ON CONFLICT DO NOTHING", row)

    assert archive(demo_office.office, "2026-05", into, LATER) == told

    assert len(rows(demo_office)) == 1
    assert ending.chains("van-7") == ends
    assert problems(demo_office, tmp_path, into / "2026-05.jsonl") == 0


def test_two_at_once_write_one_after_the_other(demo_office: DemoOffice, into: Path) -> None:
    came(demo_office, MAY)
    demo_office.office.erasure.expire(LATER)
    into.mkdir()
    second = Thread(target=archive, args=(demo_office.office, "2026-05", into, LATER))

    with alone(into):
        second.start()
        second.join(0.5)
        assert list(into.glob("*.jsonl")) == []
    second.join()

    assert rows(demo_office) == set()


def test_export_of_an_archived_record_names_the_archives_file(
    demo_office: DemoOffice, into: Path
) -> None:
    (gone,) = came(demo_office, MAY)
    demo_office.office.erasure.expire(LATER)
    archive(demo_office.office, "2026-05", into, LATER)

    with pytest.raises(NotDone, match=r"or it is in an archive: 2026-05.jsonl"):
        received(demo_office.office, gone)


@pytest.mark.parametrize("month", ["2026-09", "2026-13", "2026-5", "may", "../2026-05"])
def test_invalid_or_unfinished_month_is_refused(
    demo_office: DemoOffice, into: Path, month: str
) -> None:
    with pytest.raises(NotDone, match=r"is (not over|no month)"):
        archive(demo_office.office, month, into, LATER)
    assert not into.exists()


@pytest.mark.parametrize(
    "content", [b"\xff\n", b"[]\n", b'{"a": 1}\n', b'{"capture_id": "../x"}\n', b"[" * 2_000_000]
)
def test_a_file_that_archive_did_not_write_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "2026-05.jsonl").write_bytes(content)

    with pytest.raises(NotDone, match=r"2026-05.jsonl: not a file of `archive`: "):
        list(archiving.lines_of("van-7", [tmp_path / "2026-05.jsonl"]))
