"""Addresses and orders of another system: as a whole, repeatable, and by the rules of the pages."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from agent.rule.manifest import PhotoRule
from doorstep_backend.office.access import Customer
from doorstep_backend.office.demo import ALLOWED, ORDERS, RIGHT_DOOR
from tests.backend.api.systems import ADDRESS, ORDER, System, places
from tests.support.demo_office import NOON, DemoOffice
from tests.support.live_pages import Live

DEMO = {
    "address": "a-1",
    "codes": ["DSTEP1001"],
    "lat_deg": 52.5163,
    "lon_deg": 13.3777,
}
"""The demo's order ALLOWED, as another system says it."""


def test_an_order_put_twice_is_the_same_order(live: Live, erp: System) -> None:
    new, again = erp.put_order("2001", gift=True), erp.put_order("2001", gift=True)

    assert (new.status_code, again.status_code) == (201, 200)
    assert new.json() == again.json()
    assert new.json()["photo"] == "no_photo"
    order = live.demo_office.office.orders.find("2001")
    assert (order.customer, order.codes, order.lat_deg) == ("k-9", ("DSTEP2001",), 47.3769)
    assert str(order.zone) == "Europe/Zurich"
    assert "2001" not in order.stop_id


def test_an_order_put_by_several_at_once_is_made_once(live: Live, erp: System) -> None:
    erp.put("/addresses/home", ADDRESS)
    with ThreadPoolExecutor(6) as pool:
        done = [pool.submit(erp.put, "/orders/2001", ORDER) for _ in range(6)]

    assert sorted(one.result().status_code for one in done) == [200] * 5 + [201]
    assert live.demo_office.office.orders.find("2001").codes == ("DSTEP2001",)


def test_an_order_is_replaced_as_a_whole_and_keeps_its_stop(live: Live, erp: System) -> None:
    orders = live.demo_office.office.orders
    erp.put_order("2001", gift=True, radius_m=50, codes=["A", "B"])
    stop_id = orders.find("2001").stop_id

    answer = erp.put_order("2001", codes=["C"])

    assert answer.json()["photo"] == "allowed"
    order = orders.find("2001")
    assert (order.stop_id, order.codes, order.radius_m) == (stop_id, ("C",), 20.0)


def test_an_address_is_replaced_and_renames_its_customer(live: Live, erp: System) -> None:
    orders = live.demo_office.office.orders
    assert erp.put("/addresses/home", ADDRESS).status_code == 201
    changed = {"line": "10 Example Street", "customer": {"id": "k-9", "name": "Ada Sample"}}

    answer = erp.put("/addresses/home", changed)

    assert answer.status_code == 200
    assert answer.json() == {"address": "home", "zone": None, "opted_out": False, **changed}
    assert orders.address("home").line == "10 Example Street"
    assert orders.customer_name("k-9") == "Ada Sample"


WRONG_ORDERS: list[tuple[dict[str, Any], list[str]]] = [
    ({"address": "elsewhere"}, ["#/address"]),
    ({"address": "a/b"}, ["#/address"]),
    ({"codes": ["A", " B", "A", "Ä", 1]}, ["#/codes/1", "#/codes/2", "#/codes/3", "#/codes/4"]),
    ({"codes": "A"}, ["#/codes"]),
    ({"codes": [str(one) for one in range(201)]}, ["#/codes"]),
    ({"codes": ["DOORSTEP-PRACTICE"]}, ["#/codes/0"]),
    ({"lat_deg": 90.1, "lon_deg": "8"}, ["#/lat_deg", "#/lon_deg"]),
    ({"lat_deg": True}, ["#/lat_deg"]),
    ({"lat_deg": 0, "lon_deg": -0.0}, ["#/lon_deg"]),
    ({"radius_m": 0.5}, ["#/radius_m"]),
    ({"confidental": True, "a/b~\ud800": 1}, ["#/a~1b~0%3F", "#/confidental"]),
    ({"gift": 1, "opted_out": None}, ["#/gift", "#/opted_out"]),
    (
        {"address": "elsewhere", "codes": [""], "lat_deg": 91},
        ["#/address", "#/codes/0", "#/lat_deg"],
    ),
]


def test_a_wrong_order_is_refused_and_each_fault_is_named(live: Live, erp: System) -> None:
    erp.put_order("2001", codes=["BEFORE"])

    for changes, faults in WRONG_ORDERS:
        assert sorted(places(erp.put("/orders/2001", ORDER | changes))) == faults
    assert live.demo_office.office.orders.find("2001").codes == ("BEFORE",)


def test_all_that_an_order_must_have_is_named_together(erp: System) -> None:
    needed = ["#/codes", "#/lat_deg", "#/lon_deg", "#/address"]

    assert places(erp.put("/orders/2001", {})) == needed
    assert places(erp.put("/orders/-", ORDER)) == ["number"]


WRONG_ADDRESSES: list[tuple[dict[str, Any], list[str]]] = [
    ({"zone": "Europe/Zürich"}, ["#/zone"]),
    ({"zone": 1}, ["#/zone"]),
    ({"zone": "Europe"}, ["#/zone"]),
    ({"customer": "k-9"}, ["#/customer"]),
    ({"customer": {"id": "k 9", "name": ""}}, ["#/customer/id", "#/customer/name"]),
    ({"customer": {"id": "k-9", "name": "A", "age": 7}}, ["#/customer/age"]),
    ({"line": "a\nb", "customer": None}, ["#/customer", "#/line"]),
    ({"line": "\ud800"}, ["#/line"]),
]


def test_a_wrong_address_is_refused_and_each_fault_is_named(erp: System) -> None:
    for changes, faults in WRONG_ADDRESSES:
        assert sorted(places(erp.put("/addresses/home", ADDRESS | changes))) == faults
    assert places(erp.put("/orders/2001", ORDER)) == ["#/address"]


def test_no_address_and_no_order_changes_its_customer(live: Live, erp: System) -> None:
    """With another customer's id, that customer could opt out there, or see the photos."""
    assert erp.put_order("2001").status_code == 201

    taken = erp.put("/addresses/home", ADDRESS | {"customer": {"id": "k-8", "name": "Bo"}})

    assert places(taken) == ["#/customer/id"]
    assert places(erp.put("/orders/2001", ORDER | {"address": "a-1"})) == ["#/address"]
    orders = live.demo_office.office.orders
    assert orders.find("2001").customer == orders.address("home").customer == "k-9"


def test_an_order_with_a_photo_keeps_photo_outcome_and_address(live: Live, erp: System) -> None:
    demo_office = live.demo_office
    demo_office.deliver(ALLOWED)

    moved = erp.put(f"/orders/{ALLOWED}", DEMO | {"address": "a-2"})
    changed = erp.put(f"/orders/{ALLOWED}", DEMO | {"codes": ["NEW"], "radius_m": 30})

    assert places(moved) == ["#/address"]
    assert changed.status_code == 200
    assert demo_office.shown(ALLOWED)
    assert demo_office.is_done(ALLOWED)
    assert erp.put("/orders/1002", DEMO | {"codes": []}).status_code == 200, "it has no record"


def is_kept(demo_office: DemoOffice, capture_id: Any) -> bool:
    return demo_office.kept(capture_id) != (False, False)


@pytest.mark.parametrize("why", ["opted_out", "gift", "confidential"])
def test_an_order_that_takes_no_photo_from_now_on_loses_its_photos(
    live: Live, erp: System, why: str
) -> None:
    (capture_id,) = live.demo_office.deliver(ALLOWED)

    answer = erp.put(f"/orders/{ALLOWED}", DEMO | {why: True})

    assert answer.json()["photo"] == "no_photo"
    assert not is_kept(live.demo_office, capture_id)
    assert live.demo_office.rule(ALLOWED) is PhotoRule.NO_PHOTO
    assert live.demo_office.is_done(ALLOWED)


def test_an_address_that_opts_out_loses_the_photos_of_all_its_orders(
    live: Live, erp: System
) -> None:
    (capture_id,) = live.demo_office.deliver(RIGHT_DOOR)
    customer = {"id": "c-4", "name": "Demo customer 4"}

    erp.put("/addresses/a-7", {"customer": customer, "line": "7 Example Street", "opted_out": True})

    assert not is_kept(live.demo_office, capture_id)
    assert live.demo_office.rule(RIGHT_DOOR) is PhotoRule.NO_PHOTO


def test_opt_out_of_a_customer_survives_puts_of_another_system(live: Live, erp: System) -> None:
    """Other systems may repeat old data every night; only the customer may allow photos again."""
    browser, photos = live.browser(Customer("c-1")), f"/orders/{ALLOWED}/delivery-photos"
    browser.send(photos, photos="off")
    browser.send("/addresses/a-2/delivery-photos", photos="off")

    answer = erp.put(f"/orders/{ALLOWED}", DEMO | {"opted_out": False})
    at_address = erp.put(
        "/addresses/a-2", {"customer": {"id": "c-1", "name": "One"}, "line": "2 Example Street"}
    )

    assert (answer.json()["opted_out"], at_address.json()["opted_out"]) == (True, True)
    browser.send(photos, photos="on")
    assert live.demo_office.office.orders.find(ALLOWED).photo is PhotoRule.ALLOWED


def test_a_code_of_another_order_of_the_same_route_is_refused(live: Live, erp: System) -> None:
    """A device would have to ask the driver which stop is meant, for each press."""
    taken = ORDERS[-1].codes[0]

    assert places(erp.put(f"/orders/{ALLOWED}", DEMO | {"codes": ["X", taken]})) == ["#/codes/1"]
    live.demo_office.office.routes.forget(NOON.replace(year=2100), 10)
    assert erp.put(f"/orders/{ALLOWED}", DEMO | {"codes": ["X", taken]}).status_code == 200
