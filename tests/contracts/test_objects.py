"""The contract of every engine for objects: the folder, and a bucket of a real S3 engine."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from doorstep_backend.copies.shows import Shows
from doorstep_backend.engines.objects import PHOTO, REFUSED, Changed, Missing, Objects, copy_name
from doorstep_backend.office import demo
from doorstep_backend.wire.intake import DigestMismatchError
from tests.support.demo_office import NOON, PICTURE, DemoOffice
from tests.support.factory import new_id
from tests.support.faulty.switches import switched
from tests.support.opened import Opened
from tests.support.sealed_fleet import SealedFleet

CONTENT = b"label\n" + bytes(range(256)) * 1600
RECORD = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def objects(opened: Opened) -> Objects:
    assert opened.objects.begin() == []
    return opened.objects


def test_object_is_read_byte_for_byte_and_the_last_one_counts(objects: Objects) -> None:
    one, copy = new_id(), copy_name(Shows.LABEL)
    for name, content in ((RECORD, CONTENT), (REFUSED, b""), (copy, b"first"), (copy, b"last")):
        objects.put(one, name, content)

    assert [objects.get(one, name) for name in (RECORD, REFUSED, copy)] == [CONTENT, b"", b"last"]
    assert objects.line(one, RECORD) == b"label"


def test_object_that_two_put_at_once_is_whole_for_its_readers(objects: Objects) -> None:
    """Two instances make the same copy of a photo when two people look at the same moment."""
    one, name = new_id(), copy_name(Shows.LABEL)
    objects.put(one, name, CONTENT)

    def put_and_get() -> set[bytes]:
        found = set()
        for _ in range(20):
            objects.put(one, name, CONTENT)
            found.add(objects.get(one, name))
        return found

    with ThreadPoolExecutor(2) as both:
        read = [both.submit(put_and_get) for _ in range(2)]

    assert [one.result() for one in read] == [{CONTENT}, {CONTENT}]


def test_absent_object_is_missing(objects: Objects) -> None:
    one = new_id()
    objects.remove(one, REFUSED)
    objects.erase(one)

    for name in (RECORD, REFUSED, copy_name(Shows.LABEL)):
        with pytest.raises(Missing):
            objects.get(one, name)
    with pytest.raises(Missing):
        objects.line(one, RECORD)


@pytest.mark.parametrize("times", [1, 2])
def test_label_line_of_an_erased_record_is_left_alone(objects: Objects, times: int) -> None:
    one, names = new_id(), [RECORD, REFUSED, copy_name(Shows.LABEL), copy_name(Shows.NO_LABEL)]
    names += [PHOTO] if objects.keeps_opened_copies else []
    for name in names:
        objects.put(one, name, CONTENT)

    for _ in range(times):  # interrupted, it is done again
        objects.erase(one, objects.line(one, RECORD))

    for name in names:
        with pytest.raises(Missing):
            objects.get(one, name)
    assert objects.line(one, RECORD) == b"label"
    assert list(objects.ids()) == [one]


def test_object_erased_without_a_line_is_gone_and_the_others_stay(objects: Objects) -> None:
    first, second, third = sorted(new_id() for _ in range(3))
    for one in (first, second, third):
        objects.put(one, RECORD, CONTENT)
        objects.put(one, copy_name(Shows.LABEL), b"copy")

    objects.erase(second)
    objects.remove(first, copy_name(Shows.LABEL))

    assert list(objects.ids()) == [first, third]
    assert objects.get(first, RECORD) == CONTENT
    assert objects.get(third, copy_name(Shows.LABEL)) == b"copy"


def test_a_line_is_found_without_knowing_the_record_also_once_it_was_erased(
    objects: Objects,
) -> None:
    one = new_id()
    with pytest.raises(Missing):
        objects.line_found(one)
    objects.put(one, copy_name(Shows.LABEL), b"copy")
    objects.put(one, RECORD, CONTENT)
    assert objects.line_found(one) == b"label"

    objects.erase(one, b"label")

    assert objects.line_found(one) == b"label"


def test_a_refused_record_is_judged_again_and_lies_at_one_place_only(fleet: SealedFleet) -> None:
    made, store = fleet.sealed(), fleet.demo_office.office.store
    one = made.label.capture_id
    upload = fleet.begin(made)
    with switched(refuse="damaged"):
        fleet.intake.judge(upload)
    assert store.objects.get(one, REFUSED) == made.content
    assert store.offset(upload) == upload.length

    assert fleet.intake.judge(upload).accepted

    assert store.received(one) == made.content
    with pytest.raises(Missing):
        store.objects.get(one, REFUSED)


def test_a_refused_record_that_vanished_is_asked_for_again(fleet: SealedFleet) -> None:
    made, store = fleet.sealed(), fleet.demo_office.office.store
    upload = fleet.begin(made)
    with switched(refuse="damaged"):
        fleet.intake.judge(upload)
    store.objects.remove(made.label.capture_id, REFUSED)

    with pytest.raises(DigestMismatchError, match="create it again"):
        fleet.intake.judge(upload)

    assert store.find(made.label.capture_id) is None
    fleet.take(made)
    assert store.received(made.label.capture_id) == made.content


def test_a_photo_is_its_orders_until_it_is_erased(demo_office: DemoOffice) -> None:
    store = demo_office.office.store
    one = demo_office.receive(demo_office.photo(demo.ALLOWED))

    assert demo_office.office.filing.original(one).can_be_shown
    assert store.photo(one) == PICTURE
    assert demo_office.office.filing.original(one).sha256 == hashlib.sha256(PICTURE).hexdigest()
    assert store.record(one)["stop"]["bound_by"] == "code"
    label = store.label(one)
    demo_office.office.opt_out_order(demo.ALLOWED, opted_out=True)

    assert (store.label(one), store.record(one)) == (label, {})
    assert label["capture_id"] == one
    for asked in (store.photo, store.received):
        with pytest.raises(Missing):
            asked(one)
    assert not demo_office.office.filing.original(one).can_be_shown


def test_a_copy_that_was_made_while_its_photo_was_erased_is_not_kept(
    demo_office: DemoOffice,
) -> None:
    one = demo_office.receive(demo_office.photo(demo.ALLOWED))
    store, sha256 = demo_office.office.store, demo_office.office.store.sha256_of(one)
    store.keep_copy(one, sha256, Shows.LABEL, b"copy")
    assert store.copy(one, Shows.LABEL) == b"copy"
    store.erase(one)

    with pytest.raises(Missing):
        store.keep_copy(one, sha256, Shows.LABEL, b"copy")

    with pytest.raises(Missing):
        store.copy(one, Shows.LABEL)


def test_record_that_vanished_or_changed_is_reported_and_not_shown(
    demo_office: DemoOffice, opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    store = demo_office.office.store
    gone, changed = demo_office.deliver(*[demo.ALLOWED] * 2)
    opened.delete(gone, store.sha256_of(gone))
    other = demo_office.photo(demo.ALLOWED).content
    opened.overwrite(changed, store.sha256_of(changed), other)

    with pytest.raises(Missing):
        store.received(gone)
    with pytest.raises(Changed):
        store.received(changed)
    if not opened.objects.keeps_opened_copies:
        assert not any(
            demo_office.office.filing.original(one).can_be_shown for one in (gone, changed)
        )
        assert "not what was put there" in caplog.text


@pytest.mark.parametrize("left", [b"another\nthing", b""], ids=["another", "nothing"])
def test_overwritten_object_is_erased_when_due_and_leaves_no_label(
    demo_office: DemoOffice, opened: Opened, left: bytes
) -> None:
    """S3 has no range of an empty object."""
    store = demo_office.office.store
    changed, other = demo_office.deliver(*[demo.ALLOWED] * 2)
    opened.overwrite(changed, store.sha256_of(changed), left)

    assert demo_office.office.erasure.expire(NOON.replace(year=NOON.year + 1)) == 2

    assert store.label(changed) == {}
    assert store.label(other)["capture_id"] == other
    assert list(store.objects.ids()) == [other]
