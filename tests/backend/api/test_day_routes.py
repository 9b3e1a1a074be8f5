"""Routes of another system: by device and day, as a whole, and refused with every fault."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.models import rfc3339
from doorstep_backend.identity.closings import EndKind
from doorstep_backend.identity.ending import DeviceEnding
from doorstep_backend.identity.known import DeviceState
from doorstep_backend.identity.register import Register
from doorstep_backend.office.demo import ALLOWED, GIFT, RIGHT_DOOR, SIGNATURE
from doorstep_backend.wire import manifest
from tests.backend.api.systems import System, places
from tests.support.demo_office import KEY, KID, NOON, DemoOffice
from tests.support.factory import RecordMaker
from tests.support.live_pages import Live, live_pages

HOUR = timedelta(hours=1)
VAN = "van-20"
TODAY = f"/routes/{VAN}/2026-12-01"
TOMORROW = f"/routes/{VAN}/2026-12-02"


def shift(*numbers: str, begins: datetime = NOON, hours: int = 8) -> dict[str, Any]:
    """Return a route that begins at noon and ends in the evening."""
    return {
        "begins": rfc3339(begins),
        "ends": rfc3339(begins + hours * HOUR),
        "orders": list(numbers),
    }


def carried(demo_office: DemoOffice, now: datetime = NOON, device_id: str = VAN) -> list[str]:
    """Return the orders of the manifest that the device gets."""
    stops = demo_office.manifest(device_id, now).stops
    return [demo_office.office.orders.at_stop(stop.id).number for stop in stops]


def has_manifest(demo_office: DemoOffice, now: datetime) -> bool:
    sign, routes = (lambda said: manifest.sign(said, KEY)), demo_office.office.routes
    return routes.manifest(VAN, now, sign, KID) is not None


@pytest.fixture
def registered(tmp_path: Path) -> Iterator[Live]:
    with live_pages(tmp_path) as live:
        yield live


def test_a_route_put_twice_is_one_manifest(live: Live, erp: System) -> None:
    new = erp.put(TODAY, shift(ALLOWED, RIGHT_DOOR))
    first = live.demo_office.manifest(VAN)
    again = erp.put(TODAY, shift(ALLOWED, RIGHT_DOOR))

    assert (new.status_code, again.status_code) == (201, 200)
    assert new.json() == again.json()
    assert carried(live.demo_office) == [ALLOWED, RIGHT_DOOR]
    assert live.demo_office.manifest(VAN).version == first.version
    assert (first.begins, first.ends) == (NOON, NOON + 8 * HOUR)


def test_a_route_is_replaced_as_a_whole(live: Live, erp: System) -> None:
    erp.put(TODAY, shift(ALLOWED, RIGHT_DOOR))

    erp.put(TODAY, shift(GIFT, ALLOWED, hours=4))

    assert carried(live.demo_office) == [GIFT, ALLOWED]
    assert live.demo_office.manifest(VAN).ends == NOON + 4 * HOUR


def test_a_photo_of_an_order_that_was_left_out_since_is_bound(live: Live, erp: System) -> None:
    """The device took it before it had the new manifest, and sends it later."""
    van = RecordMaker(device_id=VAN)
    erp.put(TODAY, shift(ALLOWED, RIGHT_DOOR))
    erp.put(TODAY, shift(RIGHT_DOOR))

    live.demo_office.van = van
    capture_id = live.demo_office.receive(live.demo_office.photo(ALLOWED))

    assert live.demo_office.shown(ALLOWED) == [capture_id]


def test_the_route_of_tomorrow_waits_until_todays_has_ended(live: Live, erp: System) -> None:
    """A device has one manifest, and gets the next one in the evening, not weeks before."""
    office, demo_office = live.demo_office.office, live.demo_office
    begins = NOON + 16 * HOUR
    erp.put(TODAY, shift(ALLOWED))
    assert erp.put(TOMORROW, shift(GIFT, begins=begins)).status_code == 201

    assert carried(demo_office, NOON + 8 * HOUR - timedelta(milliseconds=1)) == [ALLOWED]
    assert carried(demo_office, NOON + 8 * HOUR) == [GIFT]
    erp.put("/routes/van-20/2026-12-24", shift(SIGNATURE, begins=NOON + timedelta(days=23)))
    assert not has_manifest(demo_office, begins + 8 * HOUR)
    assert has_manifest(demo_office, NOON + timedelta(days=22.5))
    assert office.orders.carried_by(VAN, NOON, NOON + HOUR)[0].number == ALLOWED


def test_a_route_that_is_prolonged_comes_back_before_that_of_tomorrow(
    live: Live, erp: System
) -> None:
    """Dispatch may add a parcel to today's route when the device has tomorrow's already."""
    evening, demo_office = NOON + 9 * HOUR, live.demo_office
    erp.put(TODAY, shift(ALLOWED))
    erp.put(TOMORROW, shift(GIFT, begins=NOON + 16 * HOUR))
    assert carried(demo_office, evening) == [GIFT]

    erp.put(TODAY, shift(ALLOWED, RIGHT_DOOR, hours=10))

    assert carried(demo_office, evening) == [ALLOWED, RIGHT_DOOR]
    assert carried(demo_office, NOON + 10 * HOUR) == [GIFT]


def test_a_route_takes_the_place_of_one_that_a_program_assigned(live: Live, erp: System) -> None:
    demo_office = live.demo_office
    device_id = demo_office.van.device_id
    assert len(carried(demo_office, device_id=device_id)) > 1

    erp.put(f"/routes/{device_id}/2026-12-01", shift(GIFT))

    assert carried(demo_office, device_id=device_id) == [GIFT]


def test_a_planned_route_that_a_program_gave_to_another_device_stays_there(
    live: Live, erp: System
) -> None:
    begins, routes = NOON + timedelta(days=1), live.demo_office.office.routes
    erp.put(TOMORROW, shift(GIFT, begins=begins))

    routes.assign(f"2026-12-02 {VAN}", "van-21")

    assert not has_manifest(live.demo_office, begins)
    assert carried(live.demo_office, begins, "van-21") == [GIFT]


def test_a_route_that_was_handed_on_stays_there_if_its_put_is_repeated(
    live: Live, erp: System
) -> None:
    """Systems repeat what they planned; the second device is on the road with the parcels."""
    demo_office = live.demo_office
    erp.put(TODAY, shift(GIFT))
    assert carried(demo_office) == [GIFT]
    demo_office.office.routes.assign(f"2026-12-01 {VAN}", "van-21")

    assert erp.put(TODAY, shift(GIFT)).status_code == 200
    assert carried(demo_office, device_id="van-21") == [GIFT]
    assert erp.put(TODAY, shift(GIFT, ALLOWED)).status_code == 200
    assert carried(demo_office) == [GIFT, ALLOWED]


def test_a_shift_may_end_on_the_next_day(erp: System) -> None:
    night = shift(ALLOWED, begins=NOON + 10 * HOUR, hours=8)

    assert erp.put(TODAY, night).status_code == 201
    assert places(erp.put(TOMORROW, shift(GIFT, begins=NOON + 12 * HOUR))) == ["#/begins"]


def test_the_day_is_that_of_the_backends_zone(tmp_path: Path) -> None:
    (tmp_path / "backend.toml").write_text('zone = "Pacific/Auckland"\n')
    with live_pages(tmp_path, identity=False) as live:
        erp = System.of(live)

        assert places(erp.put(TODAY, shift(ALLOWED))) == ["#/begins"]
        assert erp.put(TOMORROW, shift(ALLOWED)).status_code == 201


WRONG: list[tuple[dict[str, Any], list[str]]] = [
    ({"orders": [ALLOWED, "9999", "9998"]}, ["#/orders/1", "#/orders/2"]),
    ({"orders": [ALLOWED, ALLOWED, "\ud800", "a b"]}, ["#/orders/1", "#/orders/2", "#/orders/3"]),
    ({"orders": "1001"}, ["#/orders"]),
    ({"orders": None, "begins": "today", "ends": 5}, ["#/begins", "#/ends", "#/orders"]),
    ({"ends": rfc3339(NOON)}, ["#/ends"]),
    ({"ends": rfc3339(NOON + timedelta(hours=24, seconds=1))}, ["#/ends"]),
    ({"begins": "2026-12-01T13:00:00+01:00"}, ["#/begins"]),
    ({"begins": "9999-12-31T23:59:59Z", "ends": "9999-12-31T23:59:59.9Z"}, ["#/begins"]),
    ({"begins": "2026-12-02T00:00:00Z", "ends": "2026-12-02T06:00:00Z"}, ["#/begins"]),
    ({"stops": []}, ["#/stops"]),
]


def test_a_wrong_route_is_refused_and_each_fault_is_named(live: Live, erp: System) -> None:
    erp.put(TODAY, shift(RIGHT_DOOR))

    for changes, faults in WRONG:
        assert sorted(places(erp.put(TODAY, shift(ALLOWED) | changes))) == faults
    for path, faults in (
        ("/routes/van-20/2026-12-32", ["day"]),
        ("/routes/van-20/20261201", ["day"]),
        ("/routes/van 20/today", ["device", "day"]),
    ):
        assert places(erp.put(path, shift(ALLOWED))) == faults
    yesterday = shift(ALLOWED, begins=NOON - timedelta(days=1))
    assert places(erp.put("/routes/van-20/2026-11-30", yesterday)) == ["#/ends"]
    assert carried(live.demo_office) == [RIGHT_DOOR]


def test_two_orders_with_one_code_are_not_on_one_route(erp: System) -> None:
    for number in ("2001", "2002"):
        assert erp.put_order(number).status_code == 201

    assert places(erp.put(TODAY, shift("2001", ALLOWED, "2002"))) == ["#/orders/2"]


def test_a_device_that_is_unknown_or_out_gets_no_route(registered: Live) -> None:
    live, erp = registered, System.of(registered)
    register = Register(live.demo_office.folder)
    assert places(erp.put(TODAY, shift(ALLOWED, "9999"))) == ["device", "#/orders/1"]

    register.let_in(VAN)
    assert erp.put(TODAY, shift(ALLOWED)).status_code == 201
    register.shut_out(VAN, DeviceState.REVOKED)
    assert places(erp.put(TODAY, shift(ALLOWED))) == ["device"]
    DeviceEnding(register, live.demo_office.office).now(VAN, EndKind.GONE, "office", NOON)
    assert places(erp.put(TODAY, shift(ALLOWED))) == ["device"]


def test_a_planned_route_that_nobody_asked_for_is_handed_on(registered: Live) -> None:
    """`devices gone --to`, in the morning, before the device's first request of the day."""
    live, erp = registered, System.of(registered)
    register, office = Register(live.demo_office.folder), live.demo_office.office
    for one in (VAN, "van-21"):
        register.let_in(one)
    live.clock.now = NOON - timedelta(days=1)
    erp.put(TODAY, shift(ALLOWED))
    erp.put("/routes/van-21/2026-12-01", shift(GIFT))

    DeviceEnding(register, office).now(VAN, EndKind.GONE, "office", NOON, to="van-21")

    assert carried(live.demo_office, device_id="van-21") == [GIFT, ALLOWED]


def test_a_route_is_handed_on_for_now_to_a_device_that_has_tomorrows(registered: Live) -> None:
    """A route handed on in the evening is for the undone stops of today, and not for tomorrow's."""
    live, erp = registered, System.of(registered)
    register, demo_office = Register(live.demo_office.folder), live.demo_office
    evening, morning = NOON + 7 * HOUR, NOON + 18 * HOUR
    for one in (VAN, "van-21"):
        register.let_in(one)
    erp.put(TODAY, shift(ALLOWED))
    erp.put("/routes/van-21/2026-12-02", shift(GIFT, begins=morning))
    assert carried(demo_office, evening, "van-21") == [GIFT]

    ending = DeviceEnding(register, demo_office.office)
    ending.now(VAN, EndKind.GONE, "office", evening, to="van-21")

    assert carried(demo_office, evening, "van-21") == [ALLOWED]
    assert carried(demo_office, morning, "van-21") == [GIFT]


def test_two_routes_at_once_are_one_of_them(live: Live, erp: System) -> None:
    """The manifest has the orders of the route that came last, and is never a mixture."""
    both = ([ALLOWED, GIFT], [RIGHT_DOOR, SIGNATURE, ALLOWED])
    with ThreadPoolExecutor(6) as pool:
        for _ in range(5):
            done = [pool.submit(erp.put, TODAY, shift(*both[n % 2])) for n in range(6)]

            assert {one.result().status_code for one in done} <= {200, 201}
            assert carried(live.demo_office) in both
