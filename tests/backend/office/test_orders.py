"""Orders and routes: the part in a device's manifest, and the part that stays at the backend."""

import itertools
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.rule.manifest import PhotoRule
from doorstep_backend.office import demo
from doorstep_backend.office.demo import (
    ALLOWED,
    CHANGES_MIND,
    GIFT,
)
from doorstep_backend.office.ledger import open_ledger
from doorstep_backend.office.orders import TAKES_NO_PHOTO, NoSuchOrder
from doorstep_backend.wire import manifest
from tests.support.demo_office import KEY, KID, NOON, DemoOffice


def test_no_photo_outweighs_a_signature_and_sql_agrees(demo_office: DemoOffice) -> None:
    """The rule is written twice, in Python and in SQL; over all flags they say the same."""
    flags = ("signature_required", "confidential", "gift", "opted_out")
    ledger = open_ledger(demo_office.folder)
    orders = demo_office.office.orders
    for index, (on, at_address) in enumerate(
        itertools.product(itertools.product([False, True], repeat=4), [False, True])
    ):
        demo_office.office.opt_out_address("a-1", at_address)
        new: dict[str, Any] = dict(zip(flags, on, strict=True))
        new |= {"number": f"x{index}", "stop_id": f"x-{index}", "codes": ()}
        orders.add(replace(orders.find(ALLOWED), **new))
        found = orders.find(f"x{index}").photo
        query = f"SELECT {TAKES_NO_PHOTO} FROM orders o WHERE number = ?"
        refused = any(on[1:]) or at_address

        assert (found is PhotoRule.NO_PHOTO) == refused
        assert ledger.execute(query, (f"x{index}",)).fetchone()[0] == refused
        assert refused or (found is PhotoRule.SIGNATURE_REQUIRED) == on[0]


def test_a_manifest_says_neither_who_nor_why(demo_office: DemoOffice) -> None:
    """A stolen device must not reveal which addresses are confidential."""
    told: list[dict[str, Any]] = []

    def sign(said: dict[str, Any]) -> str:
        told.append(said)
        return "token"

    demo_office.office.routes.manifest("van-7", NOON, sign, KID)
    text = str(told)

    assert len(told[0]["stops"]) == len(demo.PLACES)
    for secret in ("confidential", "gift", "opted", "c-1", "a-1", "Demo", "Street", "'1001'"):
        assert secret not in text
    refused = [stop for stop in told[0]["stops"] if stop["photo"] == "no_photo"]
    assert len(refused) == 3
    assert len({tuple(stop) for stop in told[0]["stops"]}) == 1


def test_version_grows_also_when_the_ledger_was_lost(tmp_path: Path) -> None:
    """A device keeps what it has unless the number is higher."""
    before = DemoOffice(tmp_path / "before")
    for opted_out in (True, False, True):
        before.office.opt_out_order(ALLOWED, opted_out)
        last = before.manifest()

    anew = DemoOffice(tmp_path / "anew").manifest(now=NOON + timedelta(minutes=1))

    assert anew.version > last.version


def test_a_route_that_goes_back_to_the_first_device_is_newer_there(demo_office: DemoOffice) -> None:
    versions = [demo_office.manifest().version]
    for device_id in ("van-8", "van-7"):
        demo_office.office.routes.assign(demo.ROUTE, device_id)
        versions.append(demo_office.manifest().version)

    assert versions == sorted(set(versions))
    assert len(demo_office.manifest().stops) == len(demo.PLACES)


def test_manifest_is_missing_without_a_route_and_after_its_end(demo_office: DemoOffice) -> None:
    def asked(device_id: str, hours: int) -> object:
        now = NOON + timedelta(hours=hours)
        return demo_office.office.routes.manifest(
            device_id, now, lambda said: manifest.sign(said, KEY), KID
        )

    assert asked("van-7", 10) is not None
    assert asked("van-7", 11) is None
    assert asked("van-9", 0) is None


def test_a_route_longer_than_a_manifest_may_be_is_refused(demo_office: DemoOffice) -> None:
    with pytest.raises(ValueError, match="route: from 0 to 1 day"):
        demo_office.office.routes.plan("long", [], NOON, NOON + timedelta(hours=25))


def test_a_customer_has_their_own_orders_only(demo_office: DemoOffice) -> None:
    orders = demo_office.office.orders

    assert [order.number for order in orders.of_customer("c-1")] == ["1002", "1001"]
    assert orders.of_customer("' OR 1=1 --") == []
    with pytest.raises(NoSuchOrder):
        orders.find("9999\0")


def test_a_route_is_handed_on_whole_to_a_device_without_one(demo_office: DemoOffice) -> None:
    demo_office.receive(demo_office.photo(ALLOWED))
    late = demo_office.photo(CHANGES_MIND)
    before = demo_office.manifest()

    demo_office.office.routes.hand_on(demo_office.van.device_id, "van-8", NOON)

    emptied = demo_office.manifest()
    assert (emptied.stops, emptied.begins, emptied.ends) == ((), before.begins, before.ends)
    assert demo_office.manifest("van-8").stops == before.stops
    demo_office.receive(late)
    assert demo_office.shown(CHANGES_MIND) == [late.label.capture_id], "it still had this to send"


def test_undone_stops_follow_the_own_route_of_the_other_device(demo_office: DemoOffice) -> None:
    orders, routes = demo_office.office.orders, demo_office.office.routes
    orders.add(replace(orders.find(GIFT), number="own", stop_id="own", codes=(), gift=False))
    routes.plan("route-8", ["own"], NOON - timedelta(hours=1), NOON + timedelta(hours=8))
    routes.assign("route-8", "van-8")
    demo_office.receive(demo_office.photo(ALLOWED))
    left = [stop.id for stop in demo_office.manifest().stops if not stop.done]

    routes.hand_on(demo_office.van.device_id, "van-8", NOON)
    routes.hand_on(demo_office.van.device_id, "van-8", NOON)

    assert [stop.id for stop in demo_office.manifest("van-8").stops] == ["own", *left]
    assert orders.find(ALLOWED).stop_id not in left


def test_a_route_that_has_ended_is_not_handed_on(demo_office: DemoOffice) -> None:
    later = NOON + timedelta(days=2)

    demo_office.office.routes.hand_on(demo_office.van.device_id, "van-8", later)

    row = demo_office.office.ledger.execute("SELECT device_id FROM assignments").fetchall()
    assert [one["device_id"] for one in row] == [demo_office.van.device_id]
