"""The outcome of the demo's round: the table, the pages, and each difference from the story.

All of it is read from what the devices say and from the backend, not from the story.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from textwrap import wrap
from typing import Any, Final

from agent.models import BoundBy, QualityVerdict, Reason
from doorstep_backend.office.model import Office
from doorstep_backend.office.orders import NoSuchOrder, Order
from doorstep_backend.pages import words
from hardware.indicator import Signal
from tests.demo import lights, story
from tests.demo.asking import WIDTH
from tests.demo.driver import Pressed
from tests.support.backend import Backend

COLUMNS: Final = "{:>5}  {:<9}  {:<19}  {:<32}  {}"

HEAD: Final = ("press", "light", "came of it", "stop", "receipt")

REASONS: Final = {
    Reason.NO_PHOTO_STOP: "a stop without photos in reach",
    Reason.CODE_ELSEWHERE: "its label is of another place",
    Reason.SIGNATURE_STOP: "a stop that is signed for",
    Reason.NO_POSITION: "unknown: no position, no label",
}


def why_none(record: Mapping[str, Any]) -> str:
    """Why there is no photo, in words."""
    reason = str(record["reason"])
    words = REASONS.get(Reason(reason), reason.replace("_", " "))
    if record["stop"]["bound_by"] == BoundBy.CODE and reason != Reason.CODE_ELSEWHERE:
        return words.removesuffix(" in reach") + ", by label"
    return words


BOUND: Final = {
    BoundBy.CODE: "by its label",
    BoundBy.PLACE: "the only one in reach",
}


class Outcome:
    """The round's end, as devices (`rows` of their queues) and backend have it."""

    def __init__(
        self,
        pressed: Sequence[Pressed],
        rows: Sequence[Mapping[str, Any]],
        office: Office,
        backend: Backend,
    ) -> None:
        self._pressed = pressed
        self._rows = {str(row["capture_id"]): row for row in rows}
        self._office = office
        self._backend = backend
        self._numbers = {press.capture_id: press.number for press in pressed if press.step}

    def table(self) -> Iterator[str]:
        """A line per press."""
        yield COLUMNS.format(*HEAD)
        device_id = self._pressed[0].device_id
        for press in self._pressed:
            if press.device_id != device_id:
                device_id = press.device_id
                yield f"       {device_id} has the route now"
            yield COLUMNS.format(
                press.number,
                press.light,
                self._came(press),
                self._stop(press),
                self._receipt(press),
            ).rstrip()

    def people(self) -> Iterator[str]:
        """Return the photos that each customer sees, by order, and those that wait."""
        yield "What the customers see:"
        for number in self._office.orders.numbers():
            order = self._office.orders.find(number)
            kind = f" ({', '.join(reasons)})" if (reasons := why(order)) else ""
            yield from self._seen(number, f"  {order.customer}, order {number}{kind}:")
        filing = self._office.filing
        yield "What waits for dispatch, to be bound:"
        for photo in filing.waiting():
            reason = words.WAITS.get(photo.bound_by, "")
            yield f"  press {self._number(photo.capture_id)}: {reason}"
        yield f"  {len(filing.flagged())} with a quality flag, {len(filing.voids())} taken back"

    def problems(self) -> list[str]:
        """Return each difference from the story; empty without one."""
        return [*self._wrong_presses(), *self._unsent(), *self._wrong_orders(), *self._wrong_rest()]

    def _wrong_presses(self) -> Iterator[str]:
        for press in self._pressed:
            yield from wrong_press(press, self._order_at)
        blurred, retake = (self._find(number) for number in (story.BLURRED, story.RETAKE))
        if (
            blurred.light != lights.name(Signal.ONCE_MORE)
            or retake.record["retake_of"] != blurred.capture_id
        ):
            yield "the blurred photo was not taken again"
        if not self._find(story.DARK).record["photo"]["lamp"]:
            yield "no lamp in the dark"

    def _unsent(self) -> Iterator[str]:
        for press in self._pressed:
            if press.capture_id not in self._rows:
                yield f"press {press.number}: it is not in the queue"
        for capture_id, row in self._rows.items():
            arrived = self._backend.received_file(capture_id).exists()
            if row["state"] != "DELIVERED" or not arrived:
                yield f"a {row['kind']} record is {row['state']}, at the backend: {arrived}"
        judged = {one.capture_id for one in self._office.store.verdicts()}
        for capture_id in sorted(judged - self._rows.keys()):
            yield f"the backend has {capture_id}, which is on no device"

    def _wrong_orders(self) -> Iterator[str]:
        for number in self._office.orders.numbers():
            shown = [self._number(one.capture_id) for one in self._shown(number)]
            wanted = list(story.SHOWN.get(number, []))
            if shown != wanted:
                yield f"order {number} shows the photos of presses {shown} in place of {wanted}"
            if not self._office.orders.find(number).done:
                yield f"order {number} is not done"

    def _wrong_rest(self) -> Iterator[str]:
        filing = self._office.filing
        waiting = [self._number(one.capture_id) for one in filing.waiting()]
        voids = [self._number(one.about) for one in filing.voids()]
        if waiting != [story.AMBIGUOUS]:
            yield f"for dispatch to bind: the photos of presses {waiting}"
        if voids != [story.TAKEN_BACK]:
            yield f"taken back: presses {voids}"
        late = self._find(story.OPTED_OUT_LATE).capture_id
        if (
            not filing.is_erased(late)
            or (self._office.store.folder / "photos" / f"{late}.jpg").exists()
        ):
            yield "a photo that its customer no longer wanted was not deleted on arrival"

    def _came(self, press: Pressed) -> str:
        record, kind = press.record, press.label["kind"]
        if kind == "void":
            return f"takes press {self._number(press.label['about'])} back"
        if kind == "no_photo":
            came = "handed over" if record["reason"] == Reason.HANDED_OVER else "no photo"
            return f"{came}, no frame" if press.stayed_shut else came
        return f"photo{self._more(press)}"

    def _more(self, press: Pressed) -> str:
        """Return what is special about a photo."""
        record = press.record
        if self._office.filing.is_erased(press.capture_id):
            return ", then deleted"
        if press.step and press.step.mapped:
            return ", then moved"
        if record["retake_of"]:
            return f", retake of {self._number(record['retake_of'])}"
        if record["photo"]["lamp"]:
            return " with lamp"
        verdict = record["quality"]["verdict"]
        return "" if verdict == QualityVerdict.OK else f", {verdict}"

    def _stop(self, press: Pressed) -> str:
        if press.step is None:
            return ""
        stop, reason = press.record["stop"], press.record.get("reason")
        if reason not in {None, Reason.HANDED_OVER} or (reason and stop["id"] is None):
            return why_none(press.record)
        if stop["bound_by"] == BoundBy.AMBIGUOUS:
            return "one of several in reach"
        named = self._order_at(stop["id"])
        filed = self._office.filing.filed(press.capture_id)
        if filed is not None and filed.number not in {named, None}:
            return f"{named} by the place, now {filed.number}"
        apart = "; bound later" if stop["ring"] is None else f", {stop['distance_m']:.0f} m"
        return f"{named}, {BOUND[stop['bound_by']]}{apart}"

    def _receipt(self, press: Pressed) -> str:
        """Return how long after the press its receipt came."""
        row = self._rows.get(press.capture_id, {})
        if not row.get("decided_utc"):
            return f"NOT SENT: {row.get('state', 'no record')}"
        pressed, received = (
            datetime.fromisoformat(utc) for utc in (press.label["utc"], row["decided_utc"])
        )
        return f"in {(received - pressed).total_seconds():.0f} s"

    def _seen(self, number: str, order: str) -> Iterator[str]:
        photos = self._shown(number)
        if not photos:
            yield f"{order} {self._delivered(number)}"
            return
        zone = self._office.zone_of(number)
        left = [words.day_and_time(one.left_at, zone) for one in photos if one.left_at is not None]
        presses = ", ".join(str(self._number(one.capture_id)) for one in photos)
        yield f"{order} photo of press {presses}."
        yield f"    It was left on {left[0]}."
        yield f"    {photos[0].how_placed()}"

    def _delivered(self, number: str) -> str:
        outcome = self._office.filing.outcomes.of(number)
        order, zone = self._office.orders.find(number), self._office.zone_of(number)
        return words.delivered(order, outcome, zone)

    def _shown(self, number: str) -> list[Any]:
        return self._office.filing.photos_of(number)

    def _order_at(self, stop_id: str | None) -> str | None:
        try:
            return None if stop_id is None else self._office.orders.at_stop(stop_id).number
        except NoSuchOrder:
            return None

    def _find(self, number: int) -> Pressed:
        return next(press for press in self._pressed if press.step and press.number == number)

    def _number(self, capture_id: str) -> int | None:
        return self._numbers.get(capture_id)


def wrong_press(press: Pressed, order_at: Callable[[str | None], str | None]) -> Iterator[str]:
    """Yield each difference of a press from its story; `order_at` finds an order by its stop."""
    step, came = press.step, press.record
    if step is None:
        return
    found = came.get("reason") or came["stop"]["bound_by"]
    if found != step.comes_to:
        yield f"press {press.number}: {found} in place of {step.comes_to}"
    named = order_at(came["stop"]["id"])
    if found in {*BOUND, Reason.HANDED_OVER} and named != step.place_of:
        yield f"press {press.number}: bound to order {named} in place of {step.place_of}"
    if press.stayed_shut is False:
        yield f"press {press.number}: the sensor exposed frames at a door without photos"


def why(order: Order) -> list[str]:
    """Reasons why an order takes no photo; the office knows them, device and customer do not."""
    told = {
        "confidential": order.confidential,
        "a gift": order.gift,
        "opted out": order.opted_out or order.address_opted_out,
        "signed for": order.signature_required,
    }
    return [reason for reason, is_so in told.items() if is_so]


def proof(told: str) -> Iterator[str]:
    """Yield the report of `doorstep verify` at the end."""
    yield "What the backend received, by `doorstep verify`:"
    for line in told.splitlines():
        if not line.startswith("chain "):
            yield from wrap(line, WIDTH, initial_indent="  ", subsequent_indent="    ")
