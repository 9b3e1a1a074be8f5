"""Role, state, action: what each person may do with a photo, asked over real HTTPS in one table."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import pytest
import requests  # noqa: TID251 - the answers of a browser

from agent.models import CaptureId
from doorstep_backend.office.access import Customer, CustomerService, Dispatch, Viewer, viewer_name
from doorstep_backend.office.cases import LOOK, REPORTED, Closing, Report
from doorstep_backend.office.casework import Decision
from doorstep_backend.office.orders import Address, Order
from tests.support.demo_office import NOON
from tests.support.live_pages import Browser, Live, live_pages

VERIFIED: Final = CustomerService("17")

ROLES: Final = ("nobody", "other", "owner", "unverified", "verified", "ana", "ben")
"""`owner` is the customer of the photo's order, `other` of the other order on its route; `verified`
was told the code of the first one. `ana` opens the case, if a dispatcher does."""

EXPECTED: Final = """
state             nobody other owner unverified verified ana   ben
waiting           -      -     -     -          -        sw    sw
shown             -      -     sr    -          s        lo    lo
cannot_find       -      -     sr    -          s        sloc  sloc
not_my_door       -      -     r     -          -        sloc  sloc
looked_into       -      -     sr    -          s        sloc  lo
look_is_over      -      -     sr    -          s        lo    lo
found_correct     -      -     sr    -          s        lo    lo
moved             -      s     -     -          -        lo    lo
withdrawn         -      -     -     -          -        -     -
not_decided       -      -     -     -          -        o     o
taken_back        -      -     -     -          -        -     -
taken_back_later  -      -     -     -          -        oc    oc
opted_out         -      -     -     -          -        -     -
opted_out_later   -      -     -     -          -        oc    oc
confidential      -      -     -     -          -        -     -
erased            -      -     -     -          -        -     -
simulated         -      -     -     -          -        -     -
"""
"""`s`ees the picture, `l`ooks at its row, `o`pens a case or is led to the open one, `r`eports "not
my door", `c`loses the case, binds it while it `w`aits. A photo that was moved is `other`'s: the
table says what is done by way of the first order.

An order that takes no photo opens to nobody, and is in no row, also in a case; a dispatcher may
close that case all the same.
"""


@dataclass
class Scene:
    """A photo in a state, its two orders, and the time.

    Nobody else has these orders: the limits of reports and cases count by person.
    """

    live: Live
    capture_id: CaptureId
    number: str
    other: str
    now: datetime = NOON

    @property
    def ana(self) -> Dispatch:
        return Dispatch(f"ana of {self.number}")

    def browser(self, role: str) -> Browser:
        """Open the browser of a person."""
        viewers: dict[str, Viewer | None] = {
            "nobody": None,
            "other": Customer(self.other),
            "owner": Customer(self.number),
            "unverified": CustomerService("18"),
            "verified": VERIFIED,
            "ana": self.ana,
            "ben": Dispatch(f"ben of {self.number}"),
        }
        return self.live.browser(viewers[role])

    def report(self, what: Report) -> None:
        office = self.live.demo_office.office
        office.casework.report(office.orders.find(self.number), self.capture_id, what, NOON)

    def look_into(self) -> None:
        who = viewer_name(self.ana)
        self.live.demo_office.office.casework.open(self.capture_id, "driver", who, NOON)

    def decide(self, closing: Closing) -> None:
        office, who = self.live.demo_office.office, viewer_name(self.ana)
        case = office.cases.open_for(who, self.capture_id, NOON)
        assert case is not None
        version = office.corrections.of_record(self.capture_id)[-1].version
        office.close_case(case, Decision(closing, self.other, version), who, NOON)

    def void(self) -> None:
        self.live.demo_office.receive(self.live.demo_office.void(self.capture_id))

    def opt_out(self) -> None:
        self.live.demo_office.office.opt_out_order(self.number, True)

    def hold(self) -> None:
        self.live.demo_office.office.erasure.hold(self.number, "CASE-7", NOON)


def taken_back_later(scene: Scene) -> None:
    scene.report(Report.NOT_MY_DOOR)
    scene.void()


def opted_out_later(scene: Scene) -> None:
    scene.report(Report.CANNOT_FIND)
    scene.opt_out()


def opted_out(scene: Scene) -> None:
    scene.hold()
    scene.opt_out()


def look_is_over(scene: Scene) -> None:
    scene.look_into()
    scene.now += LOOK


def not_decided(scene: Scene) -> None:
    scene.report(Report.NOT_MY_DOOR)
    scene.now += REPORTED


def decided(closing: Closing) -> Callable[[Scene], None]:
    def decide(scene: Scene) -> None:
        scene.report(Report.NOT_MY_DOOR)
        scene.decide(closing)

    return decide


def erased(scene: Scene) -> None:
    scene.opt_out()
    scene.live.demo_office.office.opt_out_order(scene.number, False)


STATES: Final[dict[str, Callable[[Scene], None]]] = {
    "waiting": lambda _: None,
    "shown": lambda _: None,
    "cannot_find": lambda scene: scene.report(Report.CANNOT_FIND),
    "not_my_door": lambda scene: scene.report(Report.NOT_MY_DOOR),
    "looked_into": Scene.look_into,
    "look_is_over": look_is_over,
    "found_correct": decided(Closing.CORRECT),
    "moved": decided(Closing.MOVED),
    "withdrawn": decided(Closing.WITHDRAWN),
    "not_decided": not_decided,
    "taken_back": Scene.void,
    "taken_back_later": taken_back_later,
    "opted_out": opted_out,
    "opted_out_later": opted_out_later,
    "confidential": lambda _: None,
    "erased": erased,
    "simulated": lambda _: None,
}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live_pages(tmp_path_factory.mktemp("who-may")) as live:
        yield live


def stage(live: Live, state: str) -> Scene:
    """Make two orders of their own on a route of their own, and a photo in this state."""
    demo_office, office = live.demo_office, live.demo_office.office
    number = f"{state}-{len(office.orders.numbers())}"
    scene = Scene(live, CaptureId(""), number, f"{number}-other")
    for name in (number, scene.other):
        hides = state == "confidential" and name == number
        office.orders.add_customer(name, name)
        office.orders.add_address(Address(name, name, name))
        office.orders.add(Order(name, name, name, f"s-{name}", (), 52.5, 13.4, confidential=hides))
    office.routes.plan(number, [number, scene.other], NOON - LOOK, NOON + timedelta(hours=8))
    office.routes.assign(number, demo_office.van.device_id)
    if state == "confidential":
        scene.hold()
    stop = {"id": f"s-{number}", "bound_by": "unassigned" if state == "waiting" else "place"}
    made = demo_office.photo(number, stop=stop, simulated=state == "simulated")
    scene.capture_id = demo_office.receive(made)
    scene.browser("ana")  # a new account begins without cases
    STATES[state](scene)
    code = office.access.make_one_time_code(number, scene.now)
    assert office.access.verify(VERIFIED, number, code, "why", scene.now)
    live.clock.now = scene.now
    return scene


def sees(scene: Scene, browser: Browser) -> int:
    own = scene.live.site.sessions.photo_address(browser.cookie, scene.capture_id, scene.now)
    return browser.get(f"/photos/{own}").status_code


def looks(scene: Scene, browser: Browser) -> int:
    pages = [browser.get(f"/dispatch/photos?order={one}") for one in (scene.number, scene.other)]
    has_row = any(scene.capture_id in page.text for page in pages)
    return 404 if pages[0].ok and not has_row else pages[0].status_code


def opens(scene: Scene, browser: Browser) -> int:
    path = f"/dispatch/photos/{scene.capture_id}/case"
    return _led_to(browser.send(path, reason="driver"), "/pages/dispatch/cases/")


def reports(scene: Scene, browser: Browser) -> int:
    form = {"record": scene.capture_id, "what": "not_my_door"}
    path = f"/orders/{scene.number}"
    return _led_to(browser.send(f"{path}/report", **form), f"/pages{path}")


def closes(scene: Scene, browser: Browser) -> int:
    office = scene.live.demo_office.office
    query = "SELECT case_id FROM cases WHERE capture_id = ?"
    row = office.ledger.execute(query, (scene.capture_id,)).fetchone()
    made = office.corrections.of_record(scene.capture_id)
    form = {"as": "withdrawn", "version": str(made[-1].version if made else 0)}
    path = f"/dispatch/cases/{row['case_id'] if row else 'none'}/close"
    return _led_to(browser.send(path, **form), "/pages/dispatch/cases")


def binds(scene: Scene, browser: Browser) -> int:
    path = f"/dispatch/{scene.capture_id}/bind"
    return _led_to(browser.send(path, number=scene.number), "/pages/dispatch")


def _led_to(answer: requests.Response, there: str) -> int:
    """Return 200 if a form led there, and the answer's status if it led elsewhere."""
    location = answer.headers.get("Location", "")
    return 200 if location.startswith(there) else answer.status_code


ACTIONS: Final = {
    "s": sees,
    "l": looks,
    "o": opens,
    "r": reports,
    "c": closes,
    "w": binds,
}

REFUSED: Final = {303, 404, 409}
"""The way to signing in; not for this account; clear words about what has changed."""


def table() -> dict[str, dict[str, str]]:
    head, *lines = EXPECTED.strip().splitlines()
    roles = head.split()[1:]
    rows = [line.split() for line in lines]
    return {row[0]: dict(zip(roles, row[1:], strict=True)) for row in rows}


def may(live: Live, state: str, role: str) -> str:
    """Return the actions that a role may do; each that changes something has a photo of its own."""
    scene, found = stage(live, state), ""
    for letter, act in ACTIONS.items():
        status = act(scene, scene.browser(role))
        assert status == 200 or status in REFUSED, (letter, status)
        if status == 200:
            found += letter
            scene = stage(live, state)
    return found or "-"


def test_the_table_has_every_state_and_every_role() -> None:
    assert list(table()) == list(STATES)
    assert all(tuple(row) == ROLES for row in table().values())


@pytest.mark.slow
@pytest.mark.parametrize("state", STATES)
def test_each_role_may_do_what_the_table_says(live: Live, state: str) -> None:
    assert {role: may(live, state, role) for role in ROLES} == table()[state]
