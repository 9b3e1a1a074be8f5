"""PUT /api/addresses/{id}: an address and its customer, as a whole."""

from collections.abc import Mapping
from typing import Any, Final

from doorstep_backend import zones
from doorstep_backend.api import Put, put_result
from doorstep_backend.api.problem import Fault, pointer
from doorstep_backend.api.reading import Members, check
from doorstep_backend.office.model import OF_ADDRESS, Office
from doorstep_backend.office.orders import Address

MEMBERS: Final = "customer line zone opted_out"

LONGEST_LINE: Final = 200
"""Characters of a line. Source: the longest lines of the Universal Postal Union's S42 have 120."""

OTHER_CUSTOMER: Final = (
    "is another customer than before, who could opt out and so delete photos; give each "
    "customer's address an id of its own"
)


def put(
    office: Office, address_id: str, given: Mapping[str, Any], who: str
) -> tuple[Put, dict[str, Any]]:
    """Add or replace an address; return the result, and the answer.

    A customer's opt-out stays. Photos are erased if the address takes none, also again if an
    earlier request was interrupted.

    Args:
        who: as the view log names the system, if the address takes photos no more.

    Raises:
        WrongDocumentError: nothing was changed.
    """
    entry, name, faults = read(address_id, given)
    with office.ledger.exclusive_transaction():
        before = _found(office, address_id)
        earlier = None if before is None else _document(office, before)
        if before is not None and entry.customer and before.customer != entry.customer:
            faults.append(Fault(pointer("customer", "id"), OTHER_CUSTOMER))
        check(faults)
        office.orders.put_address(entry, name)
        after = office.orders.address(address_id)
        answer = _document(office, after)
        if before is not None and after.opted_out and not before.opted_out:
            office.log_choice(who, OF_ADDRESS, address_id, True, office.ledger.now())
    if after.opted_out:
        office.erasure.expire_address(address_id, office.ledger.now())
    return put_result(earlier, answer), answer


def _document(office: Office, address: Address) -> dict[str, Any]:
    name = office.orders.customer_name(address.customer)
    return {
        "address": address.address,
        "customer": {"id": address.customer, "name": name},
        "line": address.line,
        "zone": address.zone and address.zone.key,
        "opted_out": address.opted_out,
    }


def read(address_id: str, given: Mapping[str, Any]) -> tuple[Address, str, list[Fault]]:
    """Read a document; return the address, its customer's name, and the faults. Pure."""
    members = Members(given, [], names=MEMBERS)
    customer = members.part("customer", "id name")
    customer_id, name = customer.id("id"), customer.line("name", LONGEST_LINE)
    line, is_out = members.line("line", LONGEST_LINE), members.flag("opted_out")
    zone = None
    try:
        zone = None if given.get("zone") is None else zones.named(str(given["zone"]))
    except ValueError as error:
        members.note(str(error), "zone")
    return Address(address_id, customer_id, line, is_out, zone), name, members.faults


def _found(office: Office, address_id: str) -> Address | None:
    try:
        return office.orders.address(address_id)
    except LookupError:
        return None
