"""The races: what two processes do at once, and which ends are wrong."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from agent.models import RecordKind, rfc3339
from doorstep_backend.identity.commands import IdentityCommands
from doorstep_backend.identity.known import DeviceState
from doorstep_backend.office.cases import CUSTOMER, Closing, Report
from doorstep_backend.office.demo import ALLOWED, CHANGES_MIND, LEFT_DOOR, RIGHT_DOOR, SIGNATURE
from doorstep_backend.office.orders import Address, Order
from tests.faults.races.pair import Deed, Said
from tests.support.demo_office import NOON, PICTURE, DemoOffice, photo_of
from tests.support.factory import Made, RecordMaker

Judge = Callable[[Said, Said], str]
"""A function that returns what is wrong as text, or an empty text."""

Round = tuple[tuple[Deed, Deed], Judge]
"""The deeds of both processes, and the judge of their results."""


@dataclass(frozen=True)
class Site:
    """The backend that the processes share, as this process sees it."""

    demo_office: DemoOffice
    commands: IdentityCommands
    second: RecordMaker = field(default_factory=lambda: RecordMaker("van-8"))

    def reset(self) -> None:
        """Reset the site: every customer accepts photos, and nothing is held."""
        self.demo_office.office.opt_out_address("a-6", False)
        for number in (LEFT_DOOR, RIGHT_DOOR, CHANGES_MIND):
            self.demo_office.office.opt_out_order(number, False)
        self.demo_office.office.ledger.execute("DELETE FROM holds")

    def waits(self, photo: str) -> bool:
        found = self.demo_office.office.filing.photo(photo)
        return found is not None and found.number is None

    def let_in(self, number: int, *kinds: str) -> list[str]:
        """Let in a new device for each kind; its name is kind and number."""
        names = [f"{kind}-{number}" for kind in kinds]
        for name in names:
            self.commands.register.let_in(name)
        return names

    def send_out(self, device_id: str, order: str) -> None:
        """Give the device a route of one order."""
        begins = datetime.now(UTC) - timedelta(hours=1)
        self.demo_office.office.routes.plan(
            f"r-{device_id}", [order], begins, begins + timedelta(hours=12)
        )
        self.demo_office.office.routes.assign(f"r-{device_id}", device_id)

    def carried(self, *devices: str) -> dict[str, set[str]]:
        """Return the orders on the current route of each of these devices."""
        query = """SELECT number FROM route_orders JOIN assignments USING (route)
            WHERE device_id = ?"""
        ledger = self.demo_office.office.ledger
        return {one: {row[0] for row in ledger.execute(query, (one,))} for one in devices}


def bind_and_opt_out(site: Site, _: int) -> Round:
    """Let a dispatcher bind a photo while the customer of that order opts out."""
    return _against_choice(site, Deed("opt out", (LEFT_DOOR,)))


def bind_and_opt_out_address(site: Site, _: int) -> Round:
    """Let a dispatcher bind a photo while the customer opts out for the address."""
    return _against_choice(site, Deed("opt out address", ("a-6",)))


def _against_choice(site: Site, choice: Deed) -> Round:
    site.reset()
    photo = site.demo_office.receive(site.demo_office.stray())

    def judge(bound: Said, chosen: Said) -> str:
        keeps = [one for one in site.demo_office.office.filing.of_order(LEFT_DOOR) if one == photo]
        site.reset()
        shown = photo in site.demo_office.shown(LEFT_DOOR)
        if not chosen.done:
            return f"the choice was refused: {chosen.why}"
        if keeps or shown:
            return "the photo stays on an order that takes none" + ", and is shown" * shown
        return "" if bound.done != site.waits(photo) else "the photo is neither erased nor waits"

    return (Deed("bind", (photo, LEFT_DOOR)), choice), judge


def two_bind(site: Site, _: int) -> Round:
    """Let two dispatchers bind one photo, each to another order."""
    site.reset()
    photo = site.demo_office.receive(site.demo_office.stray())

    def judge(left: Said, right: Said) -> str:
        if left.done == right.done:
            return "both read that it worked" if left.done else "none could bind it"
        shown = {one: photo in site.demo_office.shown(one) for one in (LEFT_DOOR, RIGHT_DOOR)}
        is_so = shown == {LEFT_DOOR: left.done, RIGHT_DOOR: right.done}
        return "" if is_so else f"it is shown on another order than was said: {shown}"

    return (Deed("bind", (photo, LEFT_DOOR)), Deed("bind", (photo, RIGHT_DOOR))), judge


def _stray(site: Site, van: RecordMaker) -> Made:
    stop = {"id": site.demo_office.office.orders.find(LEFT_DOOR).stop_id, "bound_by": "ambiguous"}
    return van.make(RecordKind.PHOTO, {"stop": stop, "simulated": False}, PICTURE)


def two_correct(site: Site, _: int) -> Round:
    """Correct two photos, each on the other's order: neither may wait for the other for good."""
    site.reset()
    routes, second = site.demo_office.office.routes, site.second.device_id
    routes.plan("second", [LEFT_DOOR, RIGHT_DOOR], NOON, NOON + timedelta(hours=8))
    routes.assign("second", second)
    photos = [
        site.demo_office.receive(_stray(site, van)) for van in (site.demo_office.van, site.second)
    ]
    for photo, number in zip(photos, (LEFT_DOOR, RIGHT_DOOR), strict=True):
        site.demo_office.bind(photo, number)

    def judge(*said: Said) -> str:
        if not all(one.done for one in said):
            return f"a correction was refused: {said[0].why or said[1].why}"
        shown = [
            photos[0] in site.demo_office.shown(RIGHT_DOOR),
            photos[1] in site.demo_office.shown(LEFT_DOOR),
        ]
        return "" if all(shown) else "a correction is lost"

    deeds = (
        Deed("correct", (photos[0], RIGHT_DOOR)),
        Deed("correct", (photos[1], LEFT_DOOR)),
    )
    return deeds, judge


def bind_and_discard(site: Site, _: int) -> Round:
    """Let one dispatcher bind a photo that another one deletes."""
    site.reset()
    photo = site.demo_office.receive(site.demo_office.stray())

    def judge(bound: Said, discarded: Said) -> str:
        if bound.done == discarded.done:
            return "both read that it worked" if bound.done else "none could do it"
        is_so = (photo in site.demo_office.shown(LEFT_DOOR), all(site.demo_office.kept(photo)))
        return "" if is_so == (bound.done, bound.done) else "the photo is not as was said"

    return (Deed("bind", (photo, LEFT_DOOR)), Deed("discard", (photo,))), judge


def two_close(site: Site, _: int) -> Round:
    """Let two dispatchers decide one case, each in another way."""
    site.reset()
    now, made = datetime.now(UTC), site.demo_office.photo(LEFT_DOOR)
    photo = site.demo_office.receive(made, rfc3339(now))
    cases = site.demo_office.office.cases
    case = cases.add(photo, Report.CANNOT_FIND, CUSTOMER, LEFT_DOOR, now)

    def judge(correct: Said, withdrawn: Said) -> str:
        if correct.done == withdrawn.done:
            return "both read that it worked" if correct.done else "none could decide"
        if all(site.demo_office.kept(photo)) != correct.done:
            return "the photo is not as was said"
        closed = cases.find(case.case_id)
        how = Closing.CORRECT if correct.done else Closing.WITHDRAWN
        return "" if closed and closed.closed_as == how else "the case is not closed as was said"

    deeds = Deed("close", (case.case_id, "correct")), Deed("close", (case.case_id, "withdrawn"))
    return deeds, judge


def report_and_opt_out(site: Site, number: int) -> Round:
    """Let a customer report a photo and opt out, in two windows."""
    office, device = site.demo_office.office, RecordMaker(f"reported-{number}")
    name = device.device_id
    office.orders.add_customer(name, name)
    office.orders.add_address(Address(name, name, name))
    office.orders.add(Order(name, name, name, f"s-{name}", (), 52.5, 13.4))
    site.send_out(name, name)
    photo = site.demo_office.receive(photo_of(office, device, name))

    def judge(reported: Said, chosen: Said) -> str:
        if not chosen.done:
            return f"the choice was refused: {chosen.why}"
        is_kept = all(site.demo_office.kept(photo))
        return "" if is_kept == reported.done else f"the photo is kept: {is_kept}"

    return (Deed("report", (name, photo)), Deed("opt out", (name,))), judge


def two_gone(site: Site, number: int) -> Round:
    """End two devices for good; a third device gets the routes of both."""
    one, two, heir = site.let_in(number, "one", "two", "heir")
    site.send_out(one, ALLOWED)
    site.send_out(two, SIGNATURE)
    deeds = Deed("gone", (one, heir)), Deed("gone", (two, heir))
    return deeds, _nothing_lost(site, (one, two), heir)


def chain_gone(site: Site, number: int) -> Round:
    """End a device whose heir ends at the same moment and has a third device as heir."""
    one, two, heir = site.let_in(number, "one", "two", "heir")
    site.send_out(one, ALLOWED)
    site.send_out(two, SIGNATURE)
    deeds = Deed("gone", (one, two)), Deed("gone", (two, heir))
    return deeds, _nothing_lost(site, (one, two), heir)


def _nothing_lost(site: Site, gone: tuple[str, str], heir: str) -> Judge:
    """Judge that each order is on an admitted device's route, after refused deeds are repeated."""

    def judge(*said: Said) -> str:
        for device_id, one in zip(gone, said, strict=True):
            if not one.done:
                if site.commands.register.state(device_id) is not DeviceState.IN:
                    return f"{device_id} ended, and the command says that it did not"
                site.commands.gone(device_id, heir)
        lost = {ALLOWED, SIGNATURE} - site.carried(heir)[heir]
        return f"{len(lost)} of two routes lost" if lost else ""

    return judge


def gone_and_retire(site: Site, number: int) -> Round:
    """End a device whose heir is retired at the same moment."""
    one, two = site.let_in(number, "one", "two")
    site.send_out(one, ALLOWED)

    def judge(gone: Said, retired: Said) -> str:
        has = site.carried(one, two)
        if not retired.done:
            return f"the retirement was refused: {retired.why}"
        if has[two]:
            return "a route is on a device that has ended"
        return "" if gone.done or has[one] else "a route is lost although the command was refused"

    return (Deed("gone", (one, two)), Deed("retire", (two,))), judge


def two_hold(site: Site, number: int) -> Round:
    """Let two people hold one order, each for another case."""
    site.reset()
    cases = f"CASE-{number}A", f"CASE-{number}B"

    def judge(*said: Said) -> str:
        if said[0].done == said[1].done:
            return "both read that it is held for their case" if said[0].done else "none holds it"
        (held,) = site.demo_office.office.erasure.holds()
        is_so = held.case_number == cases[said[1].done]
        return "" if is_so else "it is held for the case of whoever was refused"

    return (Deed("hold", (CHANGES_MIND, cases[0])), Deed("hold", (CHANGES_MIND, cases[1]))), judge


RACES: Final[dict[str, Callable[[Site, int], Round]]] = {
    "bind-opt-out": bind_and_opt_out,
    "bind-opt-out-address": bind_and_opt_out_address,
    "bind-bind": two_bind,
    "correct-correct": two_correct,
    "bind-discard": bind_and_discard,
    "close-close": two_close,
    "report-opt-out": report_and_opt_out,
    "gone-gone": two_gone,
    "gone-chain": chain_gone,
    "gone-retire": gone_and_retire,
    "hold-hold": two_hold,
}
