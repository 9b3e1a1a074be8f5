"""PUT /api/routes/{device}/{day}: the route of a device on a day, as a whole."""

import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from agent.models import DEVICE_ID, from_rfc3339, rfc3339
from agent.rule.manifest import STOPS_LIMIT, VALIDITY_LIMIT
from doorstep_backend.api import Put, put_result
from doorstep_backend.api.problem import Fault, pointer
from doorstep_backend.api.reading import AN_ID, ID, Members, check
from doorstep_backend.identity.known import DeviceState
from doorstep_backend.identity.register import Register
from doorstep_backend.office.delivery_routes import DayRoute
from doorstep_backend.office.model import Office

MEMBERS: Final = "begins ends orders"

FAR: Final = timedelta(days=366)
"""Longest time from now to a route: a wrong year is a slip."""

A_TIME: Final = "a time in UTC, as 2026-12-01T06:00:00Z"

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def put(
    office: Office,
    register: Register | None,
    asked: tuple[str, str],
    given: Mapping[str, Any],
    now: datetime,
) -> tuple[Put, dict[str, Any]]:
    """Plan or replace a route; return the result, and the answer.

    No device ends meanwhile: of two requests at once, the second one sees the first one's result.

    Args:
        asked: the device and the day.

    Raises:
        WrongDocumentError: nothing was changed.
    """
    planned, faults = read(asked, given, office.settings.zone, now)
    with nullcontext() if register is None else register.ending():
        if register is not None:
            faults += _device_faults(register, planned.device_id)
        with office.ledger.exclusive_transaction():
            faults += _order_faults(office, planned.numbers)
            if not faults and (other := office.routes.other_day_at(planned)) is not None:
                why = f"the route overlaps that of {other}, which this device has too"
                faults.append(Fault(pointer("begins"), why))
            check(faults)
            before = office.routes.planned_on(planned.device_id, planned.day)
            answer = _document(planned)
            result = put_result(before and _document(before), answer)
            if result is not Put.SAME:  # a repeated PUT takes back no route that was handed on
                office.routes.put(planned, now)
    return result, answer


def _document(planned: DayRoute) -> dict[str, Any]:
    return {
        "device": planned.device_id,
        "day": str(planned.day),
        "begins": rfc3339(planned.begins),
        "ends": rfc3339(planned.ends),
        "orders": list(planned.numbers),
    }


def read(
    asked: tuple[str, str], given: Mapping[str, Any], zone: ZoneInfo, now: datetime
) -> tuple[DayRoute, list[Fault]]:
    """Read a document for a device and a day; return the route, and the faults. Pure."""
    device_id, text = asked
    members = Members(given, [], names=MEMBERS)
    begins, ends = (members.parsed(name, from_rfc3339, A_TIME) for name in ("begins", "ends"))
    numbers = members.texts("orders", ID, AN_ID, STOPS_LIMIT)
    if not DEVICE_ID.fullmatch(device_id):
        members.faults.append(Fault("device", "is no id of a device"))
    day = _date(text, members.faults)
    if begins is not None and abs(begins - now) > FAR:
        members.note("is more than a year away", "begins")
    elif begins is not None and day not in {None, begins.astimezone(zone).date()}:
        members.note(f"is not on {day} in {zone.key}, the backend's zone", "begins")
    if begins is not None and ends is not None:
        if not timedelta(0) < ends - begins <= VALIDITY_LIMIT:
            members.note("must be after begins, and at most 24 hours after it", "ends")
        elif ends <= now:
            members.note("has passed, so no device would get this route", "ends")
    route = DayRoute(device_id, day or now.date(), begins or now, ends or now, numbers)
    return route, members.faults


def _date(day: str, faults: list[Fault]) -> date | None:
    try:
        if _DAY.fullmatch(day):
            return date.fromisoformat(day)
    except ValueError:
        pass
    faults.append(Fault("day", "must be a day, as 2026-12-01"))
    return None


def _device_faults(register: Register, device_id: str) -> list[Fault]:
    state = register.state(device_id)
    if state is DeviceState.IN:
        return []
    if state is None:
        return [Fault("device", "no such device; `devices list` names all")]
    return [Fault("device", f"this device is not let in: {state}")]


def _order_faults(office: Office, numbers: Sequence[str]) -> list[Fault]:
    """Return the faults of orders that are missing, or that share a code."""
    codes, faults, seen = office.orders.codes_of(numbers), list[Fault](), dict[str, int]()
    for place, number in enumerate(numbers):
        if number and number not in codes:
            why = "no such order; send PUT /api/orders/{number} first"
            faults.append(Fault(pointer("orders", place), why))
        for code in codes.get(number, ()):
            if (first := seen.setdefault(code, place)) != place:
                why = f"has a code that the order at {first} has too; give each its own codes"
                faults.append(Fault(pointer("orders", place), why))
    return faults
