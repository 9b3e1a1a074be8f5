"""A day's route for one device, to be asked for."""

from datetime import UTC, datetime, timedelta
from typing import Final

from doorstep_backend.office.model import Office
from doorstep_backend.office.orders import Address, Order

STOPS: Final = 150


def number(stop: int) -> str:
    """Return the number of the order at a stop, from 1 on."""
    return f"o-{stop}"


def send_out(office: Office, device_id: str) -> None:
    """All orders are one customer's, `customer`."""
    office.orders.add_customer("customer", "A customer")
    office.orders.add_address(Address("door", "customer", "1 Example Street"))
    stops = range(1, STOPS + 1)
    with office.ledger.exclusive_transaction():
        for one in stops:
            order = Order(number(one), "customer", "door", f"stop-{one}", (f"D{one}",), 52.5, 13.4)
            office.orders.add(order)
    now = datetime.now(UTC)
    office.routes.plan("r-day", [number(one) for one in stops], now, now + timedelta(hours=12))
    office.routes.assign("r-day", device_id)
