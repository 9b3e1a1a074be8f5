"""Presses without a photo, by device and day: which count, on which day, and in which order."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.models import Reason, RecordKind, rfc3339
from doorstep_backend.office import refusals
from doorstep_backend.office.refusals import RefusalCount
from doorstep_backend.office.remedies import REMEDIES, UNKNOWN
from tests.support.demo_office import NOON, RECEIVED, DemoOffice
from tests.support.engines import only_sqlite
from tests.support.factory import RecordMaker

TODAY = date(2026, 12, 1)
PRESSED = "2026-12-01T09:30:00.000Z"


def refuse(
    demo_office: DemoOffice,
    reason: str = Reason.NO_POSITION,
    at: str = RECEIVED,
    van: RecordMaker | None = None,
    *,
    simulated: bool = False,
    **label: Any,
) -> str:
    """Receive a press without a photo."""
    said = {"reason": reason, "simulated": simulated}
    label = {"utc": PRESSED, "clock": "gnss"} | label
    made = (van or demo_office.van).make(RecordKind.NO_PHOTO, said, **label)
    return demo_office.receive(made, at)


def counted(demo_office: DemoOffice, day: date = TODAY, **asked: str) -> dict[str, dict[str, int]]:
    page = demo_office.office.refusals.of_day(day, **asked)
    return {one.device_id: dict(one.reasons) for one in page.counts}


def test_each_reason_has_a_remedy() -> None:
    """A new member of `Reason` fails here until the office knows what to do about it."""
    assert set(REMEDIES) - {UNKNOWN} == set(map(str, Reason)) - {str(Reason.HANDED_OVER)}


def test_a_device_has_its_days_by_reason_and_nothing_finer(demo_office: DemoOffice) -> None:
    """The latest day is first; reasons come in the order of REMEDIES, whichever is frequent."""
    for _ in range(3):
        refuse(demo_office, Reason.CAMERA_FAULT)
    refuse(demo_office, Reason.NO_POSITION)
    refuse(demo_office, Reason.NO_POSITION, utc="2026-11-29T08:00:00.000Z")

    found = demo_office.office.refusals.of_device("van-7", NOON)

    assert found == [
        RefusalCount("van-7", TODAY, {Reason.NO_POSITION: 1, Reason.CAMERA_FAULT: 3}),
        RefusalCount("van-7", date(2026, 11, 29), {Reason.NO_POSITION: 1}),
    ]
    assert list(found[0].reasons) == [Reason.NO_POSITION, Reason.CAMERA_FAULT]
    assert demo_office.office.refusals.of_device("van-7", NOON, Reason.CAMERA_FAULT) == [
        RefusalCount("van-7", TODAY, {Reason.CAMERA_FAULT: 3})
    ]


def test_devices_of_a_day_come_by_name_and_never_by_count(demo_office: DemoOffice) -> None:
    for name, times in (("van-9", 3), ("van-10", 1), ("bench_1", 2)):
        van = RecordMaker(name)
        for _ in range(times):
            refuse(demo_office, van=van)

    assert counted(demo_office) == {
        name: {Reason.NO_POSITION: times}
        for name, times in (("bench_1", 2), ("van-10", 1), ("van-9", 3))
    }
    assert list(counted(demo_office)) == ["bench_1", "van-10", "van-9"]
    assert list(counted(demo_office, text="VAN-")) == ["van-10", "van-9"]
    assert list(counted(demo_office, text="_")) == ["bench_1"]
    assert list(counted(demo_office, after="van-10")) == ["van-9"]


def test_devices_of_a_day_come_in_parts(
    demo_office: DemoOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "PAGE_LENGTH", 2)
    for name in ("van-1", "van-2", "van-3"):
        refuse(demo_office, van=RecordMaker(name))
    of_day = demo_office.office.refusals.of_day

    first = of_day(TODAY)
    rest = of_day(TODAY, after=first.after)

    assert [one.device_id for one in first.counts] == ["van-1", "van-2"]
    assert first.after == "van-2"
    assert ([one.device_id for one in rest.counts], rest.after) == (["van-3"], "")


def test_devices_of_a_day_are_found_by_a_reason(demo_office: DemoOffice) -> None:
    refuse(demo_office, Reason.NO_POSITION, van=RecordMaker("van-1"))
    refuse(demo_office, Reason.CAMERA_FAULT, van=RecordMaker("van-2"))
    refuse(demo_office, "of_a_newer_device", van=RecordMaker("van-3"))

    assert counted(demo_office, reason=Reason.CAMERA_FAULT) == {"van-2": {Reason.CAMERA_FAULT: 1}}
    assert counted(demo_office, reason=UNKNOWN) == {"van-3": {UNKNOWN: 1}}


@pytest.mark.parametrize(
    ("label", "day"),
    [
        ({"utc": "2026-11-30T23:30:00.000Z"}, TODAY),
        ({"utc": "2026-11-30T22:30:00.000Z"}, date(2026, 11, 30)),
        ({"utc": "2026-11-28T22:30:00.000Z", "clock": "unsynced"}, TODAY),
        ({"utc": "2026-12-03T09:00:00.000Z"}, TODAY),
    ],
    ids=["after midnight there", "before it", "device without a clock", "clock that is ahead"],
)
def test_a_press_counts_on_its_day_at_the_backend(
    tmp_path: Path, label: dict[str, Any], day: date
) -> None:
    """The day of the receipt counts if a press has no time, or a time after the receipt."""
    (tmp_path / "backend.toml").write_text('zone = "Europe/Zurich"\n')
    demo_office = DemoOffice(tmp_path)
    refuse(demo_office, **label)

    assert [one.day for one in demo_office.office.refusals.of_device("van-7", NOON)] == [day]
    assert counted(demo_office, day) == {"van-7": {Reason.NO_POSITION: 1}}


def test_a_press_moves_to_its_day_once_its_boot_is_dated(demo_office: DemoOffice) -> None:
    refuse(demo_office, clock="unsynced")
    before = demo_office.office.refusals.of_device("van-7", NOON)
    dated = {"utc": "2026-11-30T10:00:00.000Z", "monotonic_ns": 5_000_000}
    demo_office.receive(demo_office.van.make(RecordKind.TIME, {"time": dated}, clock="gnss"))

    after = demo_office.office.refusals.of_device("van-7", NOON)

    assert [one.day for one in before] == [TODAY]
    assert [one.day for one in after] == [date(2026, 11, 30)]


def test_count_of_refusals_leaves_out_disbelieved_records(
    demo_office: DemoOffice,
) -> None:
    """An erased record has lost its reason; nobody is sent to a device for what was taken back."""
    refuse(demo_office, simulated=True)
    demo_office.deliver("1001")
    demo_office.receive(demo_office.van.make(RecordKind.TEST, {"reason": Reason.CAMERA_FAULT}))
    demo_office.receive(demo_office.void(refuse(demo_office)))  # type: ignore[arg-type]
    refuse(demo_office, Reason.HANDED_OVER)
    erased = refuse(demo_office)
    refuse(demo_office, Reason.CAMERA_FAULT)
    update = "UPDATE captures SET reason = NULL, erased_at = ? WHERE capture_id = ?"
    demo_office.office.ledger.execute(update, (rfc3339(NOON), erased))

    assert demo_office.office.refusals.of_device("van-7", NOON) == [
        RefusalCount("van-7", TODAY, {Reason.CAMERA_FAULT: 1})
    ]
    assert counted(demo_office) == {"van-7": {Reason.CAMERA_FAULT: 1}}
    assert sum(demo_office.office.refusals.of_fleet(NOON).values()) == 1


def test_days_are_listed_only_while_no_record_of_them_is_erased(tmp_path: Path) -> None:
    assert len(DemoOffice(tmp_path / "a").office.refusals.days(NOON)) == refusals.DAYS
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "backend.toml").write_text("[retention]\nphoto_days = 2\n")
    demo_office = DemoOffice(tmp_path / "b")
    refuse(demo_office, utc="2026-11-29T10:00:00.000Z")

    assert demo_office.office.refusals.days(NOON) == [TODAY, date(2026, 11, 30)]
    assert demo_office.office.refusals.of_device("van-7", NOON) == []


def test_the_fleet_has_its_last_24_full_hours(demo_office: DemoOffice) -> None:
    """The count ends at a full hour, because one that rises with each press shows a pace."""
    hour = timedelta(hours=1)
    for received_at in (NOON - 25 * hour, NOON - 24 * hour, NOON - hour, NOON, NOON):
        for reason in (Reason.CAMERA_FAULT, "of_a_newer_device"):
            refuse(demo_office, reason, rfc3339(received_at))
    of_fleet = demo_office.office.refusals.of_fleet

    found = of_fleet(NOON + timedelta(minutes=59))

    assert found.keys() == REMEDIES.keys()
    assert {reason: count for reason, count in found.items() if count} == {
        Reason.CAMERA_FAULT: 2,
        UNKNOWN: 2,
    }


@only_sqlite
def test_no_question_reads_all_records(demo_office: DemoOffice) -> None:
    """Every query uses an index, and thus is quick among millions of records."""
    values = dict.fromkeys(
        ("after", "text", "reason", "since", "until", "device_id", "simulated"), ""
    )
    found = [
        row["detail"]
        for query in (
            refusals._devices(""),  # noqa: SLF001 - the plan of a query is not seen from outside
            refusals._devices(refusals._WHY),  # noqa: SLF001 - as above
            refusals._RECORDS.format(why=""),  # noqa: SLF001 - as above
            refusals._RECORDS.format(why=refusals._WHY),  # noqa: SLF001 - as above
            refusals._FLEET,  # noqa: SLF001 - as above
        )
        for row in demo_office.office.ledger.execute(f"EXPLAIN QUERY PLAN {query}", values)
    ]

    of_captures = [one for one in found if one.startswith(("SEARCH c ", "SCAN c "))]
    assert len(of_captures) == 9
    assert [one for one in of_captures if "SEARCH c USING INDEX captures_refused" not in one] == []
