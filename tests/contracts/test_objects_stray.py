"""Objects that have no rows, and those that were erased and are there again, on every engine."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.models import RecordKind
from doorstep_backend.engines.objects import Missing
from doorstep_backend.office import demo
from doorstep_backend.office.archive import archive
from doorstep_backend.office.worker import Worker
from tests.support.demo_office import PICTURE, DemoOffice
from tests.support.factory import RecordMaker, new_id
from tests.support.opened import Opened
from tests.support.sealed_fleet import SealedFleet

CONTENT = b"label\n" + bytes(range(256)) * 1600
RECORD = hashlib.sha256(CONTENT).hexdigest()


def terminal(demo_office: DemoOffice, *words: str) -> list[str]:
    return list(demo_office.objects_said(*words))


def test_objects_without_a_row_are_listed_and_deleted_when_asked_to(
    demo_office: DemoOffice,
) -> None:
    known, lost = demo_office.receive(demo_office.photo(demo.ALLOWED)), new_id()
    store = demo_office.office.store
    store.objects.put(lost, RECORD, CONTENT)

    told = terminal(demo_office, "stray")
    assert told[0] == lost
    assert "nothing was deleted" in told[1]
    assert terminal(demo_office, "stray", "--delete")[0] == lost
    assert list(store.objects.ids()) == [known]


def test_object_sent_again_while_strays_are_deleted_stays(
    demo_office: DemoOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row comes just after it was looked for."""
    one, store = demo_office.receive(demo_office.photo(demo.ALLOWED)), demo_office.office.store
    monkeypatch.setattr(store, "find", lambda _: None)

    told = terminal(demo_office, "stray", "--delete")

    monkeypatch.undo()
    assert told == ["captures with objects and without an upload: 0; deleted"]
    assert demo_office.kept(one) == (True, True)


def test_records_whose_rows_were_lost_get_them_back_and_others_stay_as_they_are(
    fleet: SealedFleet,
) -> None:
    demo_office, store = fleet.demo_office, fleet.demo_office.office.store
    made = fleet.take(fleet.sealed())
    one, sha256 = made.label.capture_id, hashlib.sha256(made.content).hexdigest()
    foreign, garbage, elsewhere = (
        RecordMaker().make(RecordKind.PHOTO, {}, PICTURE),
        new_id(),
        new_id(),
    )
    for name, content in (
        (foreign.label.capture_id, foreign.content),
        (garbage, CONTENT),
        (elsewhere, made.content),
    ):
        store.objects.put(name, hashlib.sha256(content).hexdigest(), content)
    lose_rows(demo_office, one)
    assert terminal(demo_office, "stray")[-1].startswith(
        "captures with objects and without an upload: 4;"
    )

    told = dict(line.split(" ", 1) for line in terminal(demo_office, "stray", "--adopt"))

    assert told[one] == "taken in"
    assert "no evidence certificate" in told[foreign.label.capture_id]
    assert told[garbage].startswith("left as it is")
    assert told[elsewhere] == f"left as it is: it is the record {one}"
    assert told["taken"] == "in: 1; left as they are: 3"
    verdict = store.verdict(one)
    assert verdict is not None
    assert verdict.accepted
    assert store.objects.get(one, sha256) == made.content
    Worker(demo_office.office).step()
    assert demo_office.shown(demo.ALLOWED) == [one]
    assert terminal(demo_office, "stray", "--adopt")[-1] == "taken in: 0; left as they are: 3"
    assert store.find(garbage) is None


def lose_rows(demo_office: DemoOffice, capture_id: str) -> None:
    """As a database does that was restored to an earlier time."""
    demo_office.office.store.db.execute("DELETE FROM uploads WHERE capture_id = ?", (capture_id,))
    demo_office.office.ledger.execute("DELETE FROM captures WHERE capture_id = ?", (capture_id,))


def test_erased_object_in_a_copy_of_the_bucket_is_erased_once_more(
    demo_office: DemoOffice,
) -> None:
    kept, erased = demo_office.deliver(demo.ALLOWED, demo.LEFT_DOOR)
    store = demo_office.office.store
    sha256, content = store.sha256_of(erased), store.received(erased)
    demo_office.office.opt_out_order(demo.LEFT_DOOR, opted_out=True)
    assert terminal(demo_office, "returned")[0].endswith(": 0; nothing was deleted: --delete does")
    store.objects.put(erased, sha256, content)

    assert terminal(demo_office, "returned")[0] == erased
    assert store.objects.get(erased, sha256) == content
    assert terminal(demo_office, "returned", "--delete")[0] == erased

    with pytest.raises(Missing):
        store.objects.get(erased, sha256)
    assert store.label(erased)["capture_id"] == erased
    assert list(store.objects.bodies()) == [kept]


def archived(fleet: SealedFleet, folder: Path) -> tuple[str, str, bytes]:
    """A record that was erased, and whose rows are in a file: id, digest, and what it was."""
    made, now = fleet.take(fleet.sealed()), datetime.now(UTC)
    fleet.demo_office.office.erasure.expire(now + timedelta(days=31))
    archive(fleet.demo_office.office, f"{now:%Y-%m}", folder / "archives", now + timedelta(days=62))
    return made.label.capture_id, hashlib.sha256(made.content).hexdigest(), made.content


@pytest.mark.parametrize("end", [None, b"", b"damaged"], ids=["whole", "bare", "damaged"])
def test_archived_object_in_a_copy_of_the_bucket_is_erased_once_more(
    fleet: SealedFleet, opened: Opened, tmp_path: Path, end: bytes | None
) -> None:
    """Its rows are gone, and nobody may take it in again.

    A copy of a bucket without metadata, or without all bytes, is known by its label alone.
    """
    store, (one, sha256, content) = fleet.demo_office.office.store, archived(fleet, tmp_path)
    if end is None:
        store.objects.put(one, sha256, content)
        told = terminal(fleet.demo_office, "stray", "--adopt")
        assert told[0].startswith(f"{one} left as it is: it was erased and archived")
    else:
        opened.overwrite(one, sha256, content + end)

    assert terminal(fleet.demo_office, "returned")[0] == one
    assert terminal(fleet.demo_office, "returned", "--delete")[0] == one

    assert list(store.objects.ids()) == []


def test_a_label_that_was_put_outlives_a_body_that_came_back_with_another(
    demo_office: DemoOffice, opened: Opened
) -> None:
    one, store = demo_office.receive(demo_office.photo(demo.LEFT_DOOR)), demo_office.office.store
    if opened.objects.keeps_opened_copies:
        pytest.skip("label and body are one file")
    demo_office.office.opt_out_order(demo.LEFT_DOOR, opted_out=True)
    opened.overwrite(one, store.sha256_of(one), b"another\nthing")

    assert terminal(demo_office, "returned", "--delete")[0] == one

    assert store.label(one)["capture_id"] == one
    assert list(store.objects.bodies()) == []
