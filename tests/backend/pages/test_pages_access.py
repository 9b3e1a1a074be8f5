"""Every route of the backend, asked by every role: who may is in one table."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import pytest
from starlette.routing import BaseRoute, Mount, Route

from agent.record.signing import thumbprint
from doorstep_backend.identity.register import Register
from doorstep_backend.office.access import Customer, CustomerService, Viewer
from doorstep_backend.office.demo import ALLOWED, SIGNATURE
from doorstep_backend.reports.store import Reports
from tests.backend.pages.test_hand_overs import hand_over
from tests.backend.reports.samples import DEVICE, report
from tests.support.demo_office import NOON, PICTURE
from tests.support.factory import RecordMaker
from tests.support.live_pages import ANA, Browser, Live, live_pages
from tests.support.wire import BODY, VERSION, announce, named

OWNER, OTHER = Customer("c-1"), Customer("c-2")
UNVERIFIED, VERIFIED = CustomerService("18"), CustomerService("17")
WHY = "Where is the parcel?"


@dataclass(frozen=True)
class Role:
    """Somebody, or something, that asks.

    Attributes:
        viewer: whom the session is of; None without one.
        device_id: how a device names itself.
        after: how long after the agent was verified.
    """

    viewer: Viewer | None = None
    device_id: str | None = None
    after: timedelta = timedelta(0)


ROLES: Final = {
    "nobody": Role(),
    "other": Role(OTHER),
    "owner": Role(OWNER),
    "unverified": Role(UNVERIFIED),
    "verified": Role(VERIFIED),
    "later": Role(VERIFIED, after=timedelta(minutes=16)),
    "dispatch": Role(ANA),
    "device": Role(device_id="van-7"),
    "device2": Role(device_id="van-8"),
}
"""`owner` is the customer of order 1001; `verified` was told its code 16 minutes before `later`."""

EXPECTED: Final = """
route                                          nobody other owner unverified verified later dispatch device device2
GET /                                             307   307   307        307      307   307      307    307     307
GET /pages                                        307   307   307        307      307   307      307    307     307
PUT /api/addresses/{address}                      401   401   401        401      401   401      401    401     401
PUT /api/orders/{number}                          401   401   401        401      401   401      401    401     401
PUT /api/routes/{device}/{day}                    401   401   401        401      401   401      401    401     401
GET /api/orders/{number}/outcome                  401   401   401        401      401   401      401    401     401
GET /api/outcomes                                 401   401   401        401      401   401      401    401     401
GET /pages/                                       303   303   303        303      303   303      303    303     303
GET /pages/sign-in                                200   200   200        200      200   200      200    200     200
POST /pages/sign-in                               403   403   403        403      403   403      403    403     403
POST /pages/sign-out                              403   303   303        303      303   303      303    403     403
GET /pages/what-is-kept                           200   200   200        200      200   200      200    200     200
GET /pages/style.css                              200   200   200        200      200   200      200    200     200
GET /pages/icon.svg                               200   200   200        200      200   200      200    200     200
GET /pages/orders                                 303   200   200        404      404   404      404    303     303
GET /pages/orders/{number}                        303   404   200        404      404   404      404    303     303
GET /pages/orders/{number}/delivery-photos        303   404   200        404      404   404      404    303     303
POST /pages/orders/{number}/delivery-photos       303   404   303        404      404   404      404    303     303
POST /pages/orders/{number}/code                  303   404   200        404      404   404      404    303     303
GET /pages/orders/{number}/report                 303   404   200        404      404   404      404    303     303
POST /pages/orders/{number}/report                303   404   303        404      404   404      404    303     303
GET /pages/delivery-photos                        303   200   200        404      404   404      404    303     303
GET /pages/addresses/{address}/delivery-photos    303   404   200        404      404   404      404    303     303
POST /pages/addresses/{address}/delivery-photos   303   404   303        404      404   404      404    303     303
GET /pages/service                                303   404   404        200      200   200      404    303     303
POST /pages/service                               303   404   404        303      303   303      404    303     303
GET /pages/service/{number}                       303   404   404        403      200   403      404    303     303
GET /pages/dispatch                               303   404   404        404      404   404      200    303     303
GET /pages/dispatch/photos                        303   404   404        404      404   404      200    303     303
POST /pages/dispatch/photos/{capture_id}/case     303   404   404        404      404   404      303    303     303
GET /pages/dispatch/cases                         303   404   404        404      404   404      200    303     303
GET /pages/dispatch/cases/{case_id}               303   404   404        404      404   404      200    303     303
GET /pages/dispatch/cases/{case_id}/close         303   404   404        404      404   404      200    303     303
POST /pages/dispatch/cases/{case_id}/close        303   404   404        404      404   404      303    303     303
GET /pages/dispatch/{capture_id}                  303   404   404        404      404   404      200    303     303
GET /pages/dispatch/{capture_id}/bind             303   404   404        404      404   404      200    303     303
POST /pages/dispatch/{capture_id}/bind            303   404   404        404      404   404      303    303     303
GET /pages/dispatch/{capture_id}/discard          303   404   404        404      404   404      200    303     303
POST /pages/dispatch/{capture_id}/discard         303   404   404        404      404   404      303    303     303
GET /pages/hand-overs/{capture_id}             303   404   404        404      404   404      200    303     303
GET /pages/hand-overs/{capture_id}/bind        303   404   404        404      404   404      200    303     303
POST /pages/hand-overs/{capture_id}/bind       303   404   404        404      404   404      303    303     303
GET /pages/hand-overs/{capture_id}/discard     303   404   404        404      404   404      200    303     303
POST /pages/hand-overs/{capture_id}/discard    303   404   404        404      404   404      303    303     303
GET /pages/delivered                           303   404   404        404      404   404      200    303     303
GET /pages/delivered/confirm                   303   404   404        404      404   404      200    303     303
POST /pages/delivered                          303   404   404        404      404   404      303    303     303
GET /pages/refusals                               303   404   404        404      404   404      200    303     303
GET /pages/fleet                                  303   404   404        404      404   404      200    303     303
GET /pages/fleet/{device_id}                      303   404   404        404      404   404      200    303     303
GET /pages/photos/{address}                       303   404   200        404      200   404      404    303     303
POST /files                                       422   422   422        422      422   422      422    201     201
OPTIONS /files                                    204   204   204        204      204   204      204    204     204
HEAD /files/{capture_id}                          200   200   200        200      200   200      200    200     200
PATCH /files/{capture_id}                         409   409   409        409      409   409      409    409     409
OPTIONS /files/{capture_id}                       204   204   204        204      204   204      204    204     204
POST /receipts                                    200   200   200        200      200   200      200    200     200
GET /manifest                                     401   401   401        401      401   401      401    200     404
"""  # noqa: E501 - a table is read across
"""303 from a page is the way to signing in; 404 and 403 say nothing of what was asked for.

This is a backend without identity, whose devices are known by the signature on each record alone:
whoever knows a UUID may ask how far its upload is, and nobody can change one that is complete.
"""


@dataclass(frozen=True)
class Scene:
    """The orders, photos and pages for which a viewer may ask."""

    live: Live
    photo: str
    in_case: str
    case_id: str
    to_close: str
    to_look_at: str
    to_bind: str
    to_discard: str
    hand_over: str
    hand_over_to_bind: str
    hand_over_to_discard: str


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with live_pages(tmp_path_factory.mktemp("backend")) as live:
        demo_office = live.demo_office
        photo = demo_office.receive(demo_office.photo(ALLOWED))
        in_case, closes = demo_office.deliver(ALLOWED, ALLOWED)
        cases = [
            demo_office.office.casework.open(one, "driver", "dispatch ana", NOON).case_id
            for one in (in_case, closes)
        ]
        strays = [demo_office.receive(demo_office.stray()) for _ in range(3)]
        Register(demo_office.folder).let_in(DEVICE)
        Reports(demo_office.folder).note(report())
        demo_office.office.store.pinned(
            demo_office.van.device_id, thumbprint(demo_office.van.key.public_key())
        )
        code = demo_office.office.access.make_one_time_code(ALLOWED, NOON)
        assert demo_office.office.access.verify(VERIFIED, ALLOWED, code, WHY, NOON)
        handed_over = [hand_over(live, bound_by="ambiguous") for _ in range(3)]
        yield Scene(live, photo, in_case, *cases, *strays, *handed_over)


Filled = tuple[str, Mapping[str, str] | bytes | None, Mapping[str, str]]
"""Path, body and headers of a request."""


QUERIES: Final = {
    "GET /pages/orders/{number}/report": "?record={photo}&what=cannot_find",
    "GET /pages/dispatch/cases/{case_id}/close": "?as=correct&version=0",
    "GET /pages/dispatch/{capture_id}/bind": f"?number={ALLOWED}",
    "GET /pages/hand-overs/{capture_id}/bind": f"?number={SIGNATURE}",
    "GET /pages/delivered/confirm": f"?number={SIGNATURE}",
}
"""Words behind the path of pages that ask before something is done."""

FORMS: Final = {
    "POST /pages/sign-in": {"who": "c-1", "password": "wrong"},
    "POST /pages/orders/{number}/delivery-photos": {"photos": "on"},
    "POST /pages/addresses/{address}/delivery-photos": {"photos": "on"},
    "POST /pages/orders/{number}/report": {"record": "{in_case}", "what": "cannot_find"},
    "POST /pages/dispatch/photos/{capture_id}/case": {"reason": "driver"},
    "POST /pages/dispatch/cases/{case_id}/close": {"as": "correct", "version": "0"},
    "POST /pages/dispatch/{capture_id}/bind": {"number": ALLOWED},
    "POST /pages/hand-overs/{capture_id}/bind": {"number": SIGNATURE},
    "POST /pages/delivered": {"number": SIGNATURE, "word": "delivered"},
}

SUBJECTS: Final = {
    "POST /pages/dispatch/photos/{capture_id}/case": "in_case",
    "POST /pages/dispatch/{capture_id}/bind": "to_bind",
    "POST /pages/dispatch/{capture_id}/discard": "to_discard",
    "GET /pages/hand-overs/{capture_id}": "hand_over",
    "GET /pages/hand-overs/{capture_id}/bind": "hand_over",
    "GET /pages/hand-overs/{capture_id}/discard": "hand_over",
    "POST /pages/hand-overs/{capture_id}/bind": "hand_over_to_bind",
    "POST /pages/hand-overs/{capture_id}/discard": "hand_over_to_discard",
}
"""The attribute of the scene that a path names; the others name `to_look_at`."""


def fill(scene: Scene, route: str, browser: Browser) -> Filled:
    """Return what a role asks of a page; a form has the token of its session."""
    demo_office, now, sessions = (
        scene.live.demo_office,
        scene.live.clock.now,
        scene.live.site.sessions,
    )
    method, path = route.split()
    path += QUERIES.get(route, "").format(photo=scene.photo)
    places = {"number": ALLOWED, "address": "a-1", "device_id": DEVICE}
    places["capture_id"] = getattr(scene, SUBJECTS.get(route, "to_look_at"))
    places["case_id"] = scene.to_close if method == "POST" else scene.case_id
    values = FORMS.get(route, {})
    form = {name: value.format(in_case=scene.in_case) for name, value in values.items()}
    if route == "POST /pages/service":  # another order than the one that `verified` has open
        code = demo_office.office.access.make_one_time_code(SIGNATURE, now)
        form = {"number": SIGNATURE, "code": code, "why": "where"}
    if route == "GET /pages/photos/{address}":  # of its own session, so that only the right decides
        places["address"] = sessions.photo_address(browser.cookie, scene.photo, now)
    form["form"] = sessions.form_token(browser.cookie)
    return path.format(**places), form if method == "POST" else None, {}


PLACES: Final = {"address": "a-1", "number": ALLOWED, "device": "van-7", "day": "2026-12-01"}
"""Parts of paths of the API for other systems; a session and a certificate open nothing there."""


def fill_for_devices(scene: Scene, route: str, role: Role) -> Filled:
    """Return what a role asks where devices ask."""
    method, path = route.split()
    if route == "POST /files":
        made = _sender(scene, role).make(photo=PICTURE)
        announced = announce(made.label.capture_id, made.content)
        return path, made.content, VERSION | BODY | announced
    if route == "POST /receipts":
        body = f'{{"capture_ids": ["{scene.photo}"]}}'.encode()
        return path, body, {"Content-Type": "application/json"}
    patch = BODY | {"Upload-Offset": "0"} if method == "PATCH" else {}
    return path.format(**PLACES, capture_id=scene.photo), None, VERSION | patch


def _sender(scene: Scene, role: Role) -> RecordMaker:
    """Return the device that asks; all others send in the van's name, with a key of their own."""
    van = scene.live.demo_office.van
    return van if role.device_id == van.device_id else RecordMaker(role.device_id or van.device_id)


def table() -> dict[str, dict[str, int]]:
    head, *lines = EXPECTED.strip().splitlines()
    roles = head.split()[1:]
    assert roles == list(ROLES)
    rows = [line.rsplit(maxsplit=len(roles)) for line in lines]
    return {row[0]: dict(zip(roles, map(int, row[1:]), strict=True)) for row in rows}


def routes(found: list[BaseRoute], before: str = "") -> Iterator[str]:
    """Each method and path of a route table; HEAD that only comes with GET is left out."""
    for route in found:
        if isinstance(route, Mount):
            yield from routes(route.routes, before + route.path)
        else:
            assert isinstance(route, Route), f"a route of another kind, not known here: {route}"
            methods = route.methods or set()
            for method in methods - ({"HEAD"} if "GET" in methods else set()):
                yield f"{method} {before}{route.path}"


def answer(scene: Scene, route: str, role: Role) -> tuple[int, bytes]:
    scene.live.clock.now = NOON + role.after
    browser = scene.live.browser(role.viewer)
    if " /pages/" in route:
        path, body, headers = fill(scene, route, browser)
    else:
        path, body, headers = fill_for_devices(scene, route, role)
    who = named(role.device_id) if role.device_id else {}
    given = browser.ask(route.split(maxsplit=1)[0], path, body, {**headers, **who})
    return given.status_code, given.content


def test_every_route_has_its_expectations_and_every_expectation_its_route(scene: Scene) -> None:
    assert sorted(routes(scene.live.app.routes)) == sorted(table())


@pytest.mark.parametrize("route", table())
def test_a_route_answers_each_role_as_the_table_says(scene: Scene, route: str) -> None:
    answers = {name: answer(scene, route, role)[0] for name, role in ROLES.items()}

    assert answers == table()[route]


@pytest.mark.parametrize("role", ROLES)
def test_viewer_without_access_cannot_tell_whether_the_order_exists(
    scene: Scene, role: str
) -> None:
    """The answer is the same as about an order that does not exist."""
    for route in ("GET /pages/orders/{number}", "GET /pages/service/{number}"):
        status, text = answer(scene, route, ROLES[role])
        browser = scene.live.browser(ROLES[role].viewer)
        path = route.split()[1].format(number="9999")
        none = browser.ask("GET", path)
        if status != 200:
            assert none.status_code == status
            assert _plain(text, ALLOWED) == _plain(none.content, "9999")


@pytest.mark.parametrize("role", ROLES)
def test_page_of_a_device_opens_for_dispatch_alone(scene: Scene, role: str) -> None:
    """No other role learns if there is such a device, nor does the device itself."""
    status, text = answer(scene, "GET /pages/fleet/{device_id}", ROLES[role])

    none = scene.live.browser(ROLES[role].viewer).get("/fleet/van-9999")

    assert (status == 200) is (DEVICE.encode() in text) is (role == "dispatch")
    assert none.status_code == (404 if role == "dispatch" else status)
    if role != "dispatch":
        assert _plain(none.content, "-") == _plain(text, "-")


def _plain(text: bytes, number: str) -> bytes:
    """Return a page without the number that was asked for and its form's token."""
    kept = [line for line in text.splitlines() if b'name="form"' not in line]
    return b"\n".join(kept).replace(number.encode(), b"N")


@pytest.mark.parametrize("role", ["owner", "verified", "dispatch"])
def test_a_waiting_photo_opens_for_dispatch_alone(scene: Scene, role: str) -> None:
    scene.live.clock.now = NOON
    browser = scene.live.browser(ROLES[role].viewer)
    own = scene.live.site.sessions.photo_address(browser.cookie, scene.to_look_at, NOON)

    given = browser.get(f"/photos/{own}")

    assert (given.status_code == 200) is (role == "dispatch")
