"""The pages in a real Chromium at phone size: what people do there, and how it looks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import pytest
from playwright.sync_api import Page, expect

from agent.capture import jpeg
from agent.models import CaptureId
from doorstep_backend.office.access import CustomerService
from doorstep_backend.office.demo import (
    ALLOWED,
    CHANGES_MIND,
    CONFIDENTIAL,
    GIFT,
    LEFT_DOOR,
    RIGHT_DOOR,
    SIGNATURE,
)
from doorstep_backend.office.outcomes import How, Outcome
from doorstep_backend.pages.dispatch import NOT_WAITING
from hardware.simulated.scenes import Scene, render
from tests.backend.office.test_refusals import refuse
from tests.backend.pages import pseudo
from tests.backend.pages.fleet_samples import REFUSED, settle
from tests.backend.pages.test_hand_overs import hand_over
from tests.backend.pages.walk import DESK_PX, NARROWEST_PX, PASSWORDS, PHONE, Walk
from tests.support import axe
from tests.support.demo_office import NOON
from tests.support.factory import MOMENT
from tests.support.live_pages import Live, live_pages

pytestmark = pytest.mark.slow

SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
"""Colours that a person can prefer."""

WIDTHS_PX: Final = (NARROWEST_PX, 768, 1024, 1440)
"""Widths of a small phone, a tablet, the narrowest desk of style.css, and a usual desk."""


@pytest.fixture
def delivered(tmp_path: Path) -> Iterator[Live]:
    """Run a backend over a round that is done, with photos of a simulated camera."""
    (tmp_path / "pseudo").mkdir()
    spoken = pseudo.languages(tmp_path / "pseudo")
    with live_pages(tmp_path / "backend", show_simulated=True, languages=spoken) as live:
        orders = live.demo_office.office.orders
        at_place = {"id": orders.find(ALLOWED).stop_id, "bound_by": "place"}
        position = {"lat_deg": 52.5163, "lon_deg": 13.3777, "accuracy_m": 6.0}
        _leave(live, ALLOWED, 3, stop=at_place, position=position)
        _leave(live, RIGHT_DOOR, 4)
        _leave(live, CHANGES_MIND, 5, quality={"verdict": "covered"}, cover=0.6)
        at_either = {"id": orders.find(LEFT_DOOR).stop_id, "bound_by": "ambiguous"}
        door = {"lat_deg": 52.5263, "lon_deg": 13.3777, "accuracy_m": 12.0}
        _leave(live, LEFT_DOOR, 8, stop=at_either, position=door)
        live.demo_office.receive(live.demo_office.void(_leave(live, ALLOWED, 7)))
        yield live


def _leave(live: Live, number: str, seed: int, cover: float = 0.0, **said: object) -> CaptureId:
    scene = Scene(seed=seed, width_px=1152, height_px=648, cover=cover)
    picture = jpeg.encode(render(scene), 85)
    made = live.demo_office.photo(number, picture=picture, simulated=True, **said)
    return live.demo_office.receive(made)


@pytest.fixture
def walk(phone: Page, delivered: Live, screenshots: Path) -> Walk:
    return Walk(phone, f"{delivered.url}/pages", screenshots)


def test_each_page_fits_a_phone(walk: Walk, delivered: Live) -> None:
    demo_office = delivered.demo_office
    (stray,) = demo_office.office.filing.waiting()
    demo_office.office.access.log(
        CustomerService("17"), demo_office.shown(ALLOWED)[0], "Where is it?", NOON
    )
    walk.page.goto(f"{walk.url}/")
    walk.look("1-sign-in")
    for who, paths in {
        "c-2": (f"orders/{CONFIDENTIAL}", "what-is-kept"),
        "c-4": ("orders", f"orders/{RIGHT_DOOR}", "delivery-photos"),
        "ana": ("dispatch", f"dispatch/{stray.capture_id}"),
        "c-1": (f"orders/{ALLOWED}", "not-there", "orders"),
    }.items():
        walk.sign_in(who)
        for path in paths:
            walk.page.goto(f"{walk.url}/{path}")
            walk.look(f"2-{who}-{path.replace('/', '-')}")
        walk.tap("Sign out")
    walk.page.emulate_media(color_scheme="dark")
    walk.sign_in("c-1")
    walk.look("17-your-orders-dark")


def test_a_confirmation_is_accessible_from_a_phone_to_a_desk(walk: Walk, delivered: Live) -> None:
    """axe finds nothing at any width, light or dark."""
    (stray,) = delivered.demo_office.office.filing.waiting()
    photo = f"dispatch/{stray.capture_id}"
    for who, paths in {
        "c-4": (f"orders/{CHANGES_MIND}/delivery-photos", "addresses/a-7/delivery-photos"),
        "ana": (f"{photo}/bind?number={LEFT_DOOR}", f"{photo}/discard"),
    }.items():
        walk.sign_in(who)
        for path in paths:
            walk.page.goto(f"{walk.url}/{path}")
            for width_px in (NARROWEST_PX, DESK_PX):
                walk.page.set_viewport_size({"width": width_px, "height": PHONE["height"]})
                for scheme in SCHEMES:
                    walk.page.emulate_media(color_scheme=scheme)
                    assert axe.findings(walk.page) == [], (path, width_px, scheme)
        walk.tap("Sign out")


def test_long_words_of_another_language_fit_a_phone(walk: Walk, delivered: Live) -> None:
    """The pages are the code and those that a customer opens in `test_each_page_fits_a_phone`."""
    report = f"orders/{ALLOWED}/report?record={delivered.demo_office.shown(ALLOWED)[0]}&what="
    walk.page.goto(f"{walk.url}/sign-in")
    walk.follow("Deutsch")
    walk.look("20-sign-in-pseudo")
    walk.page.get_by_label(pseudo.pseudo("Account")).fill("c-1")
    walk.page.get_by_label(pseudo.pseudo("Password")).fill(PASSWORDS["c-1"])
    walk.tap(pseudo.pseudo("Sign in"))
    opt_outs = (f"orders/{ALLOWED}/delivery-photos", "addresses/a-1/delivery-photos")
    paths = ("orders", f"orders/{ALLOWED}", "delivery-photos", "what-is-kept", "not-there")
    for path in (*paths, *opt_outs, f"{report}not_my_door", f"{report}cannot_find"):
        walk.page.goto(f"{walk.url}/{path}")
        walk.look(f"21-{path.partition('?record')[0].replace('/', '-')}{path[-5:]}-pseudo")
    walk.page.goto(f"{walk.url}/orders/{ALLOWED}")
    walk.page.get_by_text(pseudo.pseudo("For a dispute")).tap()
    walk.look("22-for-a-dispute-pseudo")
    walk.tap(pseudo.pseudo("Show a code"))
    walk.look("23-code-pseudo")


def test_a_customer_signs_in_sees_the_photo_and_opts_out(walk: Walk, delivered: Live) -> None:
    walk.sign_in("c-4")
    expect(walk.page.get_by_role("img")).to_have_count(2)
    walk.follow(f"Order {CHANGES_MIND}")
    walk.page.get_by_text("For a dispute").tap()
    expect(walk.page.get_by_text("quote this reference")).to_be_visible()
    walk.look("3-order-for-a-dispute")

    walk.follow("Don’t take delivery photos")
    walk.look("4-confirm-without-photos")
    assert delivered.demo_office.rule(CHANGES_MIND) == "allowed"
    walk.tap("Yes, take no delivery photos")

    walk.shows("Off for this order, as you asked.")
    walk.look("4-order-without-photos")
    assert delivered.demo_office.rule(CHANGES_MIND) == "no_photo"
    walk.page.go_back()
    walk.shows("Off for this order, as you asked.")
    walk.tap("Sign out")
    walk.page.go_back()
    expect(walk.page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_customer_reads_that_an_agent_with_the_code_looked(walk: Walk) -> None:
    walk.sign_in("c-1")
    walk.follow(f"Order {ALLOWED}")
    walk.tap("Show a code")
    code = walk.page.locator(".code").inner_text()
    walk.look("6-code")
    walk.tap("Sign out")
    walk.sign_in("17")
    walk.look("7-service")

    walk.page.get_by_label("Order number").fill(ALLOWED)
    for told in ("000000", code):
        walk.page.get_by_label("Code that the customer tells you").fill(told)
        walk.page.get_by_label("Why do you look?").select_option("where")
        walk.tap("Open for 15 minutes")
        walk.look(f"8-service-{'order' if told == code else 'wrong-code'}")

    expect(walk.page.get_by_role("img")).to_have_count(1)
    walk.tap("Sign out")
    walk.sign_in("c-1")
    walk.follow(f"Order {ALLOWED}")
    walk.shows("Customer service, agent 17")


def test_dispatch_gives_a_photo_its_order(walk: Walk) -> None:
    walk.sign_in("ana")
    walk.follow("Look and decide")

    walk.follow("Delete this photo")
    walk.look("13-confirm-discard")
    walk.follow("Go back and change nothing")
    walk.follow(f"It is this: order {LEFT_DOOR}")
    walk.look("13-confirm-bind")
    walk.tap(f"Yes, it is order {LEFT_DOOR}")

    walk.shows("No photo waits for an order.")
    walk.look("13-dispatch-done")


def test_dispatch_says_what_no_photo_proves(walk: Walk, delivered: Live) -> None:
    hand_over(delivered, simulated=True, bound_by="ambiguous")
    walk.sign_in("ana")
    walk.follow("Pressed on 1 December 2026, 09:15\N{NO-BREAK SPACE}UTC")
    walk.look("14-hand-over")
    walk.follow(f"It is this: order {SIGNATURE}")
    walk.look("14-hand-over-confirm")
    walk.tap(f"Yes, it is order {SIGNATURE}")
    walk.follow("Say that an order was delivered")
    walk.page.get_by_label("Order number").fill(GIFT)
    walk.tap("Go on")
    walk.look("14-delivered-confirm")
    walk.tap("Yes, it was delivered")

    walk.shows(f"Order {GIFT} now reads: Delivered on 1 December 2026.")
    outcomes = delivered.demo_office.office.filing.outcomes
    assert (outcomes.of(SIGNATURE), outcomes.of(GIFT)) == (
        Outcome(How.HANDED_OVER, MOMENT),
        Outcome(How.DISPATCH, NOON),
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (f"It is this: order {LEFT_DOOR}", f"Yes, it is order {LEFT_DOOR}"),
        ("Delete this photo", "Yes, delete this photo"),
    ],
)
def test_dispatch_goes_back_after_a_decision_and_reads_that_it_is_made(
    walk: Walk, first: str, second: str
) -> None:
    """A click in a second tab, whose page is as old, changes nothing."""
    walk.sign_in("ana")
    walk.follow("Look and decide")
    walk.follow(first)
    tab = Walk(walk.page.context.new_page(), walk.url, walk.screenshots)
    tab.page.goto(walk.page.url)

    walk.tap(second)
    walk.page.go_back()
    walk.shows(NOT_WAITING)
    walk.page.go_back()
    walk.shows(NOT_WAITING)
    tab.tap(second)

    tab.shows(NOT_WAITING)


@pytest.fixture
def at_desk(desk: Page, delivered: Live, screenshots: Path) -> Walk:
    return Walk(desk, f"{delivered.url}/pages", screenshots)


def test_dispatch_has_the_picture_beside_the_table_at_a_desk(
    at_desk: Walk, delivered: Live
) -> None:
    """The photo and the table have pages of their own on a phone."""
    office, page = delivered.demo_office.office, at_desk.page
    at_desk.sign_in("ana")
    at_desk.follow("Device")
    (stray,) = office.filing.waiting()
    assert office.access.views_of_record(stray.capture_id) == []

    at_desk.follow("Look and decide")

    table, picture = page.locator("table"), page.get_by_role("img")
    left, right = table.bounding_box(), picture.bounding_box()
    assert left is not None
    assert right is not None
    assert left["x"] + left["width"] < right["x"]
    assert abs(left["y"] - right["y"]) < right["height"]
    assert "sort=device" in page.url
    assert len(office.access.views_of_record(stray.capture_id)) == 1
    page.set_viewport_size(PHONE)
    expect(table).to_be_hidden()
    expect(picture).to_be_visible()


def test_dispatchs_pages_are_accessible_from_a_phone_to_a_desk(
    at_desk: Walk, delivered: Live
) -> None:
    """axe finds nothing at any width, light or dark, and nothing is wider than the screen."""
    settle(delivered.demo_office.folder)
    refuse(delivered.demo_office, simulated=True)
    pressed = hand_over(delivered, simulated=True, bound_by="ambiguous")
    (stray,) = delivered.demo_office.office.filing.waiting()
    at_desk.sign_in("ana")
    for name, path in {
        "dispatch": "dispatch",
        "photo": f"dispatch/{stray.capture_id}",
        "hand-over": f"hand-overs/{pressed}",
        "hand-over-bind": f"hand-overs/{pressed}/bind?number={SIGNATURE}",
        "hand-over-discard": f"hand-overs/{pressed}/discard",
        "delivered": "delivered",
        "delivered-unknown": "delivered/confirm?number=9999",
        "delivered-confirm": f"delivered/confirm?number={SIGNATURE}",
        "refusals": "refusals",
        "refusals-of-one": "refusals?device=van-7",
        "fleet": "fleet",
        "device": f"fleet/{REFUSED}",
    }.items():
        at_desk.page.goto(f"{at_desk.url}/{path}")
        for width_px in WIDTHS_PX:
            at_desk.page.set_viewport_size({"width": width_px, "height": PHONE["height"]})
            for scheme in SCHEMES:
                at_desk.page.emulate_media(color_scheme=scheme)
                at_desk.fits(f"30-{name}-{width_px}-{scheme}", width_px)
