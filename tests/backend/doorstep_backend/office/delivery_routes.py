"""Routes and the devices that carry them, and from that the manifest of one device."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from agent.models import from_rfc3339, rfc3339
from agent.record import signing
from agent.rule.manifest import VALIDITY_LIMIT
from doorstep_backend.engines.sql import Database, Row
from doorstep_backend.office.orders import Order, Orders

EARLY: Final = timedelta(hours=12)
"""Longest time before its begin at which a device gets a planned route: in the evening before, when
it is in its cradle. A thief of the device finds the doors of one day in it.
"""

Sign = Callable[[dict[str, Any]], str]
"""Signs the payload of a manifest."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A device's manifest as it stands; the same token until something changes."""

    version: int
    token: str


@dataclass(frozen=True, slots=True)
class DayRoute:
    """The route of a device on a day, which a system plans as a whole; `numbers` in driving order.

    Attributes:
        day: on which it begins, by the clocks of the backend's zone.
    """

    device_id: str
    day: date
    begins: datetime
    ends: datetime
    numbers: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the route; no other one has a blank in it."""
        return f"{self.day} {self.device_id}"


@dataclass(frozen=True, slots=True)
class _Changed:
    """The content of a device's next manifest; the last version is 0 before the first."""

    content: dict[str, Any]
    last_version: int


class DeliveryRoutes:
    """Which device drives what today."""

    def __init__(self, ledger: Database, orders: Orders, practice_codes: Sequence[str]) -> None:
        self._ledger = ledger
        self._orders = orders
        self._practice_codes = list(practice_codes)

    def plan(self, route: str, numbers: Sequence[str], begins: datetime, ends: datetime) -> None:
        """Make a route, or replace the orders and times of one; `numbers` in driving order.

        Raises:
            ValueError: it is longer than a manifest may be valid.
        """
        if not timedelta(0) < ends - begins <= VALIDITY_LIMIT:
            raise ValueError(f"route: from 0 to {VALIDITY_LIMIT}, not {ends - begins}")
        times = (rfc3339(begins), rfc3339(ends))
        rows = [(route, number, place) for place, number in enumerate(numbers)]
        upsert = """INSERT INTO routes VALUES (?, ?, ?)
            ON CONFLICT (route) DO UPDATE SET begins = excluded.begins, ends = excluded.ends"""
        with self._ledger.exclusive_transaction():
            self._ledger.execute(upsert, (route, *times))
            self._ledger.execute("DELETE FROM route_orders WHERE route = ?", (route,))
            self._ledger.executemany("INSERT INTO route_orders VALUES (?, ?, ?)", rows)
            change = "UPDATE assignments SET begins = ?, ends = ? WHERE route = ?"
            self._ledger.execute(change, (*times, route))

    def assign(self, route: str, device_id: str) -> None:
        """Give the route to a device, at any time; who had it has an empty manifest from then on.

        What is done stays done. What the old device still has to send is bound all the same.
        """
        take = "UPDATE assignments SET route = NULL WHERE route = ? AND device_id <> ?"
        give = """INSERT INTO assignments SELECT ?, route, begins, ends FROM routes WHERE route = ?
            ON CONFLICT (device_id) DO UPDATE SET
            route = excluded.route, begins = excluded.begins, ends = excluded.ends"""
        planned = "INSERT INTO route_devices VALUES (?, ?) ON CONFLICT DO NOTHING"
        with self._ledger.exclusive_transaction():
            self._ledger.execute(take, (route, device_id))
            if self._ledger.execute(give, (device_id, route)).rowcount == 0:
                raise LookupError("no such route: plan it first")
            self._ledger.execute(planned, (route, device_id))

    def planned_on(self, device_id: str, day: date) -> DayRoute | None:
        """Return the route of a device that was planned for a day, if any."""
        query = """SELECT route, begins, ends FROM planned_routes JOIN routes USING (route)
            WHERE device_id = ? AND day = ?"""
        row = self._ledger.execute(query, (device_id, str(day))).fetchone()
        if row is None:
            return None
        orders = "SELECT number FROM route_orders WHERE route = ? ORDER BY place"
        numbers = tuple(one["number"] for one in self._ledger.execute(orders, (row["route"],)))
        begins, ends = (from_rfc3339(row[name]) for name in ("begins", "ends"))
        return DayRoute(device_id, day, begins, ends, numbers)

    def put(self, planned: DayRoute, now: datetime) -> None:
        """Plan a device's route of a day, in place of the one before.

        It takes the place of a route that the device has at that time or for later, and otherwise
        waits until that has ended. An order that is left out counts as carried, because the device
        may have taken its photo already.

        Raises:
            ValueError: it is longer than a manifest may be valid.
        """
        values = {"device": planned.device_id, "day": str(planned.day), "route": planned.name}
        into = "INSERT INTO planned_routes VALUES (:device, :day, :route) ON CONFLICT DO NOTHING"
        carries = "INSERT INTO route_devices VALUES (:route, :device) ON CONFLICT DO NOTHING"
        with self._ledger.exclusive_transaction():
            self._keep_left_out(planned)
            self.plan(planned.name, planned.numbers, planned.begins, planned.ends)
            self._ledger.execute(into, values)
            self._ledger.execute(carries, values)
            if self._has_later_one(planned, now):
                self.assign(planned.name, planned.device_id)
            self._take_up(planned.device_id, now)

    def other_day_at(self, planned: DayRoute) -> str | None:
        """Return the day of another planned route of the device at the same time, if any."""
        query = """SELECT day FROM planned_routes JOIN routes USING (route)
            WHERE device_id = ? AND day <> ? AND begins < ? AND ends > ?"""
        row = (str(planned.day), rfc3339(planned.ends), rfc3339(planned.begins))
        found = self._ledger.execute(query, (planned.device_id, *row)).fetchone()
        return None if found is None else str(found["day"])

    def _keep_left_out(self, planned: DayRoute) -> None:
        """Put the orders that are left out now on a route beside, which no manifest has."""
        query = "SELECT number FROM route_orders WHERE route = ?"
        before = {row["number"] for row in self._ledger.execute(query, (planned.name,))}
        if not (left_out := before - set(planned.numbers)):
            return
        past = f"{planned.name} past"
        for into, row in (
            ("routes VALUES (?, ?, ?)", (past, rfc3339(planned.begins), rfc3339(planned.ends))),
            ("route_devices VALUES (?, ?)", (past, planned.device_id)),
            *(("route_orders VALUES (?, ?, 0)", (past, one)) for one in left_out),
        ):
            self._ledger.execute(f"INSERT INTO {into} ON CONFLICT DO NOTHING", row)

    def _has_later_one(self, planned: DayRoute, now: datetime) -> bool:
        """Return whether the device has, or had, another route that ends after this one begins."""
        query = """SELECT 1 FROM assignments WHERE device_id = ? AND route IS DISTINCT FROM ?
            AND ends > ? AND ends > ?"""
        row = (planned.device_id, planned.name, rfc3339(now), rfc3339(planned.begins))
        return self._ledger.execute(query, row).fetchone() is not None

    def _take_up(self, device_id: str, now: datetime) -> None:
        """Give a device its next planned route, once the one before has ended."""
        if self._next(device_id, now) is None:  # as at most requests
            return
        with self._ledger.exclusive_transaction():
            if (route := self._next(device_id, now)) is not None:
                self.assign(route, device_id)

    def _next(self, device_id: str, now: datetime) -> str | None:
        query = """SELECT p.route FROM planned_routes p JOIN routes r ON r.route = p.route
            WHERE p.device_id = :device AND r.ends > :now AND r.begins <= :early
            AND NOT EXISTS (SELECT 1 FROM assignments a
                WHERE a.route = p.route OR a.device_id = p.device_id AND a.ends > :now)
            ORDER BY r.begins LIMIT 1"""
        values = {"device": device_id, "now": rfc3339(now), "early": rfc3339(now + EARLY)}
        row = self._ledger.execute(query, values).fetchone()
        return None if row is None else str(row["route"])

    def unassign(self, device_id: str) -> None:
        """Take its route from a device: it has an empty manifest from then on."""
        take = "UPDATE assignments SET route = NULL WHERE device_id = ?"
        with self._ledger.exclusive_transaction():
            self._ledger.execute(take, (device_id,))

    def hand_on(self, device_id: str, other: str, now: datetime) -> None:
        """Give a device's route to another: whole, or behind its own what is not done yet.

        The other one's next route, if that was planned for it, waits meanwhile. The route stays
        planned as it was: what the first device still has to send is bound all the same.
        """
        append = """INSERT INTO route_orders SELECT :to, r.number, r.place + 1 + coalesce(
                (SELECT max(place) FROM route_orders WHERE route = :to), 0)
            FROM route_orders r JOIN orders o ON o.number = r.number
            WHERE r.route = :of AND NOT o.done ON CONFLICT DO NOTHING"""
        # If two dispatchers hand a route to one device at once, the second hand-over appends.
        with self._ledger.exclusive_transaction():
            self._take_up(device_id, now)
            self._take_up(other, now)
            given, own = self._route_of(device_id, now), self._route_of(other, now)
            if given is not None and (own is None or self._is_next(own, other, given)):
                self.assign(given, other)
            elif given is not None:
                self._ledger.execute(append, {"to": own, "of": given})

    def _is_next(self, own: str, device_id: str, given: str) -> bool:
        """Return whether the device's own route is one that it takes up again after a given one."""
        query = """SELECT 1 FROM planned_routes p JOIN routes o ON o.route = p.route
            JOIN routes g ON g.route = ?
            WHERE p.route = ? AND p.device_id = ? AND o.begins >= g.ends"""
        return self._ledger.execute(query, (given, own, device_id)).fetchone() is not None

    def _route_of(self, device_id: str, now: datetime) -> str | None:
        """Return the route; None without one, or if it has ended."""
        query = """SELECT route FROM assignments
            WHERE device_id = ? AND route IS NOT NULL AND ends > ?"""
        row = self._ledger.execute(query, (device_id, rfc3339(now))).fetchone()
        return None if row is None else str(row["route"])

    def manifest(self, device_id: str, now: datetime, sign: Sign, kid: str) -> Issued | None:
        """Return the manifest for this device; None if it has no route today, or that has ended.

        The version is one more than the last, or the Unix time if that is more: so it also grows
        when this database was lost or restored from a copy. A manifest that another key than `kid`
        signed is made again.
        """
        self._take_up(device_id, now)
        found = self._found(device_id, now, kid)
        if not isinstance(found, _Changed):
            return found
        # Of two requests at once one issues it. A plan that changes meanwhile waits for the row, so
        # that times and orders are of one plan.
        hold = "UPDATE assignments SET route = route WHERE device_id = ?"
        with self._ledger.exclusive_transaction(device_id):
            self._ledger.execute(hold, (device_id,))
            found = self._found(device_id, now, kid)
            return self._issue(found, now, sign) if isinstance(found, _Changed) else found

    def _found(self, device_id: str, now: datetime, kid: str) -> "Issued | _Changed | None":
        """Return the present manifest, or the contents of the next one; None without a route."""
        query = "SELECT * FROM assignments WHERE device_id = ? AND ends > ?"
        assignment = self._ledger.execute(query, (device_id, rfc3339(now))).fetchone()
        if assignment is None:
            return None
        content = self._content(assignment)
        last = self._last(device_id)
        is_same = last is not None and last["content"] == _text(content)
        if last is not None and is_same and signing.key_id(last["token"]) == kid:
            return Issued(last["version"], last["token"])
        return _Changed(content, last["version"] if last else 0)

    def _issue(self, changed: "_Changed", now: datetime, sign: Sign) -> Issued:
        upsert = """INSERT INTO manifests VALUES (?, ?, ?, ?) ON CONFLICT (device_id) DO UPDATE
            SET version = excluded.version, content = excluded.content, token = excluded.token"""
        content = changed.content
        version = max(changed.last_version + 1, int(now.timestamp()))
        token = sign({"v": 1, "version": version, **content})
        self._ledger.execute(upsert, (content["device_id"], version, _text(content), token))
        return Issued(version, token)

    def forget_ended(self, now: datetime, most: int) -> int:
        """Wipe up to so many manifests that have ended, and keep their versions; how many."""
        ended = """UPDATE manifests SET content = NULL, token = NULL WHERE content IS NOT NULL
            AND device_id IN (SELECT device_id FROM assignments JOIN manifests USING (device_id)
            WHERE ends <= ? AND content IS NOT NULL LIMIT ?)"""
        return self._ledger.execute(ended, (rfc3339(now), most)).rowcount

    def forget(self, before: datetime, most: int) -> int:
        """Drop up to so many routes that ended before a time; returns how many."""
        gone = """DELETE FROM routes WHERE ends <= :before AND route IN
            (SELECT route FROM routes WHERE ends <= :before LIMIT :most)"""
        values = {"before": rfc3339(before), "most": most}
        return self._ledger.execute(gone, values).rowcount

    def _last(self, device_id: str) -> Row | None:
        query = "SELECT * FROM manifests WHERE device_id = ?"
        row: Row | None = self._ledger.execute(query, (device_id,)).fetchone()
        return row

    def _content(self, assignment: Row) -> dict[str, Any]:
        route = assignment["route"]
        orders = [] if route is None else self._orders.on_route(route)
        return {
            "device_id": assignment["device_id"],
            "begins": assignment["begins"],
            "ends": assignment["ends"],
            "stops": [_stop(order) for order in orders],
            "practice_codes": self._practice_codes,
        }


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":"))


def _stop(order: Order) -> dict[str, Any]:
    """Return the stop as a device reads it: no number, no name, no reason."""
    return {
        "id": order.stop_id,
        "codes": list(order.codes),
        "lat_deg": order.lat_deg,
        "lon_deg": order.lon_deg,
        "radius_m": order.radius_m,
        "done": order.done,
        "photo": order.photo.value,
    }
