"""The demo's round: which doors, what happens there, and what must come of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Final

from agent.models import BoundBy, Reason
from doorstep_backend.office import demo
from doorstep_backend.office.model import Office, open_office
from doorstep_backend.office.orders import Order
from doorstep_backend.wire.store import Store
from tests.demo.receiver import Place

YARD: Final = "1009"
STAIRWELL: Final = "1010"
"""Two more stops of the demo's town, both dark; the second without a satellite in sight."""

MISPLACED: Final = "1011"
"""A stop that the map has elsewhere: its door is where the map has YARD."""

PRACTICE: Final = "DOORSTEP-PRACTICE"
"""The label for practice, as the reference backend puts it into every manifest."""

M_PER_DEG: Final = 111_195.0
"""Metres per degree of a great circle. Source: mean earth radius 6,371,008.8 m (IUGG)."""


class Turn(Enum):
    """Events between two presses; the value is what the demo says of each."""

    NETWORK_LOST = "the network is lost"
    REPORTED = "the customer of order 1009 says: this is not my door; nobody sees the photo now"
    CORRECTED = "dispatch opens the photo in that case, and moves it to order 1011"
    ASKED = "dispatch asks the device itself, by a way that is not lost"
    TAKEN_BACK = "scan held for 2 s: the last press is taken back"
    OPTS_OUT = "the customer of order 1008 says: don't take delivery photos"
    NETWORK_BACK = "the network is back: what waited is sent, the new route comes"
    SWAPPED = "the device is dropped; dispatch gives the route to another one, demo-02"
    SHUT_OUT = "the wrong device is reported stolen: dispatch revokes demo-02"
    LET_IN = "back at the depot; the mistake is found, and dispatch lets demo-02 in again"
    RANG_UP = "the customer of order 1005 rings up; dispatch notes that it was delivered"
    BOUND = "dispatch binds the photo of the stairwell to order 1010"
    KILLED = "no GPS in the stairwell; kill -9 of the capture process, and a new start"
    STALLED = "the network falls silent in the middle of the next record"
    KILLED_SENDING = "kill -9 of capture and sync while that record is sent, and a new start"


@dataclass(frozen=True, slots=True)
class Step:
    """A press.

    Attributes:
        at: the order whose door it is.
        mapped: the order that the map has at this door; None if the map is right.
        comes_to: how the photo is bound, or why there is none.
        world: what the world script says from this press on, besides the door.
        label: the code that is held before the camera until this press.
        aside_m: how far north of the door the driver stands.
        accuracy_m: of the receiver there; None where it sees no satellite.
    """

    story: str
    at: str
    comes_to: BoundBy | Reason
    world: str = ""
    label: str = ""
    aside_m: float = 3.0
    accuracy_m: float | None = 4.5
    mapped: str | None = None

    @property
    def place_of(self) -> str:
        """Order whose place on the map this door has."""
        return self.mapped or self.at


ROUND: Final[tuple[Step | Turn, ...]] = (
    Step("a door in daylight; the hand shakes", demo.ALLOWED, BoundBy.PLACE, "motion_px = 22.0"),
    Step("the retake that amber asked for", demo.ALLOWED, BoundBy.PLACE, "motion_px = 0.0"),
    Step("a door that is wrong on the map", MISPLACED, BoundBy.PLACE, mapped=YARD),
    Turn.REPORTED,
    Turn.CORRECTED,
    Step("a confidential address", demo.CONFIDENTIAL, Reason.NO_PHOTO_STOP),
    Step(
        "its label held up: delivered, without a photo",
        demo.CONFIDENTIAL,
        Reason.NO_PHOTO_STOP,
        label="DSTEP1003",
    ),
    Step(
        "the label of another stop, held up there",
        demo.CONFIDENTIAL,
        Reason.CODE_ELSEWHERE,
        label="DSTEP1008",
    ),
    Turn.NETWORK_LOST,
    Step(
        "two doors in one building, no label read",
        demo.LEFT_DOOR,
        BoundBy.AMBIGUOUS,
        accuracy_m=9.0,
    ),
    Step(
        "the label held up: the left door",
        demo.LEFT_DOOR,
        BoundBy.CODE,
        label="DSTEP1006A",
        accuracy_m=9.0,
    ),
    Step(
        "the other label: the right door",
        demo.RIGHT_DOOR,
        BoundBy.CODE,
        label="DSTEP1007",
        accuracy_m=9.0,
    ),
    Turn.ASKED,
    Turn.TAKEN_BACK,
    Step(
        "put down elsewhere, its label read again",
        demo.RIGHT_DOOR,
        BoundBy.CODE,
        label="DSTEP1007",
        aside_m=6.0,
        accuracy_m=9.0,
    ),
    Step(
        "a customer who wants no photos; the label",
        demo.OPTED_OUT,
        Reason.NO_PHOTO_STOP,
        label="DSTEP1004",
    ),
    Step("a door that may be photographed, as yet", demo.CHANGES_MIND, BoundBy.PLACE),
    Turn.OPTS_OUT,
    Turn.NETWORK_BACK,
    Step("the same door on the new route", demo.CHANGES_MIND, Reason.NO_PHOTO_STOP),
    Turn.SWAPPED,
    Step("a dark yard", YARD, BoundBy.PLACE, "light = 0.02", aside_m=5.0, accuracy_m=12.0),
    Turn.SHUT_OUT,
    Step("a delivery that is signed for", demo.SIGNATURE, Reason.SIGNATURE_STOP, "light = 0.3"),
    Step(
        "its label held up, and handed over",
        demo.SIGNATURE,
        Reason.HANDED_OVER,
        label="DSTEP1002",
    ),
    Turn.KILLED,
    Step("a door up dark stairs", STAIRWELL, Reason.NO_POSITION, "light = 0.02", accuracy_m=None),
    Step(
        "its label held up: for dispatch to bind",
        STAIRWELL,
        BoundBy.CODE,
        label="DSTEP1010",
        accuracy_m=None,
    ),
    Turn.LET_IN,
    Turn.RANG_UP,
    Turn.BOUND,
)

SHOWN: Final[Mapping[str, Sequence[int]]] = {
    demo.ALLOWED: [2],
    demo.LEFT_DOOR: [8],
    demo.RIGHT_DOOR: [10],
    MISPLACED: [3],
    STAIRWELL: [18],
    YARD: [14],
}
"""The presses whose photos the customers see in the end; of every other order, none."""

BLURRED, RETAKE, AMBIGUOUS, TAKEN_BACK, OPTED_OUT_LATE, DARK = 1, 2, 7, 9, 12, 14
"""Presses that come to something of their own; by the numbers of ROUND."""

DONE_AT_SWAP: Final = {
    demo.ALLOWED,
    demo.CONFIDENTIAL,
    demo.OPTED_OUT,
    demo.LEFT_DOOR,
    demo.RIGHT_DOOR,
    demo.CHANGES_MIND,
    MISPLACED,
}
"""The state that the second device must find done on its first route."""

_MORE: Final = (
    Order(YARD, "c-1", "a-9", "s-52be", ("DSTEP1009",), 52.5303, 13.3777),
    Order(STAIRWELL, "c-2", "a-10", "s-e817", ("DSTEP1010",), 52.5323, 13.3777),
    Order(MISPLACED, "c-3", "a-11", "s-6da4", ("DSTEP1011",), 52.5343, 13.3777),
)

_HOUSES: Final = {one.number: demo.house_number(one) for one in (*demo.ORDERS, *_MORE)}
"""The house number of every order: it chooses the rendered door, and is beside it."""


def demo_office(folder: Path, device_id: str) -> Office:
    """The demo's customers and orders, all on one route that `device_id` carries."""
    office = open_office(Store(folder), show_simulated=True)
    demo.settle(office)
    for order in _MORE:
        office.orders.add_address(demo.address_of(order))
        office.orders.add(order)
    demo.send_out(office, device_id, datetime.now(UTC))
    return office


def place(step: Step, order: Order) -> Place | None:
    """Position of the driver by the receiver; None without a fix."""
    if step.accuracy_m is None:
        return None
    return Place(order.lat_deg + step.aside_m / M_PER_DEG, order.lon_deg, step.accuracy_m)


def worlds() -> Iterator[str]:
    """The world script of each device of the round, in turn."""
    steps: list[Step] = []
    for one in (*ROUND, Turn.SWAPPED):
        match one:
            case Step():
                steps.append(one)
            case Turn.SWAPPED:
                yield script(steps)
                steps = []


def script(steps: Sequence[Step]) -> str:
    """Return a world script by presses; a label is shown from the press before its own on."""
    labels = [step.label for step in steps] + [""]
    doors = [f"door = {house}\nhouse = {house}" for house in (_HOUSES[step.at] for step in steps)]
    entries = [f'[[at]]\nsecond = 0\nlabel = "{labels[0]}"\n{doors[0]}\n']
    entries += [
        f'[[at]]\npress = {n}\nlabel = "{labels[n]}"\n{doors[n - 1]}\n{step.world}\n'
        for n, step in enumerate(steps, start=1)
    ]
    return "\n".join(entries)
