"""A customer's reports, and how dispatch decides about them, over real HTTPS."""

import re
from datetime import timedelta
from typing import Any

import pytest

from agent.models import CaptureId, RecordKind
from doorstep_backend.office.access import Customer, Dispatch
from doorstep_backend.office.demo import ALLOWED, CHANGES_MIND, CONFIDENTIAL, LEFT_DOOR, RIGHT_DOOR
from doorstep_backend.pages import cases, reporting
from tests.backend.pages.reading import images
from tests.support.demo_office import NOON, PICTURE
from tests.support.live_pages import ANA, Browser, Live

BEN = Dispatch("ben")
OWNER, THIRD, FOURTH = (Customer(f"c-{number}") for number in (1, 3, 4))
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def wrong_door(live: Live) -> CaptureId:
    """Take a photo of the right door that place bound to the left one: THIRD sees FOURTH's door."""
    return live.demo_office.receive(live.demo_office.photo(LEFT_DOOR))


def report(browser: Browser, number: str, record: str, what: str = "not_my_door") -> int:
    answer = browser.send(f"/orders/{number}/report", record=record, what=what)
    return answer.status_code


def case_of(browser: Browser) -> str:
    """Return the path of the only case that a dispatcher has."""
    page = browser.get("/dispatch/cases").text
    found: list[str] = re.findall(r'href="/pages(/dispatch/cases/[^"/]+)"', page)
    assert len(found) == 1
    return found[0]


def words_of(browser: Browser, path: str) -> str:
    """Return the words of a page, with single spaces."""
    main = browser.get(path).text.partition("<main>")[2]
    return " ".join(re.sub("<[^>]*>", " ", main).split())


def decide(browser: Browser, case: str, how: str) -> tuple[int, str]:
    """Follow the link of a decision on a case's page, and confirm it."""
    page = browser.get(case).text.replace("&amp;", "&")
    (link,) = re.findall(rf'href="/pages(/dispatch/cases/[^"]*as={how}[^"]*)"', page)
    answer = browser.confirm(link)
    return answer.status_code, answer.text


def test_a_wrong_door_is_reported_moved_and_shown_to_its_customer(
    live: Live, wrong_door: CaptureId
) -> None:
    customer, ana = live.browser(THIRD), live.browser(ANA)
    page = customer.get(f"/orders/{LEFT_DOOR}").text
    (link,) = re.findall(r'href="/pages(/orders/[^"]*not_my_door)"', page)

    reported = customer.confirm(link.replace("&amp;", "&"))

    assert reported.headers["Location"] == f"/pages/orders/{LEFT_DOOR}"
    assert images(customer.get(f"/orders/{LEFT_DOOR}").text) == []
    assert images(customer.get("/orders").text) == []
    assert "Dispatch is looking into it." in words_of(customer, f"/orders/{LEFT_DOOR}")
    assert live.demo_office.is_done(LEFT_DOOR)
    case = case_of(ana)
    assert "Hidden from the customer." in words_of(ana, case)
    (image,) = images(ana.get(case).text)
    assert ana.get(image).content == PICTURE

    assert decide(ana, case, f"moved&number={RIGHT_DOOR}")[0] == 303

    assert live.demo_office.shown(RIGHT_DOOR) == [wrong_door]
    assert len(images(live.browser(FOURTH).get(f"/orders/{RIGHT_DOOR}").text)) == 1
    assert not live.demo_office.is_done(LEFT_DOOR)
    assert ana.get(image).status_code == 404
    said = words_of(customer, f"/orders/{LEFT_DOOR}")
    assert "Dispatch decided that it is not of your delivery, and took it away." in said
    assert "You 1 December 2026, 12:00 UTC Reported: “This is not my door.”" in said
    assert "Dispatch 1 December 2026, 12:00 UTC Looked into your report." in said
    for browser, own, other in ((customer, LEFT_DOOR, RIGHT_DOOR), (FOURTH, RIGHT_DOOR, LEFT_DOOR)):
        reader = browser if isinstance(browser, Browser) else live.browser(browser)
        assert other not in words_of(reader, f"/orders/{own}")


def test_a_report_of_the_order_before_is_not_the_next_customers(
    live: Live, wrong_door: CaptureId
) -> None:
    """Dispatch would otherwise take the photo from a customer who never complained."""
    ana, of_before = live.browser(ANA), "by the customer of the order before. Reported:"
    assert report(live.browser(THIRD), LEFT_DOOR, wrong_door) == 303
    first = case_of(ana)
    assert of_before not in words_of(ana, first)
    live.clock.now = NOON + MINUTE
    assert decide(ana, first, f"moved&number={RIGHT_DOOR}")[0] == 303

    opened = ana.send(f"/dispatch/photos/{wrong_door}/case", reason="driver")

    second = opened.headers["Location"].removeprefix("/pages")
    assert f"{of_before} “This is not my door.”" in words_of(ana, second)


@pytest.mark.parametrize(("how", "shown"), [("correct", 1), ("withdrawn", 0)])
def test_a_report_is_answered_by_showing_the_photo_again_or_deleting_it(
    live: Live, wrong_door: CaptureId, how: str, shown: int
) -> None:
    customer, ana = live.browser(THIRD), live.browser(ANA)
    assert report(customer, LEFT_DOOR, wrong_door) == 303

    assert decide(ana, case_of(ana), how)[0] == 303

    assert len(images(customer.get(f"/orders/{LEFT_DOOR}").text)) == shown
    assert live.demo_office.kept(wrong_door) == (bool(shown), bool(shown))
    assert "No case is open." in ana.get("/dispatch/cases").text


def test_a_parcel_that_is_not_found_opens_a_case_and_hides_nothing(
    live: Live, wrong_door: CaptureId
) -> None:
    customer, ana = live.browser(THIRD), live.browser(ANA)

    assert report(customer, LEFT_DOOR, wrong_door, "cannot_find") == 303

    assert len(images(customer.get(f"/orders/{LEFT_DOOR}").text)) == 1
    assert len(images(ana.get(case_of(ana)).text)) == 1
    assert "Reported: “I cannot find it.”" in words_of(customer, f"/orders/{LEFT_DOOR}")
    offered = re.findall("what=([a-z_]+)", customer.get(f"/orders/{LEFT_DOOR}").text)
    assert offered == ["not_my_door"]


@pytest.fixture
def handed_over(live: Live) -> CaptureId:
    """Take a hand-over that the device put on OWNER's order."""
    stop = {"id": live.demo_office.office.orders.find(ALLOWED).stop_id, "bound_by": "code"}
    said: dict[str, Any] = {"stop": stop | {"ring": "inside"}, "simulated": False}
    made = live.demo_office.van.make(RecordKind.NO_PHOTO, said | {"reason": "handed_over"})
    return live.demo_office.receive(made)


def test_a_hand_over_that_did_not_happen_is_reported_without_a_picture(
    live: Live, handed_over: CaptureId
) -> None:
    demo_office, customer, ana = live.demo_office, live.browser(OWNER), live.browser(ANA)
    capture_id = handed_over

    assert report(customer, ALLOWED, capture_id) == 409
    assert "It was not handed to me" in words_of(customer, f"/orders/{ALLOWED}")
    assert report(customer, ALLOWED, capture_id, "not_handed_to_me") == 303
    page = customer.get(f"/orders/{ALLOWED}").text
    assert "The photos that we have stay until" in page
    assert "what=not_handed_to_me" not in page
    case = case_of(ana)
    assert images(ana.get(case).text) == []
    assert "Handed over" in words_of(ana, case)

    assert decide(ana, case, "withdrawn")[0] == 303

    assert not demo_office.is_done(ALLOWED)


def test_a_hand_over_is_moved_also_to_an_order_that_takes_no_photo(
    live: Live, handed_over: CaptureId
) -> None:
    ana = live.browser(ANA)
    assert report(live.browser(OWNER), ALLOWED, handed_over, "not_handed_to_me") == 303

    case = case_of(ana)

    asked = words_of(ana, f"{case}/close?as=moved&number={CONFIDENTIAL}&version=0")
    assert f"but only if order {CONFIDENTIAL} takes photos" in asked
    assert decide(ana, case, f"moved&number={CONFIDENTIAL}")[0] == 303

    assert live.demo_office.is_done(CONFIDENTIAL)
    assert not live.demo_office.is_done(ALLOWED)


def test_a_case_shows_the_retake_that_replaced_its_photo(live: Live, wrong_door: CaptureId) -> None:
    """A retake that waited is moved along with the report, and replaces the photo of the case."""
    demo_office, customer, ana = live.demo_office, live.browser(THIRD), live.browser(ANA)
    retake = demo_office.receive(demo_office.stray(retake_of=wrong_door))
    report(customer, LEFT_DOOR, wrong_door)
    case = case_of(ana)

    (image,) = images(ana.get(case).text)

    assert ana.get(image).content == PICTURE
    looks = demo_office.office.access.views_of_record(retake)
    assert [look.why for look in looks] == ["Looked into your report."]
    assert demo_office.is_done(LEFT_DOOR)
    assert decide(ana, case, "correct")[0] == 303
    assert demo_office.shown(LEFT_DOOR) == [retake]


def test_a_double_click_reports_once(live: Live, wrong_door: CaptureId) -> None:
    customer, ana = live.browser(THIRD), live.browser(ANA)

    assert [report(customer, LEFT_DOOR, wrong_door) for _ in range(5)] == [303] * 5
    assert report(customer, LEFT_DOOR, wrong_door, "cannot_find") == 303

    case_of(ana)
    looks = live.demo_office.office.access.views_of(LEFT_DOOR)
    assert [look.why for look in looks] == [
        "Reported: “This is not my door.”",
        "Reported: “I cannot find it.”",
    ]


def test_reports_are_limited_per_order_and_per_customer(live: Live) -> None:
    demo_office, customer, ana = live.demo_office, live.browser(FOURTH), live.browser(ANA)
    (photo,) = demo_office.deliver(CHANGES_MIND)
    for _ in range(3):
        assert report(customer, CHANGES_MIND, photo) == 303
        assert decide(ana, case_of(ana), "correct")[0] == 303

    refused = customer.send(f"/orders/{CHANGES_MIND}/report", record=photo, what="not_my_door")

    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "86400")
    assert reporting.TOO_MANY in refused.text
    assert demo_office.shown(CHANGES_MIND) == [photo]
    live.clock.now += DAY
    assert report(live.browser(FOURTH), CHANGES_MIND, photo) == 303


def test_second_dispatcher_reads_the_decision_and_its_time(
    live: Live, wrong_door: CaptureId
) -> None:
    ana, ben = live.browser(ANA), live.browser(BEN)
    assert report(live.browser(THIRD), LEFT_DOOR, wrong_door) == 303
    case = case_of(ana)
    late = {"as": "moved", "number": RIGHT_DOOR, "version": "1"}

    assert decide(ana, case, "correct")[0] == 303
    answer = ben.send(f"{case}/close", **late)

    assert answer.status_code == 409
    assert "Dispatch ana has decided about this photo on 1 December 2026, 12:00" in answer.text
    assert live.demo_office.shown(LEFT_DOOR) == [wrong_door]


def test_a_page_of_before_another_correction_changes_nothing(
    live: Live, wrong_door: CaptureId
) -> None:
    """The case is open still, but its photo was reported while the dispatcher looked."""
    ana = live.browser(ANA)
    answer = ana.send(f"/dispatch/photos/{wrong_door}/case", reason="driver")
    case = answer.headers["Location"].removeprefix("/pages")
    live.clock.now += MINUTE
    assert report(live.browser(THIRD), LEFT_DOOR, wrong_door) == 303

    stale = ana.send(f"{case}/close", **{"as": "correct", "number": "", "version": "0"})

    assert stale.status_code == 409
    assert "Customer has decided about this photo on 1 December 2026, 12:01" in stale.text
    assert live.demo_office.shown(LEFT_DOOR) == []


@pytest.mark.parametrize("number", [CONFIDENTIAL, LEFT_DOOR, "9999", ""])
def test_a_photo_is_moved_only_where_it_may_be(
    live: Live, wrong_door: CaptureId, number: str
) -> None:
    ana = live.browser(ANA)
    assert report(live.browser(THIRD), LEFT_DOOR, wrong_door) == 303
    case = case_of(ana)
    form = {"as": "moved", "number": number, "version": "1"}

    page = ana.get(f"{case}/close?as=moved&version=1&number={number}")
    answer = ana.send(f"{case}/close", **form)

    assert page.status_code == answer.status_code == 409
    assert cases.NOT_SO in answer.text
    assert case_of(ana) == case


def test_invalid_decision_about_a_case_is_refused(live: Live, wrong_door: CaptureId) -> None:
    ana = live.browser(ANA)
    assert report(live.browser(THIRD), LEFT_DOOR, wrong_door) == 303
    case = case_of(ana)

    for form in ({}, {"as": "expired", "version": "1"}, {"as": "correct", "version": "x"}):
        assert ana.send(f"{case}/close", **form).status_code == 400
    assert ana.send("/dispatch/cases/none/close").status_code == 404


def test_a_case_that_nobody_closes_ends_after_30_days_and_the_photo_stays_hidden(
    live: Live, wrong_door: CaptureId
) -> None:
    office = live.demo_office.office
    assert report(live.browser(THIRD), LEFT_DOOR, wrong_door) == 303
    case = case_of(live.browser(ANA))

    live.clock.now = NOON + 30 * DAY
    late = live.browser(ANA).send(f"{case}/close", **{"as": "correct", "version": "1"})

    assert late.status_code == 409
    assert cases.OVER in late.text
    office.erasure.expire(NOON + 30 * DAY - MINUTE)
    assert live.demo_office.kept(wrong_door) == (True, True)
    office.erasure.expire(NOON + 30 * DAY)
    assert live.demo_office.kept(wrong_door) == (False, False)
    page = words_of(live.browser(THIRD), f"/orders/{LEFT_DOOR}")
    assert "Dispatch did not decide in time." in page


def test_an_opt_out_waits_for_the_case_and_the_picture_opens_no_more(
    live: Live, wrong_door: CaptureId
) -> None:
    customer, ana = live.browser(THIRD), live.browser(ANA)
    assert report(customer, LEFT_DOOR, wrong_door) == 303
    customer.send(f"/orders/{LEFT_DOOR}/delivery-photos", photos="off")
    case = case_of(ana)

    assert live.demo_office.kept(wrong_door) == (True, True)
    assert images(ana.get(case).text) == []
    assert "open the photo" not in words_of(customer, f"/orders/{LEFT_DOOR}")
    assert LEFT_DOOR not in words_of(ana, case)
    assert decide(ana, case, f"moved&number={RIGHT_DOOR}")[0] == 303
    assert live.demo_office.shown(RIGHT_DOOR) == [wrong_door]


@pytest.mark.parametrize("what", ["erased", "opted out", "taken back", "another's", "unknown"])
def test_a_report_that_comes_too_late_says_so_and_changes_nothing(
    live: Live, wrong_door: CaptureId, what: str
) -> None:
    demo_office, record = live.demo_office, str(wrong_door)
    match what:
        case "erased":
            demo_office.office.erasure.expire(NOON + 30 * DAY)
        case "opted out":
            demo_office.office.opt_out_order(LEFT_DOOR, True)
        case "taken back":
            demo_office.receive(demo_office.void(wrong_door))
        case "another's":
            record = demo_office.deliver(RIGHT_DOOR)[0]
        case _:
            record = "no-such-record"
    customer = live.browser(THIRD)

    page = customer.get(f"/orders/{LEFT_DOOR}/report?what=not_my_door&record={record}")
    answer = customer.send(f"/orders/{LEFT_DOOR}/report", record=record, what="not_my_door")

    assert page.status_code == answer.status_code == 409
    assert reporting.NOT_HERE_ANY_MORE in answer.text
    assert "No case is open." in live.browser(ANA).get("/dispatch/cases").text


def test_a_report_needs_an_own_order_and_one_of_three_sentences(
    live: Live, wrong_door: CaptureId
) -> None:
    for number in (LEFT_DOOR, "9999"):
        assert report(live.browser(FOURTH), number, wrong_door) == 404
    for what in ("", "moved", "<b>"):
        assert report(live.browser(THIRD), LEFT_DOOR, wrong_door, what) == 400
    assert live.demo_office.shown(LEFT_DOOR) == [wrong_door]


def test_the_page_says_what_happens_and_until_when_the_photo_is_kept(
    live: Live, wrong_door: CaptureId
) -> None:
    customer, asks = live.browser(THIRD), f"/orders/{LEFT_DOOR}/report?record={wrong_door}&what="

    said = words_of(customer, f"{asks}not_my_door")

    assert "We hide the photo from you at once." in said
    assert "stay until 31 December 2026, 12:00 UTC at the latest" in said
    assert "We hide" not in words_of(customer, f"{asks}cannot_find")
    live.clock.now = NOON + DAY
    report(live.browser(THIRD), LEFT_DOOR, wrong_door)
    live.clock.now = NOON + 2 * DAY
    page = words_of(live.browser(THIRD), f"/orders/{LEFT_DOOR}")
    assert "kept until 1 January 2027, 12:00 UTC at the latest" in page
