"""Times on the pages: each is by the clocks at the door, with the name of its zone."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from agent.models import RecordKind
from doorstep_backend import zones
from doorstep_backend.office.access import Customer
from doorstep_backend.office.demo import ALLOWED
from doorstep_backend.office.orders import Address, Order
from tests.backend.pages.reading import images, verified
from tests.support.demo_office import NOON, PICTURE
from tests.support.live_pages import ANA, Live, live_pages

FAR: Final = "1009"
OWNER: Final = Customer("c-1")

PRESSED: Final = '<time datetime="2026-12-01T09:15:02.000Z">1 December 2026, {}</time>'
AT_HOME: Final = PRESSED.format("10:15 (Europe/Zurich)")
AWAY: Final = PRESSED.format("04:15 (America/New_York)")


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    """Run a backend in Zurich with an address in New York; both of c-1's orders got a photo."""
    (tmp_path / "backend.toml").write_text('zone = "Europe/Zurich"\n')
    with live_pages(tmp_path) as live:
        orders, routes = live.demo_office.office.orders, live.demo_office.office.routes
        orders.add_address(
            Address("a-9", "c-1", "9 Far Street", zone=zones.named("America/New_York"))
        )
        orders.add(Order(FAR, "c-1", "a-9", "s-99aa", ("DSTEP1009",), 40.7, -74.0))
        routes.plan("route-9", [FAR], NOON, NOON.replace(hour=20))
        routes.assign("route-9", live.demo_office.van.device_id)
        for number in (ALLOWED, FAR):
            live.demo_office.receive(live.demo_office.photo(number))
        yield live


def times(page: str) -> list[str]:
    return re.findall(r"<time .*?</time>", page)


def test_your_orders_tell_each_time_by_the_clocks_at_its_door(live: Live) -> None:
    assert times(live.browser(OWNER).get("/orders").text) == [AWAY, AT_HOME]


def test_the_order_its_looks_and_its_code_are_told_in_one_zone(live: Live) -> None:
    customer, service = live.browser(OWNER), verified(live, FAR)
    page = service.get(f"/service/{FAR}").text
    service.get(images(page)[0])

    assert times(page) == [AWAY]
    looked = '<time datetime="2026-12-01T12:00:00.000Z">1 December 2026, {}</time>'
    of_order = times(customer.get(f"/orders/{FAR}").text)
    assert of_order == [AWAY, *[looked.format("07:00 (America/New_York)")] * 2]
    (until,) = times(customer.send(f"/orders/{FAR}/code").text)
    assert "07:10 (America/New_York)" in until


def test_dispatch_reads_the_backends_own_zone(live: Live) -> None:
    capture_id = live.demo_office.receive(live.demo_office.stray())
    browser = live.browser(ANA)

    assert times(browser.get("/dispatch").text) == [AT_HOME]
    assert times(browser.get(f"/dispatch/{capture_id}").text)[0] == AT_HOME


def test_a_press_of_unknown_time_is_said_to_be_so_and_the_arrival_has_its_zone(live: Live) -> None:
    stop = {"id": live.demo_office.office.orders.find(FAR).stop_id, "bound_by": "place"}
    record = {"stop": stop, "simulated": False}
    live.demo_office.receive(
        live.demo_office.van.make(RecordKind.PHOTO, record, PICTURE, clock="unsynced")
    )

    page = live.browser(OWNER).get(f"/orders/{FAR}").text

    assert "When it was left is not known." in page
    assert "1 December 2026, 06:00 (America/New_York)" in page
