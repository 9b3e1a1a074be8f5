"""The world around the device of `scripts/demo --play`: its doors, and changes by keys."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from doorstep_backend.office import demo
from doorstep_backend.office.model import Office
from doorstep_backend.office.orders import Order
from tests.demo import outcome
from tests.demo.receiver import Place
from tests.demo.story import M_PER_DEG

ASIDE_M: Final = 3.0
ACCURACY_M: Final = 4.5
"""Where the driver stands, north of a door, and how exactly the receiver knows, as in the round."""


@dataclass(frozen=True, slots=True)
class Switch:
    """Effect of a key on the world, and its reverse.

    Attributes:
        usual: words for what is so at first; nothing where it goes without saying.
        changed: words for the other.
        setting: of the world script while it is changed.
    """

    usual: str
    changed: str
    setting: Mapping[str, Any] = field(default_factory=dict)


SWITCHES: Final[Mapping[str, Switch]] = {
    "w": Switch("network", "NO NETWORK"),
    "g": Switch("GPS", "NO GPS"),
    "l": Switch("", "LABEL UP"),
    "e": Switch("", "ANOTHER STOP'S LABEL UP"),
    "d": Switch("day", "DARK", {"light": 0.02}),
    "m": Switch("still hand", "MOVING HAND", {"motion_px": 22.0}),
    "v": Switch("", "LENS COVERED", {"cover": 1.0}),
    "c": Switch("", "CRADLE", {"external": True}),
    "b": Switch("", "BATTERY LOW", {"battery_pct": 10}),
    "f": Switch("", "CAMERA FAULT", {"camera": "fail"}),
    "r": Switch("", "SHUT OUT"),
}


@dataclass(frozen=True, slots=True)
class Door:
    """A stop of the round, as a player must know it.

    Attributes:
        code: of its parcel label.
        elsewhere: the code of a parcel for another stop, which is not in reach.
    """

    order: str
    house: int
    stop_id: str
    words: str
    code: str
    elsewhere: str
    place: Place


def doors(office: Office) -> list[Door]:
    """Every stop, in the order of its order's number."""
    orders = [office.orders.find(number) for number in office.orders.numbers()]
    others = orders[2:] + orders[:2]  # not the next one: two doors are 8 m apart
    return [_door(order, other) for order, other in zip(orders, others, strict=True)]


def _door(order: Order, other: Order) -> Door:
    words = ", ".join(outcome.why(order)) or "photos allowed"
    if order.number in {demo.LEFT_DOOR, demo.RIGHT_DOOR}:
        words += ", a door 8 m away"
    line = demo.address_of(order).line
    told = f"order {order.number} of {order.customer}, {line}: {words}"
    beside = Place(order.lat_deg + ASIDE_M / M_PER_DEG, order.lon_deg, ACCURACY_M)
    house = demo.house_number(order)
    code, elsewhere = order.codes[0], other.codes[0]
    return Door(order.number, house, order.stop_id, told, code, elsewhere, beside)


def words(changed: Collection[str]) -> str:
    """Return the state of the world in words."""
    told = (one.changed if key in changed else one.usual for key, one in SWITCHES.items())
    return ", ".join(word for word in told if word)


def script(number: int, door: Door, changed: Collection[str]) -> str:
    """Return the world script of a door; its number in the round chooses how it looks."""
    label = door.code if "l" in changed else door.elsewhere if "e" in changed else ""
    values = {"door": number, "house": door.house, "label": label}
    for key in changed:
        values |= SWITCHES[key].setting
    lines = (f"{name} = {json.dumps(value)}\n" for name, value in values.items())
    return "[[at]]\nsecond = 0\n" + "".join(lines)
