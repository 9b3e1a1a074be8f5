"""Cases: who may open one about which record, for how long, and what it keeps meanwhile."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from agent.models import CaptureId
from doorstep_backend.office.access import Customer, CustomerService, Dispatch, Nobody
from doorstep_backend.office.cases import KEPT_LONGER, LOOK, REPORTED, Case, Closing, Report
from doorstep_backend.office.casework import (
    LOOKS,
    CaseOverError,
    Decision,
    NoCaseError,
    TooManyCasesError,
)
from doorstep_backend.office.demo import (
    ALLOWED,
    CHANGES_MIND,
    CONFIDENTIAL,
    LEFT_DOOR,
    RIGHT_DOOR,
)
from doorstep_backend.office.orders import Order
from tests.support.demo_office import NOON, DemoOffice

ANA, BEN = Dispatch("ana"), Dispatch("ben")
Maker = Callable[[DemoOffice], CaptureId]
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
SHORTLY_BEFORE = timedelta(seconds=1)


def look(demo_office: DemoOffice, capture_id: str, who: str = "dispatch ana") -> str:
    return demo_office.office.casework.open(capture_id, "driver", who, NOON).case_id


def test_a_case_opens_the_picture_to_its_dispatcher_for_15_minutes(demo_office: DemoOffice) -> None:
    capture_id, other = demo_office.deliver(ALLOWED, ALLOWED)
    access = demo_office.office.access
    assert not access.may_see(ANA, capture_id, NOON)

    look(demo_office, capture_id)

    assert access.may_see(ANA, capture_id, NOON + LOOK - SHORTLY_BEFORE)
    assert not access.may_see(ANA, capture_id, NOON + LOOK)
    assert not access.may_see(ANA, other, NOON)
    for viewer in (BEN, Nobody(), Customer("c-2"), CustomerService("17")):
        assert not access.may_see(viewer, capture_id, NOON)


def test_a_second_click_opens_the_same_case(demo_office: DemoOffice) -> None:
    (capture_id,) = demo_office.deliver(ALLOWED)

    assert look(demo_office, capture_id) == look(demo_office, capture_id)
    assert look(demo_office, capture_id) != look(demo_office, capture_id, "dispatch ben")


def test_a_dispatcher_opens_ten_cases_an_hour(demo_office: DemoOffice) -> None:
    casework, photos = demo_office.office.casework, demo_office.deliver(*[ALLOWED] * (LOOKS + 1))
    for capture_id in photos[:LOOKS]:
        look(demo_office, capture_id)

    with pytest.raises(TooManyCasesError):
        look(demo_office, photos[LOOKS])
    look(demo_office, photos[0])
    look(demo_office, photos[LOOKS], "dispatch ben")
    casework.open(photos[LOOKS], "driver", "dispatch ana", NOON + timedelta(hours=1))


def taken_back(demo_office: DemoOffice) -> CaptureId:
    (capture_id,) = demo_office.deliver(ALLOWED)
    demo_office.receive(demo_office.void(capture_id))
    return capture_id


def opted_out(demo_office: DemoOffice) -> CaptureId:
    (capture_id,) = demo_office.deliver(CHANGES_MIND)
    demo_office.office.erasure.hold(CHANGES_MIND, "CASE-7", NOON)
    demo_office.office.opt_out_order(CHANGES_MIND, True)
    return capture_id


def waiting(demo_office: DemoOffice) -> CaptureId:
    return demo_office.receive(demo_office.stray())


def confidential(demo_office: DemoOffice) -> CaptureId:
    demo_office.office.erasure.hold(CONFIDENTIAL, "CASE-7", NOON)
    return demo_office.receive(demo_office.photo(CONFIDENTIAL))


def erased(demo_office: DemoOffice) -> CaptureId:
    (capture_id,) = demo_office.deliver(ALLOWED)
    demo_office.office.erasure.expire(NOON + 30 * DAY)
    return capture_id


def simulated(demo_office: DemoOffice) -> CaptureId:
    return demo_office.receive(demo_office.photo(ALLOWED, simulated=True))


def missing(_demo_office: DemoOffice) -> CaptureId:
    return CaptureId("no-such-record")


@pytest.mark.parametrize(
    "make", [taken_back, opted_out, waiting, confidential, erased, simulated, missing]
)
def test_no_case_opens_what_nobody_may_see(demo_office: DemoOffice, make: Maker) -> None:
    """A photo that waits needs no case, because dispatch sees it anyway."""
    capture_id = make(demo_office)

    with pytest.raises(NoCaseError):
        look(demo_office, capture_id)


@pytest.mark.parametrize("make", [taken_back, opted_out])
def test_a_case_shows_no_picture_that_may_not_be_shown_any_more(
    demo_office: DemoOffice, make: Maker
) -> None:
    """The order takes no photo by now, or the driver took the photo back."""
    office, early = demo_office.office, demo_office.deliver(LEFT_DOOR)[0]
    look(demo_office, early)
    assert office.access.may_see(ANA, early, NOON)

    if make is taken_back:
        demo_office.receive(demo_office.void(early))
    else:
        office.opt_out_order(LEFT_DOOR, True)

    assert not office.access.may_see(ANA, early, NOON)


def test_an_opt_out_waits_for_the_end_of_the_case(demo_office: DemoOffice) -> None:
    (capture_id,) = demo_office.deliver(CHANGES_MIND)
    look(demo_office, capture_id)

    demo_office.office.opt_out_order(CHANGES_MIND, True)
    demo_office.office.erasure.expire(NOON + LOOK - SHORTLY_BEFORE)
    assert demo_office.kept(capture_id) == (True, True)
    demo_office.office.erasure.expire(NOON + LOOK)

    assert demo_office.kept(capture_id) == (False, False)


def test_a_case_holds_a_photo_whose_time_is_over(demo_office: DemoOffice) -> None:
    (capture_id,) = demo_office.deliver(ALLOWED)
    office, late = demo_office.office, NOON + 30 * DAY
    case = office.casework.open(capture_id, "driver", "dispatch ana", late)

    office.erasure.expire(late + LOOK - SHORTLY_BEFORE)
    assert demo_office.kept(capture_id) == (True, True)
    assert office.erasure.overdue_s(late) == 0
    office.erasure.expire(late + LOOK)

    assert demo_office.kept(capture_id) == (False, False)
    ended = office.cases.find(case.case_id)
    assert ended is not None
    assert (ended.closed_at, ended.closed_by, ended.closed_as) == (late + LOOK, None, "expired")


def test_dispatchers_cases_keep_a_photo_for_72_hours_more(demo_office: DemoOffice) -> None:
    (photo,) = demo_office.deliver(ALLOWED)
    office, received = demo_office.office, NOON - timedelta(hours=1)
    at = received + 30 * DAY - timedelta(minutes=1)
    while demo_office.kept(photo)[0] and at < NOON + 40 * DAY:
        who = "dispatch ana" if office.cases.all_open_for("dispatch ben", at, 1) else "dispatch ben"
        office.casework.open(photo, "driver", who, at)
        at += LOOK - timedelta(minutes=1)
        office.erasure.expire(at)

    assert at - received - 30 * DAY < KEPT_LONGER + LOOK


def test_a_case_is_forgotten_with_the_view_log(demo_office: DemoOffice) -> None:
    (capture_id,) = demo_office.deliver(ALLOWED)
    case_id = look(demo_office, capture_id)

    demo_office.office.erasure.expire(NOON + 365 * DAY)
    assert demo_office.office.cases.find(case_id) is not None
    demo_office.office.erasure.expire(NOON + 365 * DAY + MINUTE)

    assert demo_office.office.cases.find(case_id) is None


def report(
    demo_office: DemoOffice,
    capture_id: str,
    number: str = ALLOWED,
    what: Report = Report.NOT_MY_DOOR,
    now: datetime = NOON,
) -> None:
    office = demo_office.office
    office.casework.report(office.orders.find(number), capture_id, what, now)


def case_about(demo_office: DemoOffice, capture_id: str, now: datetime = NOON) -> Case:
    found = demo_office.office.cases.open_for("dispatch ana", capture_id, now)
    assert found is not None
    return found


def test_a_customer_reports_ten_times_a_day_over_all_orders(demo_office: DemoOffice) -> None:
    office = demo_office.office
    for n in range(4):
        office.orders.add(Order(f"2{n}", "c-1", "a-1", f"s-2{n}", (), 52.5, 13.4))
    office.routes.plan("more", [f"2{n}" for n in range(4)], NOON, NOON + DAY)
    office.routes.assign("more", demo_office.van.device_id)
    photos = [demo_office.receive(demo_office.photo(f"2{n % 4}")) for n in range(11)]
    for n in range(10):
        report(demo_office, photos[n], f"2{n % 4}")

    with pytest.raises(TooManyCasesError):
        report(demo_office, photos[10], "22")
    report(demo_office, photos[10], "22", now=NOON + DAY)


def test_a_photo_whose_time_is_over_cannot_be_reported(demo_office: DemoOffice) -> None:
    """Otherwise one report after the other would keep the photo for ever."""
    (capture_id,) = demo_office.deliver(ALLOWED)

    with pytest.raises(NoCaseError):
        report(demo_office, capture_id, now=NOON + 30 * DAY)


def test_a_photo_that_stays_hidden_cannot_be_reported_again(tmp_path: Path) -> None:
    """The backend keeps photos for longer than a case here."""
    (tmp_path / "backend.toml").write_text("[retention]\nphoto_days = 90\n")
    demo_office = DemoOffice(tmp_path)
    (capture_id,) = demo_office.deliver(ALLOWED)
    report(demo_office, capture_id)

    demo_office.office.erasure.expire(NOON + REPORTED)

    assert demo_office.shown(ALLOWED) == []
    assert demo_office.kept(capture_id) == (True, True)
    for what in (Report.NOT_MY_DOOR, Report.CANNOT_FIND):
        with pytest.raises(NoCaseError):
            report(demo_office, capture_id, what=what, now=NOON + REPORTED)


def test_overdue_photo_is_erased_when_its_case_is_closed(demo_office: DemoOffice) -> None:
    (capture_id,) = demo_office.deliver(ALLOWED)
    report(demo_office, capture_id, now=NOON + 29 * DAY)
    late = NOON + 31 * DAY
    case = case_about(demo_office, capture_id, late)
    assert demo_office.kept(capture_id) == (True, True)

    demo_office.office.close_case(case, Decision(Closing.CORRECT, "", 1), "dispatch ana", late)

    assert demo_office.kept(capture_id) == (False, False)


@pytest.mark.parametrize("late", [timedelta(0), REPORTED])
def test_a_case_is_closed_once_and_within_its_life(
    demo_office: DemoOffice, late: timedelta
) -> None:
    """A page that was loaded before the end corrects nothing."""
    (capture_id,) = demo_office.deliver(ALLOWED)
    report(demo_office, capture_id)
    office, case = demo_office.office, case_about(demo_office, capture_id)
    if not late:
        office.close_case(case, Decision(Closing.CORRECT, "", 1), "dispatch ben", NOON)
    before = office.corrections.of_record(capture_id)
    decision = Decision(Closing.WITHDRAWN, "", before[-1].version)

    with pytest.raises(CaseOverError):
        office.close_case(case, decision, "dispatch ana", NOON + late)

    assert office.corrections.of_record(capture_id) == before
    assert demo_office.kept(capture_id) == (True, True)


def test_a_decision_closes_every_case_about_the_photo_and_its_retakes(
    demo_office: DemoOffice,
) -> None:
    first = demo_office.receive(demo_office.photo(LEFT_DOOR))
    look(demo_office, first)
    retake = demo_office.receive(demo_office.photo(LEFT_DOOR, retake_of=first))
    report(demo_office, retake, LEFT_DOOR)
    case, cases = case_about(demo_office, retake), demo_office.office.cases

    decision = Decision(Closing.MOVED, RIGHT_DOOR, 1)
    demo_office.office.close_case(case, decision, "dispatch ana", NOON)

    assert demo_office.shown(RIGHT_DOOR) == [retake]
    assert cases.all_open_for("dispatch ana", NOON, 9) == []


def test_a_case_holds_the_retakes_of_its_photo_too(demo_office: DemoOffice) -> None:
    """Retakes are the only evidence after an opt-out, because the photo itself was replaced."""
    first = demo_office.receive(demo_office.photo(CHANGES_MIND))
    report(demo_office, first, CHANGES_MIND)
    retake = demo_office.receive(demo_office.photo(CHANGES_MIND, retake_of=first))
    elsewhere = demo_office.receive(demo_office.photo(LEFT_DOOR, retake_of=first))
    office = demo_office.office

    office.opt_out_order(CHANGES_MIND, True)
    office.opt_out_order(LEFT_DOOR, True)
    kept = [demo_office.kept(one)[0] for one in (first, retake, elsewhere)]
    office.erasure.expire(NOON + REPORTED)

    assert kept == [True, True, False]
    assert {demo_office.kept(one) for one in (first, retake)} == {(False, False)}


def test_photo_freed_by_a_decision_is_erased_with_its_retakes(demo_office: DemoOffice) -> None:
    first = demo_office.receive(demo_office.photo(CHANGES_MIND))
    retake = demo_office.receive(demo_office.photo(CHANGES_MIND, retake_of=first))
    report(demo_office, retake, CHANGES_MIND)
    demo_office.office.opt_out_order(CHANGES_MIND, True)
    assert [demo_office.kept(one)[0] for one in (first, retake)] == [True, True]

    case = case_about(demo_office, retake)
    decision = Decision(Closing.WITHDRAWN, "", 1)
    demo_office.office.close_case(case, decision, "dispatch ana", NOON)

    assert {demo_office.kept(one) for one in (first, retake)} == {(False, False)}
