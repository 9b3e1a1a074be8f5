"""Retention: the table's times, their effects, and the people's pages about them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zipfile import ZipFile

import pytest

from agent.models import RecordKind
from agent.record import receipt
from agent.record.verify import examine, supporting_files
from doorstep_backend.engines.sql import Conflict
from doorstep_backend.engines.unavailable import Unavailable
from doorstep_backend.identity.fleet import KeyFiles
from doorstep_backend.keys import receipt_key as make_key
from doorstep_backend.office import claims
from doorstep_backend.office.access import Customer, CustomerService, Dispatch
from doorstep_backend.office.corrections import CannotBindError
from doorstep_backend.office.demo import ALLOWED, CHANGES_MIND, LEFT_DOOR, RIGHT_DOOR
from doorstep_backend.office.erasure import NotDone
from doorstep_backend.office.export import export_device, export_order
from doorstep_backend.office.orders import NoSuchOrder
from doorstep_backend.settings import Retention, Settings, read_settings
from doorstep_backend.wire.rescued import Rescues
from doorstep_backend.wire.store import Store
from tests.support.demo_office import PICTURE, RECEIVED, WHO, DemoOffice
from tests.support.factory import RecordMaker

CAME = datetime(2026, 12, 1, 11, tzinfo=UTC)
JUST = timedelta(milliseconds=1)


@pytest.fixture
def demo_office(tmp_path: Path) -> DemoOffice:
    return DemoOffice(tmp_path, van=RecordMaker.begun())


def after(days: int) -> datetime:
    return CAME + timedelta(days=days)


def test_a_photo_is_kept_for_30_days_and_its_label_longer(demo_office: DemoOffice) -> None:
    bound, stray = (
        demo_office.receive(demo_office.photo(ALLOWED)),
        demo_office.receive(demo_office.stray()),
    )

    demo_office.office.erasure.expire(after(30) - JUST)
    assert demo_office.shown(ALLOWED) == [bound]

    assert demo_office.office.erasure.expire(after(30)) == 2
    assert demo_office.kept(bound) == demo_office.kept(stray) == (False, False)
    assert demo_office.office.filing.of_order(ALLOWED) == []
    assert demo_office.office.filing.waiting() == []
    assert demo_office.office.store.label(bound)["seq"] == 2
    assert demo_office.office.erasure.expire(after(30)) == 0


def test_a_photo_taken_back_or_replaced_is_kept_for_7_days_from_then(
    demo_office: DemoOffice,
) -> None:
    taken, replaced = demo_office.deliver(ALLOWED, RIGHT_DOOR)
    demo_office.receive(demo_office.void(taken), "2026-12-03T11:00:00.000Z")
    demo_office.receive(
        demo_office.photo(RIGHT_DOOR, retake_of=replaced), "2026-12-03T11:00:00.000Z"
    )

    assert demo_office.office.erasure.expire(after(9) - JUST) == 0
    assert demo_office.office.erasure.expire(after(9)) == 2
    assert demo_office.kept(taken) == demo_office.kept(replaced) == (False, False)
    assert len(demo_office.shown(RIGHT_DOOR)) == 1


def test_a_record_whose_upload_was_lost_is_erased_and_keeps_its_label(
    demo_office: DemoOffice,
) -> None:
    """An upload may be lost if the two files of SQLite were copied at different moments."""
    held, gone = demo_office.deliver(ALLOWED, RIGHT_DOOR)
    store, line = demo_office.office.store, demo_office.office.store.line(gone)
    demo_office.office.erasure.expire_one(held, after(30))
    label = store.label(held)
    store.db.execute("DELETE FROM uploads")

    assert demo_office.office.erasure.expire(after(30)) == 1
    store.erase(held)  # interrupted, it is done again

    assert (store.line(gone), store.label(held)) == (line, label)
    assert not any(demo_office.kept(gone))
    assert list(store.objects.bodies()) == []


def test_record_locked_by_another_process_is_left_to_that_process(demo_office: DemoOffice) -> None:
    """An erasure that is requested for this record alone waits, and fails after too long a wait."""
    busy, free = demo_office.deliver(ALLOWED, RIGHT_DOOR)
    other = Store(demo_office.folder)
    if other.db.engine == "sqlite":
        pytest.skip("it has one lock for all")

    with other.upload_locked(busy):
        assert demo_office.said("expire", now=after(31)).startswith("erased 1 records; more is due")
        with pytest.raises(Unavailable):
            demo_office.office.erasure.expire_one(busy, after(31))

    assert (demo_office.kept(busy)[0], demo_office.kept(free)[0]) == (True, False)
    assert demo_office.said("expire", now=after(31)) == "erased 1 records"


def test_practice_is_kept_for_a_day(demo_office: DemoOffice) -> None:
    capture_id = demo_office.receive(
        demo_office.van.make(RecordKind.TEST, {"simulated": False}, PICTURE)
    )

    assert demo_office.office.erasure.expire(after(1) - JUST) == 0
    assert demo_office.office.erasure.expire(after(1)) == 1
    assert demo_office.kept(capture_id) == (False, False)


def test_nothing_of_a_held_order_is_erased_until_it_is_released(demo_office: DemoOffice) -> None:
    held, free = demo_office.deliver(CHANGES_MIND, ALLOWED)
    demo_office.office.access.log(Customer("c-4"), held, "", CAME)
    demo_office.office.erasure.hold(CHANGES_MIND, "CASE-7", CAME)
    demo_office.office.opt_out_order(CHANGES_MIND, True)

    assert demo_office.office.erasure.expire(after(366)) == 1
    assert (demo_office.kept(held), demo_office.kept(free)) == ((True, True), (False, False))
    assert len(demo_office.office.access.views_of(CHANGES_MIND)) == 3
    assert demo_office.shown(CHANGES_MIND) == []
    assert not demo_office.office.access.may_see(Customer("c-4"), held, CAME)
    (hold,) = demo_office.office.erasure.holds()
    assert (hold.number, hold.case_number, hold.since) == (CHANGES_MIND, "CASE-7", CAME)

    demo_office.office.erasure.release(CHANGES_MIND, after(366))

    assert demo_office.kept(held) == (False, False)


def test_filed_record_with_a_left_mark_is_not_given_up(
    demo_office: DemoOffice,
) -> None:
    """An object may be put back after its record could not be filed for a month."""
    made = demo_office.photo(ALLOWED)
    opened, capture_id = demo_office.keep(made), made.label.capture_id
    demo_office.office.store.filing_backlog.put_off(capture_id, "Missing", CAME)
    demo_office.office.filing.accept(claims.read(opened), RECEIVED)
    demo_office.office.erasure.hold(ALLOWED, "CASE-7", CAME)

    demo_office.office.erasure.expire(after(31))

    assert demo_office.kept(capture_id) == (True, True)


def test_a_hold_of_no_order_is_refused(demo_office: DemoOffice) -> None:
    with pytest.raises(NoSuchOrder):
        demo_office.office.erasure.hold("9999", "CASE-7", CAME)
    with pytest.raises(NotDone, match="not held"):
        demo_office.office.erasure.release(ALLOWED, CAME)


def test_only_what_waits_is_discarded(demo_office: DemoOffice) -> None:
    capture_id = demo_office.receive(demo_office.photo(ALLOWED))

    with pytest.raises(CannotBindError, match="has an order"):
        demo_office.office.corrections.discard(capture_id, WHO, CAME)
    assert demo_office.kept(capture_id) == (True, True)


def test_the_view_log_is_kept_for_365_days_and_outlives_the_photo(demo_office: DemoOffice) -> None:
    capture_id = demo_office.receive(demo_office.photo(ALLOWED))
    demo_office.office.access.log(CustomerService("17"), capture_id, "asked where it is", CAME)

    demo_office.office.erasure.expire(after(365))
    (view,) = demo_office.office.access.views_of(ALLOWED)
    assert (view.at, view.viewer, view.why) == (CAME, "agent 17", "asked where it is")

    demo_office.office.erasure.expire(after(365) + JUST)
    assert demo_office.office.access.views_of(ALLOWED) == []


def test_nobody_amends_or_shortens_the_view_log(demo_office: DemoOffice) -> None:
    """SQL cannot change the view log either; only views past their retention can be deleted."""
    capture_id = demo_office.receive(demo_office.photo(ALLOWED))
    demo_office.office.access.log(CustomerService("17"), capture_id, "asked where it is", CAME)
    demo_office.office.erasure.expire(after(1))

    for change in ("UPDATE views SET viewer = 'nobody'", "DELETE FROM views"):
        with pytest.raises(Conflict, match="append-only"):
            demo_office.office.ledger.execute(change)
    assert len(demo_office.office.access.views_of(ALLOWED)) == 1


def test_the_table_comes_from_the_configuration(tmp_path: Path) -> None:
    assert read_settings(tmp_path) == Settings()
    assert Retention() == Retention(photo_days=30, void_days=7, test_days=1, view_log_days=365)

    (tmp_path / "backend.toml").write_text(
        'practice_codes = ["TRY-1"]\n[retention]\nphoto_days = 14\n'
    )

    assert read_settings(tmp_path) == Settings(replace(Retention(), photo_days=14), ("TRY-1",))
    assert DemoOffice(tmp_path).manifest().practice_codes == {"TRY-1"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[retention]\nphotos = 3", "no such setting: retention.photos"),
        ("[retention]\nphoto_days = -1", "retention.photo_days: -1 is not"),
        ("[retention]\nphoto_days = true", "retention.photo_days: True is not"),
        ("retain = 3", "no such setting: retain"),
        ("practice_codes = 3", "practice_codes: not a list"),
        ('proxy = ["nginx"]', "proxy: 'nginx' is no network address"),
        ("retention = 3", "retention: not a table"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "backend.toml").write_text(text)

    with pytest.raises(ValueError, match=message):
        read_settings(tmp_path)


def test_an_export_by_order_has_all_about_it_and_nothing_of_others(
    demo_office: DemoOffice, tmp_path: Path
) -> None:
    mine, taken = demo_office.deliver(LEFT_DOOR, LEFT_DOOR)
    other = demo_office.receive(demo_office.photo(RIGHT_DOOR))
    demo_office.receive(demo_office.void(taken))
    demo_office.office.access.log(CustomerService("17"), mine, "asked where it is", CAME)
    demo_office.office.access.log(Dispatch("ana"), mine, "reported", CAME)
    demo_office.office.erasure.hold(LEFT_DOOR, "CASE-7", CAME)
    into = tmp_path / "order.zip"

    export_order(demo_office.office, LEFT_DOOR, into, CAME)

    archive = ZipFile(into)
    parts = {f"{one}/{name}" for one in (mine, taken) for name in PARTS}
    assert set(archive.namelist()) == parts | {"order.json", "views.json"}
    assert archive.read(f"{mine}/photo.jpg") == PICTURE
    text = "".join(archive.read(name).decode(errors="replace") for name in archive.namelist())
    for said in (
        '"how": "photo"',
        "Demo customer 3",
        "6 Example Street",
        "CASE-7",
        "agent 17",
        '"dispatch"',
        mine,
        taken,
    ):
        assert said in text
    for secret in (other, "Demo customer 4", "DSTEP1007", "dispatch ana"):
        assert secret not in text
    assert into.stat().st_mode & 0o077 == 0
    with pytest.raises(FileExistsError):
        export_order(demo_office.office, LEFT_DOOR, into, CAME)


PARTS = ("label.json", "record.json", "photo.jpg")


def test_an_export_by_device_verifies_and_has_no_photos(
    demo_office: DemoOffice, tmp_path: Path
) -> None:
    kept = demo_office.receive(demo_office.photo(ALLOWED))
    erased = demo_office.receive(demo_office.photo(RIGHT_DOOR))
    demo_office.office.opt_out_order(RIGHT_DOOR, True)
    into, files = tmp_path / "device.zip", KeyFiles(demo_office.folder)

    export_device(demo_office.office, "van-7", into, CAME)

    archive = ZipFile(into)
    labels = {f"labels/{one}.rec" for one in (kept, erased)}
    labels |= {f"labels/receipts/{one}.jws" for one in (kept, erased)}
    assert set(archive.namelist()) == labels | {f"records/{kept}.json"}
    assert not any(PICTURE in archive.read(name) for name in archive.namelist())
    archive.extractall(tmp_path)
    keys = receipt.signers_without_end(make_key(files.signs, files.signs_public)().public_key())
    beside = supporting_files.SupportingFiles(
        receipts=supporting_files.read_receipts(list((tmp_path / "labels/receipts").iterdir()), []),
        listed=supporting_files.FleetList({}, keys, is_pinned=True),
    )
    report = examine((tmp_path / "labels").glob("*.rec"), None, supporting=beside)
    verdicts = {each["capture_id"]: each["verdict"] for each in report.document["records"]}
    assert (report.problems, verdicts) == (0, {kept: "withheld", erased: "erased"})


def test_a_label_that_was_lost_is_left_out_of_an_export_and_the_gap_is_noticed(
    demo_office: DemoOffice, tmp_path: Path
) -> None:
    ids = demo_office.deliver(*[ALLOWED] * 3)
    demo_office.office.store.objects.erase(ids[1])
    into = tmp_path / "device.zip"

    told = demo_office.said("export-device", "van-7", str(into), now=CAME).splitlines()

    assert told[0] == f"written: {into}"
    assert told[1].startswith("without 1 record whose label is not here any more")
    archive = ZipFile(into)
    assert f"labels/{ids[1]}.rec" not in archive.namelist()
    assert f"labels/receipts/{ids[1]}.jws" in archive.namelist()
    assert ids[1] in archive.read("left-out.txt").decode()
    archive.extractall(tmp_path / "out")
    assert examine((tmp_path / "out/labels").glob("*.rec"), None).problems == 1


def test_an_export_that_does_not_end_leaves_no_half_zip(
    demo_office: DemoOffice, tmp_path: Path
) -> None:
    demo_office.receive(demo_office.photo(ALLOWED))
    into = tmp_path / "device.zip"

    with pytest.raises(FileNotFoundError):
        export_device(demo_office.office, "van-7", into, CAME, [tmp_path / "no-such.jsonl"])

    assert not into.exists()
    assert export_device(demo_office.office, "van-7", into, CAME) == []


def test_the_name_of_who_brought_a_record_goes_with_its_body_and_the_mark_stays(
    demo_office: DemoOffice,
) -> None:
    capture_id = demo_office.receive(demo_office.photo(ALLOWED))
    rescues = Rescues(demo_office.office.store)
    rescues.mark(capture_id, "ada")

    demo_office.office.erasure.expire(after(30) - JUST)
    before = rescues.by(capture_id)
    demo_office.office.erasure.expire(after(30))

    assert (before, rescues.by(capture_id)) == ("ada", "a technician")
