"""The pages as people use them, over real HTTPS, with a clock that the test sets."""

import hashlib
import re
import time
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.models import RecordKind
from agent.record import signing
from doorstep_backend.office import showing
from doorstep_backend.office.access import Customer, Viewer
from doorstep_backend.office.demo import (
    ACCOUNTS,
    ALLOWED,
    CHANGES_MIND,
    CONFIDENTIAL,
    GIFT,
    LEFT_DOOR,
    OPTED_OUT,
    RIGHT_DOOR,
    SIGNATURE,
)
from doorstep_backend.office.orders import Order
from doorstep_backend.pages import dispatch
from doorstep_backend.settings import Retention
from doorstep_backend.wire import asking
from doorstep_backend.wire.rescued import Rescues
from doorstep_backend.wire.store import Store
from tests.backend.pages.reading import AGENT, images, verified
from tests.support.demo_office import NOON, PICTURE
from tests.support.factory import RecordMaker
from tests.support.live_pages import ANA, Live, live_pages

OWNER, SECOND, THIRD, FOURTH = (Customer(f"c-{number}") for number in (1, 2, 3, 4))
MINUTE = timedelta(minutes=1)
EVER = datetime(2026, 1, 1, tzinfo=UTC)


def without(number: str, text: str) -> str:
    """Return a page without the number of its order and without its form's token."""
    return re.sub(r'name="form" value="[^"]*"', "", text).replace(number, "N")


def test_photos_that_are_read_slowly_are_all_shown_order_by_order(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A distant bucket may be slow for each photo; a customer's photos are read at once."""
    receive, read = live.demo_office.receive, Store.photo

    def read_slowly(store: Store, capture_id: str) -> bytes:
        time.sleep(0.2)
        return read(store, capture_id)

    for number in (RIGHT_DOOR, RIGHT_DOOR, CHANGES_MIND, CHANGES_MIND):
        receive(live.demo_office.photo(number))
    monkeypatch.setattr(Store, "photo", read_slowly)
    monkeypatch.setattr(asking, "WITHIN_S", 0.7)

    assert len(images(live.browser(FOURTH).get("/orders").text)) == 4


def test_the_reference_and_the_originals_digest_are_the_same_on_every_page_that_shows_it(
    live: Live,
) -> None:
    """The digest is that of photo.jpg in the signed record.json, and not that of the copy."""
    original = PICTURE[:2] + b"\xff\xfe\x00\x08 52.5N" + PICTURE[2:]
    digest = hashlib.sha256(original).hexdigest()
    said: dict[str, Any] = {"picture": original, "photo": {"sha256": digest}}
    bound = live.demo_office.receive(live.demo_office.photo(ALLOWED, **said))
    waiting = live.demo_office.receive(live.demo_office.stray(**said))

    pages = {
        bound: [live.browser(OWNER).get(f"/orders/{ALLOWED}").text],
        waiting: [live.browser(ANA).get(f"/dispatch/{waiting}").text],
    }
    pages[bound].append(verified(live).get(f"/service/{ALLOWED}").text)

    assert live.demo_office.office.store.record(bound)["photo"]["sha256"] == digest
    for capture_id, texts in pages.items():
        for text in texts:
            assert f"<code>{capture_id}</code>" in text
            assert f"<code>{digest}</code>" in text
            assert "The original is kept unaltered for 30 days" in text
            assert "quote this reference" in text


def test_the_picture_is_the_copy_without_place_and_device(live: Live) -> None:
    """Beside it the customer reads how the place is known, to ten metres."""
    exif = b"Exif\0\0MM\0*\0\0\0\x08 serial 1234, 52.5 N"
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    demo_office = live.demo_office
    said = {
        "stop": {"id": demo_office.office.orders.find(ALLOWED).stop_id, "bound_by": "place"},
        "position": {"accuracy_m": 9.5},
        "picture": PICTURE[:2] + segment + PICTURE[2:],
    }
    demo_office.receive(demo_office.photo(ALLOWED, **said))
    browser = live.browser(OWNER)

    page = browser.get("/orders").text
    (image,) = images(page)
    picture = browser.get(image)

    assert "The place is known by satellite to about 10 m." in page
    assert (picture.headers["Content-Type"], picture.content) == ("image/jpeg", PICTURE)


def test_a_customer_who_does_not_see_the_photo_hears_what_is_known_of_it(live: Live) -> None:
    stop_id = live.demo_office.office.orders.find(ALLOWED).stop_id
    by_place = {"stop": {"id": stop_id, "bound_by": "place"}, "position": {"accuracy_m": 9.5}}
    by_code = {"stop": {"id": stop_id, "bound_by": "code", "ring": "inside"}, "simulated": False}
    live.demo_office.receive(live.demo_office.photo(ALLOWED, **by_place))
    made = live.demo_office.van.make(RecordKind.PHOTO, by_code, PICTURE, clock="unsynced")
    live.demo_office.receive(made)

    said = re.findall(r'alt="([^"]*)"', live.browser(OWNER).get(f"/orders/{ALLOWED}").text)

    waiting = live.demo_office.receive(live.demo_office.stray())
    live.demo_office.bind(waiting, LEFT_DOOR)
    page = live.browser(THIRD).get(f"/orders/{LEFT_DOOR}").text

    assert 'Our dispatch assigned this photo to your order. No parcel label was read."' in page
    placed, read = said
    assert placed == (
        "Delivery photo of order 1001. Left on 1 December 2026, 09:15\N{NO-BREAK SPACE}UTC. "
        "The place is known by satellite to about 10 m. No parcel label was read."
    )
    assert read == (
        "Delivery photo of order 1001. When it was left is not known. "
        "The label of the parcel was read before the photo was taken."
    )


def test_the_customer_reads_that_a_code_did_not_fit(live: Live) -> None:
    agent = live.browser(AGENT)

    statuses = [
        agent.send("/service", number=ALLOWED, code="wrong", why="where").status_code
        for _ in range(11)
    ]

    assert statuses == [403] * 10 + [429]
    page = live.browser(OWNER).get(f"/orders/{ALLOWED}").text
    assert page.count("agent 17") == page.count("a code that does not fit") == 10


def test_broken_picture_is_replaced_by_a_sentence(live: Live) -> None:
    """The record has its receipt, since the device did its part and no other photo will come."""
    bomb = PICTURE.replace((48).to_bytes(2) + (64).to_bytes(2), b"\xff\xdc\xff\xdc", 1)
    demo_office = live.demo_office
    for picture in (bomb, b"no picture"):
        demo_office.receive(demo_office.photo(ALLOWED, picture=picture))
    waiting = demo_office.receive(demo_office.stray("unassigned", picture=bomb))

    pages = [
        live.browser(OWNER).get("/orders").text,
        live.browser(OWNER).get(f"/orders/{ALLOWED}").text,
        verified(live).get(f"/service/{ALLOWED}").text,
        live.browser(ANA).get(f"/dispatch/{waiting}").text,
    ]

    assert [images(page) for page in pages] == [[]] * 4
    assert [page.count("This photo cannot be shown") for page in pages] == [2, 2, 2, 1]
    assert demo_office.is_done(ALLOWED)


@pytest.mark.parametrize(
    ("customer", "number"), [(OWNER, SIGNATURE), (SECOND, CONFIDENTIAL), (THIRD, GIFT)]
)
def test_an_order_without_a_photo_reads_the_same_whatever_the_reason(
    live: Live, customer: Customer, number: str
) -> None:
    """The measure is an order that may be photographed and is still on the road."""
    page = live.browser(customer).get(f"/orders/{number}").text
    on_the_road = live.browser(FOURTH).get(f"/orders/{RIGHT_DOOR}").text
    to_service = verified(live, number).get(f"/service/{number}").text
    of_the_other = verified(live, RIGHT_DOOR).get(f"/service/{RIGHT_DOOR}").text

    assert "<p>Not delivered yet.</p>" in page
    assert without(number, page) == without(RIGHT_DOOR, on_the_road)
    assert "<p>Not delivered yet.</p>" in to_service
    assert without(number, to_service) == without(RIGHT_DOOR, of_the_other)


def press(live: Live, number: str, reason: str, **label: Any) -> None:
    """Receive a press without a photo, by the label of an order in reach."""
    stop = {"id": live.demo_office.office.orders.find(number).stop_id}
    record = {"stop": stop | {"bound_by": "code", "ring": "inside"}, "reason": reason}
    made = live.demo_office.van.make(RecordKind.NO_PHOTO, record | {"simulated": False}, **label)
    live.demo_office.receive(made)


def test_the_customer_reads_how_and_when_an_order_was_delivered(live: Live) -> None:
    """Times are in the address's zone; a press of unknown time has the day of its receipt."""
    live.demo_office.receive(live.demo_office.photo(ALLOWED))
    press(live, SIGNATURE, "handed_over", utc="2026-12-01T10:00:00.000Z")
    press(live, RIGHT_DOOR, "handed_over", clock="unsynced")

    pages = [
        live.browser(OWNER).get("/orders").text,
        live.browser(OWNER).get(f"/orders/{SIGNATURE}").text,
        verified(live, SIGNATURE).get(f"/service/{SIGNATURE}").text,
    ]

    handed_over = "<p>Handed over on 1 December 2026 at 10:00\N{NO-BREAK SPACE}UTC.</p>"
    assert [handed_over in page for page in pages] == [True] * 3
    assert "<p>Delivered on 1 December 2026 at 09:15\N{NO-BREAK SPACE}UTC.</p>" in pages[0]
    fourth = live.browser(FOURTH).get("/orders").text
    assert "<p>Handed over, on 1 December 2026 at the latest.</p>" in fourth
    assert "<p>Not delivered yet.</p>" in fourth


def test_an_order_that_takes_no_photo_reads_the_day_alone_in_the_same_bytes(live: Live) -> None:
    """A refused label, a hand-over, a dispatcher's word or an erased photo may prove it."""
    office = live.demo_office.office
    press(live, CONFIDENTIAL, "no_photo_stop")
    press(live, GIFT, "handed_over")
    office.filing.outcomes.mark_delivered(OPTED_OUT, "dispatch ana", NOON)
    live.demo_office.receive(live.demo_office.photo(CHANGES_MIND))
    office.opt_out_order(CHANGES_MIND, True)
    who = {CONFIDENTIAL: SECOND, GIFT: THIRD, OPTED_OUT: SECOND, CHANGES_MIND: FOURTH}

    pages = {one: live.browser(owner).get(f"/orders/{one}").text for one, owner in who.items()}
    cards = {without(one, page.split("</section>")[0]) for one, page in pages.items()}
    listed = {
        without(one, card)
        for one, owner in who.items()
        for card in live.browser(owner).get("/orders").text.split("<article")
        if f"/orders/{one}" in card
    }
    served = {
        without(one, verified(live, one).get(f"/service/{one}").text.partition("<main")[2])
        for one in who
    }

    assert without(CONFIDENTIAL, pages[CONFIDENTIAL]) == without(GIFT, pages[GIFT])
    assert [len(one) for one in (cards, {one.split("</article>")[0] for one in listed})] == [1, 1]
    assert len(served) == 1
    for text in (*cards, *listed, *served):
        assert "<p>Delivered on 1 December 2026.</p>" in text
        assert not re.search(r"\d\d:\d\d|anded|label", text)


def test_a_confidential_order_shows_neither_photo_nor_place(live: Live) -> None:
    """A photo that a device sent nevertheless is erased once it has arrived."""
    live.demo_office.receive(live.demo_office.photo(CONFIDENTIAL, position={"accuracy_m": 9.5}))
    browser = live.browser(SECOND)

    pages = [
        browser.get(path).text
        for path in ("/orders", f"/orders/{CONFIDENTIAL}", "/delivery-photos")
    ]

    for page in pages:
        assert images(page) == []
        assert "3 Example Street" not in page
        assert "satellite" not in page
    assert "An address that we do not show" in pages[2]


def test_no_photo_for_an_order_changes_the_next_manifest_and_deletes_the_photo(live: Live) -> None:
    capture_id = live.demo_office.receive(live.demo_office.photo(CHANGES_MIND))
    browser = live.browser(FOURTH)
    (image,) = images(browser.get(f"/orders/{CHANGES_MIND}").text)
    assert live.demo_office.rule(CHANGES_MIND) == "allowed"

    answer = browser.send(f"/orders/{CHANGES_MIND}/delivery-photos", photos="off")

    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        f"/pages/orders/{CHANGES_MIND}",
    )
    assert live.demo_office.rule(CHANGES_MIND) == "no_photo"
    assert live.demo_office.kept(capture_id) == (False, False)
    assert browser.get(image).status_code == 404
    assert "Off for this order" in browser.get(f"/orders/{CHANGES_MIND}").text

    browser.send(f"/orders/{CHANGES_MIND}/delivery-photos", photos="on")
    assert live.demo_office.rule(CHANGES_MIND) == "allowed"


def test_pages_promise_no_deleting_while_a_case_is_open(live: Live) -> None:
    """Wherever a page says "deleted at once", it also says what an open case changes."""
    capture_id = live.demo_office.receive(live.demo_office.photo(CHANGES_MIND))
    live.demo_office.office.erasure.hold(CHANGES_MIND, "CASE-7", NOON)
    browser = live.browser(FOURTH)
    order = f"/orders/{CHANGES_MIND}"
    pages = [order, f"{order}/delivery-photos", "/delivery-photos", "/what-is-kept"]

    for page in pages:
        promised = browser.get(page).text.partition("deleted at once")[2].partition("</section>")[0]
        assert "open case" in promised, page
    browser.send(f"/orders/{CHANGES_MIND}/delivery-photos", photos="off")

    assert live.demo_office.kept(capture_id) == (True, True)
    assert images(browser.get(f"/orders/{CHANGES_MIND}").text) == []


def test_no_photo_for_an_address_concerns_all_that_goes_there(live: Live) -> None:
    browser = live.browser(FOURTH)

    browser.send("/addresses/a-7/delivery-photos", photos="off")

    assert live.demo_office.rule(CHANGES_MIND) == live.demo_office.rule(RIGHT_DOOR) == "no_photo"
    assert live.demo_office.rule(ALLOWED) == "allowed"
    assert "Off for all that goes to this address" in browser.get(f"/orders/{RIGHT_DOOR}").text
    browser.send("/addresses/a-7/delivery-photos", photos="on")
    assert live.demo_office.rule(RIGHT_DOOR) == "allowed"


def test_an_opt_out_first_names_each_photo_that_it_deletes(live: Live) -> None:
    """An order names its own photos, and an address those of all orders that go there."""
    receive, photo = live.demo_office.receive, live.demo_office.photo
    ids = [receive(photo(number)) for number in (CHANGES_MIND, RIGHT_DOOR)]
    receive(photo(ALLOWED))
    browser = live.browser(FOURTH)
    confirmations = {
        f"/orders/{CHANGES_MIND}/delivery-photos": [CHANGES_MIND],
        "/addresses/a-7/delivery-photos": [CHANGES_MIND, RIGHT_DOOR],
    }

    for path, numbers in confirmations.items():
        page = browser.get(path).text
        assert sorted(re.findall("<li>Order ([0-9]+): left on <time", page)) == sorted(numbers)
        assert "The evidence goes with them" in page
        assert "Deleted photos stay deleted." in page

    assert live.demo_office.rule(CHANGES_MIND) == live.demo_office.rule(RIGHT_DOOR) == "allowed"
    assert [live.demo_office.kept(one) for one in ids] == [(True, True)] * 2
    assert browser.confirm("/addresses/a-7/delivery-photos").status_code == 303
    assert [live.demo_office.kept(one) for one in ids] == [(False, False)] * 2
    for path in confirmations:
        assert browser.get(path).status_code == 303


@pytest.mark.parametrize("photos", ["", "OFF", "yes"])
def test_invalid_choice_leaves_the_photo_rule(unchanged: Live, photos: str) -> None:
    answer = unchanged.browser(OWNER).send(f"/orders/{ALLOWED}/delivery-photos", photos=photos)

    assert answer.status_code == 400
    assert unchanged.demo_office.rule(ALLOWED) == "allowed"


def test_a_photos_address_opens_in_its_own_session_and_for_five_minutes(live: Live) -> None:
    live.demo_office.receive(live.demo_office.photo(ALLOWED))
    browser, second_phone = live.browser(OWNER), live.browser(OWNER)
    (image,) = images(browser.get("/orders").text)
    altered = [
        image[:-1] + ("0" if image[-1] != "0" else "1"),
        image + "0",
        image + "ä",
        "/photos/x",
    ]

    opened = browser.get(image)
    assert (opened.status_code, opened.headers["Cache-Control"]) == (200, "no-store")
    assert second_phone.get(image).status_code == 404
    assert [browser.get(one).status_code for one in altered] == [404] * 4

    live.clock.now = NOON + 5 * MINUTE
    assert browser.get(image).status_code == 404


def test_customer_service_sees_a_photo_with_the_code_and_the_customer_reads_who_and_why(
    live: Live,
) -> None:
    live.demo_office.receive(live.demo_office.photo(ALLOWED))
    customer, agent = live.browser(OWNER), live.browser(AGENT)
    shown = re.search(r'class="code">(\d{3} \d{3})<', customer.send(f"/orders/{ALLOWED}/code").text)
    assert shown is not None

    answer = agent.send("/service", number=f" {ALLOWED} ", code=shown[1], why="missing")

    assert answer.headers["Location"] == f"/pages/service/{ALLOWED}"
    given = "Gave your code, which shows the photos for 15 minutes. Reason: The parcel is missing."
    assert given in customer.get(f"/orders/{ALLOWED}").text
    (image,) = images(agent.get(f"/service/{ALLOWED}").text)
    assert agent.get(image).content == PICTURE
    page = customer.get(f"/orders/{ALLOWED}").text
    assert re.search(
        r"<b>Customer service, agent 17</b>.*1 December 2026, 12:00\sUTC.*The parcel is missing\.",
        page,
        re.DOTALL,
    )


def test_every_look_is_written_down_also_the_customers_own(live: Live) -> None:
    live.demo_office.receive(live.demo_office.photo(ALLOWED))
    customer, agent = live.browser(OWNER), verified(live)
    (own,) = images(customer.get("/orders").text)
    (agents,) = images(agent.get(f"/service/{ALLOWED}").text)

    for browser, image in ((customer, own), (agent, agents), (agent, agents)):
        browser.get(image)
    live.browser(SECOND).get(own)

    views = live.demo_office.office.access.views_of(ALLOWED)
    assert [view.viewer for view in views] == ["agent 17", "customer", "agent 17", "agent 17"]


@pytest.mark.parametrize("number", [ALLOWED, "9999"])
def test_a_wrong_code_opens_nothing_and_does_not_tell_whether_there_is_such_an_order(
    unchanged: Live, number: str
) -> None:
    answer = unchanged.browser(AGENT).send("/service", number=number, code="12345", why="where")

    assert answer.status_code == 403
    assert "Order and code do not fit" in answer.text


def test_a_reason_is_one_that_the_customer_can_read(live: Live) -> None:
    agent = live.browser(AGENT)
    code = live.demo_office.office.access.make_one_time_code(ALLOWED, NOON)

    for why in ("", "curious", "<b>"):
        assert agent.send("/service", number=ALLOWED, code=code, why=why).status_code == 400

    assert agent.send("/service", number=ALLOWED, code=code, why="other").status_code == 303


def test_dispatch_binds_a_photo_and_then_sees_it_no_more(live: Live) -> None:
    stray = live.demo_office.receive(live.demo_office.stray())
    customer, dispatch = live.browser(THIRD), live.browser(ANA)
    assert images(customer.get(f"/orders/{LEFT_DOOR}").text) == []
    (image,) = images(dispatch.get(f"/dispatch/{stray}").text)
    assert "More than one door was in reach." in dispatch.get("/dispatch").text

    answer = dispatch.send(f"/dispatch/{stray}/bind", number=LEFT_DOOR)

    assert answer.headers["Location"] == "/pages/dispatch"
    page = customer.get(f"/orders/{LEFT_DOOR}").text
    assert len(images(page)) == 1
    assert "Our dispatch assigned this photo to your order." in page
    assert dispatch.get(image).status_code == dispatch.get(f"/dispatch/{stray}").status_code == 404


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (f"bind?number={LEFT_DOOR}", ["order 1006, 6 Example Street", "Yes: a correction"]),
        ("discard", ["erased at once", "No. Nobody can bring the photo back."]),
    ],
)
def test_dispatch_confirms_once_and_reads_afterwards_that_it_is_done(
    live: Live, what: str, said: list[str]
) -> None:
    """Looking at the confirmation changes nothing, and it shows no picture."""
    stray = live.demo_office.receive(live.demo_office.stray())
    browser, path = live.browser(ANA), f"/dispatch/{stray}/{what}"

    page = browser.get(path).text

    assert [one in page for one in ["device van-7", *said]] == [True] * 3
    assert images(page) == []
    assert f'href="/pages/dispatch/{stray}"' in page
    assert [one.capture_id for one in live.demo_office.office.filing.waiting()] == [stray]
    assert browser.confirm(path).headers["Location"] == "/pages/dispatch"
    assert live.demo_office.office.filing.waiting() == []
    for status, gone in ((409, path), (404, f"/dispatch/{stray}")):
        answer = browser.get(gone)
        assert answer.status_code == status
        assert dispatch.NOT_WAITING in answer.text


@pytest.mark.parametrize("what", ["bind", "discard"])
def test_dispatch_reads_why_nothing_is_changed_if_another_one_was_first(
    live: Live, what: str
) -> None:
    stray = live.demo_office.receive(live.demo_office.stray())
    first, second = live.browser(ANA), live.browser(ANA)
    first.send(f"/dispatch/{stray}/bind", number=LEFT_DOOR)

    answer = second.send(f"/dispatch/{stray}/{what}", number=RIGHT_DOOR)

    assert answer.status_code == 409
    said = f"{dispatch.NOT_WAITING} Decided by dispatch ana, 1 December 2026, 12:00"
    assert said in answer.text
    assert live.demo_office.shown(LEFT_DOOR) == [stray]


def test_dispatch_reads_which_photo_moves_along_with_a_retake(live: Live) -> None:
    """The retaken photo moves with the retake, but is never deleted with it: nobody has seen it."""
    (photo,) = live.demo_office.deliver(LEFT_DOOR)
    retake = live.demo_office.receive(live.demo_office.stray(retake_of=photo))
    browser, page = live.browser(ANA), f"/dispatch/{retake}"

    asked = browser.get(f"{page}/discard"), browser.send(f"{page}/discard")
    along = [browser.get(f"{page}/bind?number={to}").text for to in (LEFT_DOOR, RIGHT_DOOR)]

    assert [one.status_code for one in asked] == [409, 409]
    assert dispatch.NOT_ALONE in asked[0].text
    moves = f"moves with it, from order {LEFT_DOOR}."
    assert [moves in one for one in along] == [False, True]
    assert live.demo_office.shown(LEFT_DOOR) == [photo]


@pytest.mark.parametrize("number", [CONFIDENTIAL, GIFT, OPTED_OUT, "2001", "9999", ""])
def test_dispatch_binds_only_to_an_order_of_the_route_that_takes_photos(
    live: Live, number: str
) -> None:
    live.demo_office.office.orders.add(Order("2001", "c-1", "a-1", "s-elsewhere", (), 52.5, 13.4))
    stray = live.demo_office.receive(live.demo_office.stray())
    dispatch = live.browser(ANA)

    asked = dispatch.get(f"/dispatch/{stray}/bind?number={number}")
    answer = dispatch.send(f"/dispatch/{stray}/bind", number=number)

    assert asked.status_code == answer.status_code == 409
    assert live.demo_office.office.filing.of_order(number) == []
    assert f'bind?number={number}"' not in dispatch.get(f"/dispatch/{stray}").text


def test_dispatch_deletes_a_photo_that_is_of_no_order(live: Live) -> None:
    stray = live.demo_office.receive(live.demo_office.stray("unassigned"))
    dispatch = live.browser(ANA)

    dispatch.send(f"/dispatch/{stray}/discard")

    assert live.demo_office.kept(stray) == (False, False)
    assert "No photo waits for an order." in dispatch.get("/dispatch").text


def test_dispatch_reads_quality_flags_and_what_was_taken_back_without_the_pictures(
    live: Live,
) -> None:
    live.demo_office.receive(live.demo_office.photo(ALLOWED, quality={"verdict": "covered"}))
    taken = live.demo_office.receive(live.demo_office.photo(RIGHT_DOOR))
    live.demo_office.receive(live.demo_office.void(taken))

    page = live.browser(ANA).get("/dispatch").text

    assert images(page) == []
    assert f"Lens covered</b> <span>Order {ALLOWED}, device van-7" in page
    assert f"Order {RIGHT_DOOR}</b>" in page
    assert images(live.browser(FOURTH).get("/orders").text) == []


def test_page_on_retention_has_the_configured_times(tmp_path: Path) -> None:
    """The page has each time of the table, and no other number of days."""
    odd = {one.name: 40 + place for place, one in enumerate(fields(Retention))}
    settings = "\n".join(f"{name} = {days}" for name, days in odd.items())
    (tmp_path / "backend.toml").write_text(f"[retention]\n{settings}\n")

    with live_pages(tmp_path) as live:
        page = live.browser().get("/what-is-kept").text

    assert sorted(int(days) for days in re.findall(r"(\d+) days?\b", page)) == sorted(odd.values())


def test_simulated_photos_are_seen_by_nobody_unless_the_backend_was_told_to(live: Live) -> None:
    bound = live.demo_office.receive(live.demo_office.photo(ALLOWED, simulated=True))
    stray = live.demo_office.receive(live.demo_office.stray(simulated=True))
    seen: list[tuple[Viewer, str]] = [(OWNER, bound), (ANA, stray)]

    for viewer, capture_id in seen:
        browser = live.browser(viewer)
        own = live.site.sessions.photo_address(browser.cookie, capture_id, NOON)
        assert browser.get(f"/photos/{own}").status_code == 404
    assert images(live.browser(OWNER).get("/orders").text) == []
    assert live.browser(ANA).get(f"/dispatch/{stray}").status_code == 404
    assert "Demonstration" not in live.browser(OWNER).get("/orders").text


def test_simulated_photos_stand_under_a_banner_on_every_page(tmp_path: Path) -> None:
    with live_pages(tmp_path, show_simulated=True) as live:
        live.demo_office.receive(live.demo_office.photo(ALLOWED, simulated=True))
        stray = live.demo_office.receive(live.demo_office.stray(simulated=True))
        pages = [
            (live.browser(), ["/sign-in", "/what-is-kept"]),
            (live.browser(OWNER), ["/orders", f"/orders/{ALLOWED}", "/delivery-photos", "/none"]),
            (verified(live), ["/service", f"/service/{ALLOWED}"]),
            (live.browser(ANA), ["/dispatch", f"/dispatch/{stray}"]),
        ]

        for browser, paths in pages:
            for path in paths:
                assert "Demonstration: photos are simulated" in browser.get(path).text
        assert "Simulated photo" in live.browser(OWNER).get("/orders").text


def test_typed_order_number_is_shown_as_text(live: Live) -> None:
    text = live.browser(AGENT).send("/service", number='"><script>', code="1", why="where").text

    assert "<script" not in text
    assert "&#34;&gt;&lt;script&gt;" in text


def test_an_order_number_with_odd_characters_opens_like_any_other(live: Live) -> None:
    live.demo_office.office.orders.add(Order("1 ä?#&", "c-1", "a-1", "s-odd", (), 52.5, 13.4))
    browser = live.browser(OWNER)
    (path,) = set(re.findall(r'href="/pages(/orders/1%20[^"]*)"', browser.get("/orders").text))

    assert "Order 1 ä?#&amp;" in browser.get(path).text
    assert browser.send(f"{path}/delivery-photos", photos="off").status_code == 303
    assert live.demo_office.office.orders.find("1 ä?#&").opted_out


def test_the_demos_accounts_can_sign_in(live: Live) -> None:
    homes = {"customer": "/pages/orders", "agent": "/pages/service", "dispatch": "/pages/dispatch"}
    for account in ACCOUNTS:
        browser = live.browser()
        browser.get("/sign-in")

        answer = browser.send("/sign-in", who=account.who, password=account.password)

        assert answer.headers["Location"] == homes[account.role]
        assert browser.get(answer.headers["Location"].removeprefix("/pages")).status_code == 200


@pytest.fixture
def much(live: Live, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Fill every list of dispatch beyond its length, and return the ids of what waits."""
    monkeypatch.setattr(showing, "LISTED", 2)
    demo_office, rescues = live.demo_office, Rescues(live.demo_office.office.store)
    blurred = {"quality": {"verdict": "blurred"}}
    waiting: list[str] = [
        demo_office.receive(demo_office.stray(), f"2026-12-01T11:0{n}:00.000Z") for n in range(3)
    ]
    for _ in range(3):
        demo_office.receive(demo_office.void(demo_office.receive(demo_office.photo(ALLOWED))))
        demo_office.receive(demo_office.photo(LEFT_DOOR, **blurred))
    revoked = RecordMaker("van-0043")
    for _ in range(3):
        said = {"simulated": False, "quality": {"verdict": "ok"}}
        demo_office.receive(revoked.make(RecordKind.PHOTO, said, PICTURE))
    demo_office.office.revoked_keys.add(
        signing.thumbprint(revoked.key.public_key()), "van-0043", EVER
    )
    for capture_id, technician in zip(waiting, ("ada", "bob", "eve"), strict=True):
        rescues.mark(capture_id, technician)
    return waiting


def test_dispatchs_lists_are_short_and_say_how_many_more_there_are(
    live: Live, much: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lists are counted up to a limit, and no further."""
    page = live.browser(ANA).get("/dispatch").text

    assert page.count("and 1 more") == 4
    assert [one in page for one in much] == [True, True, False]
    assert re.findall("Rescued by ([a-z]+)", page) == ["ada", "bob"]
    assert page.count("Key revoked") == 2
    for where in (showing, dispatch):
        monkeypatch.setattr(where, "COUNTED", 2)
    page = live.browser(ANA).get("/dispatch").text
    assert page.count("There are more than 2. These are the oldest 2.") == 3
    assert page.count("There are more than 2. These are the latest 2.") == 1
    assert " more</p>" not in page


def test_the_customer_reads_that_dispatch_looked_and_not_who(live: Live) -> None:
    stray = live.demo_office.receive(live.demo_office.stray())
    ana = live.browser(ANA)
    (image,) = images(ana.get(f"/dispatch/{stray}").text)
    assert ana.get(image).status_code == 200
    live.demo_office.office.access.log(ANA, live.demo_office.deliver(ALLOWED)[0], "why", NOON)

    page = live.browser(OWNER).get(f"/orders/{ALLOWED}").text

    assert "<b>Dispatch</b>" in page
    assert "ana" not in re.sub("<[^>]*>", "", page).split("Who looked")[1]
    (look,) = live.demo_office.office.access.views_of_record(stray)
    assert look.viewer == "dispatch ana"
