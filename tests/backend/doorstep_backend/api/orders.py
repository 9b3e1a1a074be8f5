"""PUT /api/orders/{number}: an order, as a whole."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from agent.rule.manifest import PhotoRule
from doorstep_backend.api import Put, put_result
from doorstep_backend.api.problem import Fault, pointer
from doorstep_backend.api.reading import Members, check
from doorstep_backend.office.model import OF_ORDER, Office
from doorstep_backend.office.orders import RADIUS_M, NoSuchOrder, Order, new_stop_id

MEMBERS: Final = (
    "address codes lat_deg lon_deg radius_m signature_required confidential gift opted_out"
)

NO_ADDRESS: Final = "no such address; send PUT /api/addresses/{id} first"
OTHER_CUSTOMER: Final = (
    "is an address of another customer, who would see the photos of this order; give the order a "
    "new number"
)
HAS_HISTORY: Final = (
    "is another address than before, although this order has records; give the order a new number"
)
NO_PLACE: Final = "0, 0 stands for an unknown place; send the place of the door"
PRACTICE: Final = "is a code for practice, which no parcel has"
SHARED: Final = (
    "another order of the same route has this code, so a device could not tell which one is meant"
)


def put(
    office: Office, number: str, given: Mapping[str, Any], who: str
) -> tuple[Put, dict[str, Any]]:
    """Add or replace an order; return the result, and the answer.

    Its stop, its customer, a customer's opt-out, its records and its outcome stay. Photos are
    erased if the order takes none, also again if an earlier request was interrupted.

    Args:
        who: as the view log names the system, if the order takes photos no more, or again.

    Raises:
        WrongDocumentError: nothing was changed.
    """
    entry, faults = read(number, given, office.settings.practice_codes)
    with office.ledger.exclusive_transaction():
        office.orders.lock([number])
        before = _found(office, number)
        entry = _fitted(office, entry, before, faults)
        check(faults)
        if before is None:
            office.orders.add(entry)
        else:
            office.orders.change(entry)
        after = office.orders.find(number)
        takes_none = after.photo is PhotoRule.NO_PHOTO
        if before is not None and takes_none is not (before.photo is PhotoRule.NO_PHOTO):
            office.log_choice(who, OF_ORDER, number, takes_none, office.ledger.now())
    if takes_none:
        office.erasure.expire_order(number, office.ledger.now())
    return put_result(before, after), _document(after)


def _document(order: Order) -> dict[str, Any]:
    """Return all that a PUT says, and the rule that follows from it."""
    return {
        "order": order.number,
        "customer": order.customer,
        "address": order.address,
        "codes": list(order.codes),
        "lat_deg": order.lat_deg,
        "lon_deg": order.lon_deg,
        "radius_m": order.radius_m,
        "signature_required": order.signature_required,
        "confidential": order.confidential,
        "gift": order.gift,
        "opted_out": order.opted_out,
        "photo": order.photo.value,
    }


def _found(office: Office, number: str) -> Order | None:
    try:
        return office.orders.find(number)
    except NoSuchOrder:
        return None


def read(
    number: str, given: Mapping[str, Any], practice_codes: Collection[str]
) -> tuple[Order, list[Fault]]:
    """Read a document; return the order without its customer and stop, and the faults. Pure."""
    members = Members(given, [], names=MEMBERS)
    codes = members.codes("codes")
    for place, code in enumerate(codes):
        if code in practice_codes:
            members.note(PRACTICE, "codes", place)
    lat_deg, lon_deg = members.number("lat_deg", -90, 90), members.number("lon_deg", -180, 180)
    if lat_deg == 0 and lon_deg == 0:
        members.note(NO_PLACE, "lon_deg")
    order = Order(
        number=number,
        customer="",
        address=members.id("address"),
        stop_id="",
        codes=codes,
        lat_deg=lat_deg,
        lon_deg=lon_deg,
        radius_m=members.number("radius_m", 1, 1_000, RADIUS_M),
        signature_required=members.flag("signature_required"),
        confidential=members.flag("confidential"),
        gift=members.flag("gift"),
        opted_out=members.flag("opted_out"),
    )
    return order, members.faults


def _fitted(office: Office, entry: Order, before: Order | None, faults: list[Fault]) -> Order:
    """Return the order, a new one with customer and stop; note what contradicts the rows."""
    customer = office.orders.customer_at(entry.address)
    if entry.address and (why := _wrong_address(office, entry, before, customer)):
        faults.append(Fault(pointer("address"), why))
    if before is None:
        return replace(entry, customer=customer or "", stop_id=new_stop_id())
    shared = office.orders.codes_beside(entry.number, office.ledger.now())
    for place, code in enumerate(entry.codes):
        if code in shared:
            faults.append(Fault(pointer("codes", place), SHARED))
    return entry


def _wrong_address(
    office: Office, entry: Order, before: Order | None, customer: str | None
) -> str | None:
    if customer is None:
        return NO_ADDRESS
    if before is None or entry.address == before.address:
        return None
    if customer != before.customer:
        return OTHER_CUSTOMER
    return HAS_HISTORY if office.filing.has_history(entry.number) else None
