"""A small town to show and to test with: customers, orders and one route."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from doorstep_backend.office.model import Office
from doorstep_backend.office.orders import Address, Order
from doorstep_backend.pages.accounts import Account

ALLOWED: Final = "1001"
SIGNATURE: Final = "1002"
CONFIDENTIAL: Final = "1003"
OPTED_OUT: Final = "1004"
GIFT: Final = "1005"
LEFT_DOOR: Final = "1006"
RIGHT_DOOR: Final = "1007"
CHANGES_MIND: Final = "1008"
"""Allowed in the morning; its customer is meant to opt out while the driver is on the road."""

ROUTE: Final = "route-1"

PLACES: Final[Mapping[str, tuple[float, float]]] = {
    ALLOWED: (52.5163, 13.3777),
    SIGNATURE: (52.5183, 13.3777),
    CONFIDENTIAL: (52.5203, 13.3777),
    OPTED_OUT: (52.5223, 13.3777),
    GIFT: (52.5243, 13.3777),
    LEFT_DOOR: (52.5263, 13.3777),
    RIGHT_DOOR: (52.5263, 13.37782),
    CHANGES_MIND: (52.5283, 13.3777),
}
"""222 m apart, so that no forbidden stop reaches the next; the two doors are 8 m apart."""

SHIFT: Final = timedelta(hours=12)
"""Validity of the demo's route."""

ORDERS: Final = (
    Order(ALLOWED, "c-1", "a-1", "s-7f3a", ("DSTEP1001",), 0, 0),
    Order(SIGNATURE, "c-1", "a-2", "s-1c90", ("DSTEP1002",), 0, 0, signature_required=True),
    Order(CONFIDENTIAL, "c-2", "a-3", "s-e25b", ("DSTEP1003",), 0, 0, confidential=True),
    Order(OPTED_OUT, "c-2", "a-4", "s-90d4", ("DSTEP1004",), 0, 0, opted_out=True),
    Order(GIFT, "c-3", "a-5", "s-38ab", ("DSTEP1005",), 0, 0, gift=True),
    Order(LEFT_DOOR, "c-3", "a-6", "s-b617", ("DSTEP1006A", "DSTEP1006B"), 0, 0),
    Order(RIGHT_DOOR, "c-4", "a-7", "s-0cf2", ("DSTEP1007",), 0, 0),
    Order(CHANGES_MIND, "c-4", "a-7", "s-d48e", ("DSTEP1008",), 0, 0),
)
"""Stop ids say nothing about number or order of the round.

An address ends with its house number, which is also what a rendered door shows. The last two orders
go to the same address.
"""


ACCOUNTS: Final = (
    Account("customer", "c-1", "demo-one-heron"),
    Account("customer", "c-2", "demo-two-otter"),
    Account("customer", "c-3", "demo-three-finch"),
    Account("customer", "c-4", "demo-four-badger"),
    Account("agent", "17", "demo-agent-walnut"),
    Account("dispatch", "ana", "demo-dispatch-cedar"),
)
"""Their passwords are public: a backend with them is offered on loopback only."""


def settle(office: Office, places: Mapping[str, tuple[float, float]] = PLACES) -> None:
    """Add the demo's customers and orders; an order without a place in `places` is left out."""
    with office.ledger.exclusive_transaction():
        for account in ACCOUNTS:
            if account.role == "customer":
                number = account.who.removeprefix("c-")
                office.orders.add_customer(account.who, f"Demo customer {number}")
        for address in {order.address: address_of(order) for order in ORDERS}.values():
            office.orders.add_address(address)
        for order in ORDERS:
            if order.number in places:
                lat_deg, lon_deg = places[order.number]
                office.orders.add(replace(order, lat_deg=lat_deg, lon_deg=lon_deg))


def house_number(order: Order) -> int:
    """Return the house number of a demo order's address, from 1 to 99."""
    return int(order.address.removeprefix("a-"))


def address_of(order: Order) -> Address:
    """Return the address that a demo order goes to."""
    return Address(order.address, order.customer, f"{house_number(order)} Example Street")


def send_out(office: Office, device_id: str, now: datetime) -> None:
    """Give every order to a device, as one route that began an hour ago."""
    numbers = office.orders.numbers()
    begins = now - timedelta(hours=1)
    office.routes.plan(ROUTE, numbers, begins, begins + SHIFT)
    office.routes.assign(ROUTE, device_id)
