"""Customers, addresses and orders, and from them whether a stop may be photographed.

The office's model in one look; every part works on one `Office` (office.py):

    office = open_office(Store(folder), show_simulated=False)

    office.orders    Orders    who ordered what to where; opt-outs; the rule per stop (this file)
    office.routes    DeliveryRoutes  route -> device -> what its manifest says
                               (delivery_routes.py)
    office.filing    Filing    records and the orders they belong to: photos to show, to bind,
                               voids, quality flags (filing.py, showing.py)
    office.access    PhotoAccess  who may see a photo, one-time codes, the view log
                               (access.py)
    office.erasure   Erasure   retention, hold, erasing (erasure.py)
    office.corrections  Corrections  which order a photo is of, and who may see it
                               (corrections.py)
    office.bound     BoundRecords  what dispatch reads of photos that have an order (bound.py)
    office.cases     Cases     questions about one record (cases.py)
    office.casework  Casework  reports of customers, looks and decisions of dispatch (casework.py)
    office.settings  Settings  the retention table, practice codes (settings.py)

What a page asks:

    orders.of_customer("c-1") -> list[Order]           "Your Orders", newest number first
    orders.find("1001") -> Order                       raises NoSuchOrder
    orders.addresses_of("c-1") -> list[Address]
    office.opt_out_order("1001", True), office.opt_out_address("a-1", True)
                                                       changes the next manifest, erases photos
    filing.photos_of("1001") -> list[Photo]            what the customer may be shown; empty for
                                                       an order that takes no photo
    photo.left_at, photo.how_placed()                  when, and how exactly the place is known
    filing.original("<capture_id>") -> Original        what is shown: copies/kept.py
    filing.waiting() / flagged() / voids()             for dispatch
    filing.candidates("<capture_id>") -> list[Order]   for binding, the likeliest first
    corrections.bind("<capture_id>", "1001", "dispatch ana", now), corrections.discard(...)
    corrections.correct("<capture_id>", photo.version, to="1002", state=State.SHOWN, ...)
    filing.outcomes.of("1001") -> Outcome | None       how and when it was delivered
    filing.outcomes.mark_delivered("1001", "dispatch ana", now)
    access.may_see(viewer, capture_id, now)            viewer: Nobody | Customer |
                                                       CustomerService | Dispatch
    access.make_one_time_code("1001", now) -> str
    access.verify(CustomerService("17"), "1001", code, why, now) -> bool
    access.log(viewer, capture_id, why, now), access.views_of("1001") -> list[View]
    erasure.hold("1001", "CASE-7", now), erasure.release("1001", now), erasure.expire(now)
    erasure.plain_language(settings.retention) -> list[RetentionLine]   what, for whom, how long

Why a stop takes no photo stays here: a manifest has the rule and the stop's id, never a reason.
"""

import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from agent.models import rfc3339
from agent.rule.manifest import PhotoRule
from doorstep_backend import zones
from doorstep_backend.engines.sql import Database, Row
from doorstep_backend.office.outcome_feed import OutcomeFeed

RADIUS_M: Final = 20.0
"""Greatest distance of a door from its position, unless an order says another one."""


class NoSuchOrder(LookupError):
    """No order has this number."""


@dataclass(frozen=True, slots=True)
class Address:
    """A place to which a customer has things sent; opted out, no delivery there is photographed.

    Attributes:
        zone: of the clocks at its doors; None for the backend's own.
    """

    address: str
    customer: str
    line: str
    opted_out: bool = False
    zone: ZoneInfo | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """An order; its stop is its own, also where two doors share a building.

    Attributes:
        number: what the customer knows it by; it opens nothing.
        stop_id: what the device knows it by; says nothing about number or customer.
        codes: tracking codes on its parcels.
        radius_m: how far from the position its door may be.
        opted_out: "Don't take delivery photos" for this order.
        address_opted_out: the same for all that goes to the address.
        done: True if it has an outcome (outcomes.py).
        zone: the address's, in which its times are told.
    """

    number: str
    customer: str
    address: str
    stop_id: str
    codes: tuple[str, ...]
    lat_deg: float
    lon_deg: float
    radius_m: float = RADIUS_M
    signature_required: bool = False
    confidential: bool = False
    gift: bool = False
    opted_out: bool = False
    address_opted_out: bool = False
    done: bool = False
    zone: ZoneInfo | None = None

    @property
    def photo(self) -> PhotoRule:
        """Rule of the stop in the manifest; a reason for no photo outweighs a signature."""
        if self.confidential or self.gift or self.opted_out or self.address_opted_out:
            return PhotoRule.NO_PHOTO
        return PhotoRule.SIGNATURE_REQUIRED if self.signature_required else PhotoRule.ALLOWED


TAKES_NO_PHOTO = """(o.confidential OR o.gift OR o.opted_out
    OR (SELECT a.opted_out FROM addresses a WHERE a.address = o.address))"""
"""`Order.photo is NO_PHOTO` in SQL, for an order `o`; a test holds the two together."""

_PLAIN = ("number", "customer", "address", "stop_id", "lat_deg", "lon_deg", "radius_m")
_FLAGS = ("signature_required", "confidential", "gift", "opted_out", "address_opted_out", "done")

_SELECT = """SELECT o.*, a.opted_out AS address_opted_out, a.zone, c.code
    FROM orders o JOIN addresses a ON a.address = o.address
    LEFT JOIN codes c ON c.number = o.number"""
"""A row for each code of an order; without any, one row."""


class Orders:
    """Customers, addresses and orders; each change is durable when the call returns."""

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger

    def add_customer(self, customer: str, name: str) -> None:
        """Add a customer by id and name. Raise Conflict if the id is taken."""
        self._ledger.execute("INSERT INTO customers VALUES (?, ?)", (customer, name))

    def customer_name(self, customer: str) -> str:
        """Return the name. Raises LookupError."""
        query = "SELECT name FROM customers WHERE customer = ?"
        row = self._ledger.execute(query, (customer,)).fetchone()
        if row is None:
            raise LookupError("no such customer")
        return str(row["name"])

    def add_address(self, one: Address) -> None:
        """Add an address. Raise Conflict if it is known, or its customer is not."""
        row = (one.address, one.customer, one.line, one.opted_out, one.zone and one.zone.key)
        into = """INSERT INTO addresses (address, customer, line, opted_out, zone)
            VALUES (?, ?, ?, ?, ?)"""
        self._ledger.execute(into, row)

    def put_address(self, one: Address, name: str) -> None:
        """Add an address and its customer, or replace the line, the zone and the name.

        An opt-out stays: only the customer takes it back.
        """
        row = (one.address, one.customer, one.line, one.opted_out, one.zone and one.zone.key)
        named = """INSERT INTO customers VALUES (?, ?)
            ON CONFLICT (customer) DO UPDATE SET name = excluded.name"""
        upsert = """INSERT INTO addresses (address, customer, line, opted_out, zone)
            VALUES (?, ?, ?, ?, ?) ON CONFLICT (address) DO UPDATE
            SET line = excluded.line, zone = excluded.zone,
            opted_out = (addresses.opted_out OR excluded.opted_out)"""
        with self._ledger.transaction():
            self._ledger.execute(named, (one.customer, name))
            self._ledger.execute(upsert, row)

    def customer_at(self, address: str) -> str | None:
        """Return the customer of an address; None if there is no such address."""
        query = "SELECT customer FROM addresses WHERE address = ?"
        row = self._ledger.execute(query, (address,)).fetchone()
        return None if row is None else str(row["customer"])

    def add(self, order: Order) -> None:
        """Add an order; `address_opted_out` and `zone` are the address's and passed over."""
        who = (order.number, order.customer, order.address, order.stop_id)
        where = (order.lat_deg, order.lon_deg, order.radius_m)
        flags = (order.signature_required, order.confidential, order.gift, order.opted_out)
        into = f"INSERT INTO orders VALUES ({', '.join('?' * 12)})"
        with self._ledger.exclusive_transaction():
            self._ledger.execute(into, (*who, *where, *flags, order.done))
            if order.done:  # nobody knows when
                row = (order.number, "", "dispatch", "")
                self._ledger.execute("INSERT INTO outcomes VALUES (?, ?, ?, ?)", row)
                OutcomeFeed(self._ledger).note(order.number)
            codes = [(order.number, code) for code in order.codes]
            self._ledger.executemany("INSERT INTO codes VALUES (?, ?)", codes)

    def change(self, order: Order) -> None:
        """Replace an order's address, place, codes and rule. Raises NoSuchOrder.

        Its customer and stop stay, and whether it is done; so does an opt-out, which only the
        customer takes back.
        """
        where = (order.address, order.lat_deg, order.lon_deg, order.radius_m)
        flags = (order.signature_required, order.confidential, order.gift, order.opted_out)
        change = """UPDATE orders SET address = ?, lat_deg = ?, lon_deg = ?, radius_m = ?,
            signature_required = ?, confidential = ?, gift = ?, opted_out = (opted_out OR ?)
            WHERE number = ?"""
        with self._ledger.exclusive_transaction():
            if self._ledger.execute(change, (*where, *flags, order.number)).rowcount == 0:
                raise NoSuchOrder("no such order")
            self._ledger.execute("DELETE FROM codes WHERE number = ?", (order.number,))
            codes = [(order.number, code) for code in order.codes]
            self._ledger.executemany("INSERT INTO codes VALUES (?, ?)", codes)

    def codes_of(self, numbers: Collection[str]) -> dict[str, list[str]]:
        """Return the codes of those of these orders that there are."""
        marks, found = ", ".join("?" * len(numbers)), dict[str, list[str]]()
        query = f"""SELECT o.number, c.code FROM orders o LEFT JOIN codes c ON c.number = o.number
            WHERE o.number IN ({marks})"""
        for number, code in self._ledger.execute(query, [*numbers]) if numbers else ():
            found.setdefault(number, []).extend([] if code is None else [code])
        return found

    def codes_beside(self, number: str, now: datetime) -> set[str]:
        """Return the codes of all other orders on the routes of this one that have not ended."""
        query = """SELECT c.code FROM route_orders own
            JOIN routes USING (route) JOIN route_orders other USING (route)
            JOIN codes c ON c.number = other.number
            WHERE own.number = ? AND other.number <> own.number AND ends > ?"""
        return {row["code"] for row in self._ledger.execute(query, (number, rfc3339(now)))}

    def find(self, number: str) -> Order:
        """Return the order. Raises NoSuchOrder."""
        return self._one("o.number", number)

    def at_stop(self, stop_id: str) -> Order:
        """Return the order of a stop. Raises NoSuchOrder."""
        return self._one("o.stop_id", stop_id)

    def numbers(self) -> list[str]:
        """Return the number of every order, the lowest first."""
        query = "SELECT number FROM orders ORDER BY number"
        return [row[0] for row in self._ledger.execute(query)]

    def of_customer(self, customer: str) -> list[Order]:
        """Return a customer's orders, the highest number first."""
        query = f"{_SELECT} WHERE o.customer = ? ORDER BY o.number DESC"
        return _orders(self._ledger.execute(query, (customer,)))

    def addresses_of(self, customer: str) -> list[Address]:
        """Return the addresses of a customer, by id."""
        query = "SELECT * FROM addresses WHERE customer = ? ORDER BY address"
        return [_address(row) for row in self._ledger.execute(query, (customer,))]

    def address(self, address: str) -> Address:
        """Return the address. Raises LookupError."""
        query = "SELECT * FROM addresses WHERE address = ?"
        row = self._ledger.execute(query, (address,)).fetchone()
        if row is None:
            raise LookupError("no such address")
        return _address(row)

    def door_of(self, order: Order) -> str:
        """Return the line of an order's address."""
        return self.address(order.address).line

    def on_route(self, route: str) -> list[Order]:
        """Return a route's orders, in the order of the round."""
        query = f"""{_SELECT} JOIN route_orders r ON r.number = o.number
            WHERE r.route = ? ORDER BY r.place"""
        return _orders(self._ledger.execute(query, (route,)))

    def carried_by(self, device_id: str, since: datetime, until: datetime) -> list[Order]:
        """Return everything on a route of that time which this device has, or had before a swap."""
        query = f"""{_SELECT} WHERE o.number IN (SELECT number FROM route_orders
            JOIN route_devices USING (route) JOIN routes USING (route)
            WHERE device_id = ? AND ends >= ? AND begins < ?) ORDER BY o.number"""
        row = (device_id, rfc3339(since), rfc3339(until))
        return _orders(self._ledger.execute(query, row))

    def was_carried_by(self, device_id: str, number: str) -> bool:
        """Return whether this order is on a route that this device has, or has ever had."""
        query = """SELECT 1 FROM route_orders JOIN route_devices USING (route)
            WHERE device_id = ? AND number = ?"""
        return self._ledger.execute(query, (device_id, number)).fetchone() is not None

    def lock(self, numbers: Collection[str]) -> None:
        """Lock orders until the end of the step that this is part of, in ascending order.

        So two who want the same orders never wait for each other for good. What is read afterwards
        is what the one before has left.
        """
        for number in sorted(numbers):
            self._ledger.execute("UPDATE orders SET done = done WHERE number = ?", (number,))

    def lock_address_of(self, number: str) -> None:
        """Lock an order's address, as `lock` does and after it: its customer may opt out there."""
        change = """UPDATE addresses SET opted_out = opted_out
            WHERE address = (SELECT address FROM orders WHERE number = ?)"""
        self._ledger.execute(change, (number,))

    def set_opted_out(self, number: str, *, opted_out: bool) -> None:
        """Set the opt-out. Raises NoSuchOrder. `Office.opt_out_order` erases as well."""
        change = "UPDATE orders SET opted_out = ? WHERE number = ?"
        if self._ledger.execute(change, (opted_out, number)).rowcount == 0:
            raise NoSuchOrder("no such order")

    def set_address_opted_out(self, address: str, *, opted_out: bool) -> None:
        """Set the opt-out. Raises LookupError. `Office.opt_out_address` erases as well."""
        change = "UPDATE addresses SET opted_out = ? WHERE address = ?"
        if self._ledger.execute(change, (opted_out, address)).rowcount == 0:
            raise LookupError("no such address")

    def _one(self, column: str, value: str) -> Order:
        found = _orders(self._ledger.execute(f"{_SELECT} WHERE {column} = ?", (value,)))
        if not found:
            raise NoSuchOrder("no such order")
        return found[0]


def new_stop_id() -> str:
    """Return the id of a new stop, which says nothing about its order."""
    return f"s-{secrets.token_hex(8)}"


def _orders(rows: Iterable[Row]) -> list[Order]:
    """Return orders in the order of the rows, each with its codes."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["number"], []).append(row)
    return [_order(same) for same in found.values()]


def _order(rows: list[Row]) -> Order:
    row, codes = rows[0], sorted(one["code"] for one in rows if one["code"] is not None)
    found: dict[str, Any] = {name: row[name] for name in _PLAIN}
    found |= {name: bool(row[name]) for name in _FLAGS}
    return Order(**found, codes=tuple(codes), zone=_zone(row))


def _address(row: Row) -> Address:
    is_out = bool(row["opted_out"])
    return Address(row["address"], row["customer"], row["line"], is_out, _zone(row))


def _zone(row: Row) -> ZoneInfo | None:
    return zones.named(row["zone"]) if row["zone"] else None
