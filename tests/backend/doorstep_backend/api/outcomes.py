"""GET /api/outcomes and /api/orders/{number}/outcome: facts about deliveries, and never a photo."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from starlette.exceptions import HTTPException

from agent.models import rfc3339
from agent.rule.manifest import PhotoRule
from doorstep_backend.api.problem import Fault
from doorstep_backend.api.reading import check
from doorstep_backend.office.model import Office
from doorstep_backend.office.orders import NoSuchOrder, Order
from doorstep_backend.office.outcome_feed import PAGE
from doorstep_backend.office.outcomes import Outcome
from doorstep_backend.pages import PREFIX

NO_ORDER: Final = "no such order"

_CURSOR: Final = re.compile(r"[0-9]{1,16}")


def of_order(office: Office, number: str) -> dict[str, Any]:
    """Return the outcome of an order. Raises HTTPException: 404 without such an order."""
    try:
        order = office.orders.find(number)
    except NoSuchOrder as error:
        raise HTTPException(404, NO_ORDER) from error
    return _document(office, order)


def page(office: Office, query: Sequence[tuple[str, str]], now: datetime) -> dict[str, Any]:
    """Return a page of the feed, and the cursor of the next one."""
    after = _after(query)
    changes = office.filing.outcomes.feed.page(after, now)
    return {
        "outcomes": [_document(office, office.orders.find(one.number)) for one in changes],
        "next": str(changes[-1].change if changes else after),
        "more": len(changes) == PAGE,
    }


def _after(query: Sequence[tuple[str, str]]) -> int:
    faults = [
        Fault(name, "no such parameter, only `after`") for name, _ in query if name != "after"
    ]
    given = [text for name, text in query if name == "after"]
    if len(given) > 1:
        faults.append(Fault("after", "is given twice"))
    elif given and not _CURSOR.fullmatch(given[0]):
        faults.append(Fault("after", "must be `next` of an earlier answer"))
    check(faults)
    return int(given[0]) if given else 0


def _document(office: Office, order: Order) -> dict[str, Any]:
    outcome = office.filing.outcomes.of(order.number)
    return {
        "order": order.number,
        "delivered": None if outcome is None else _delivered(office, order, outcome),
        "page": f"{PREFIX}/orders/{quote(order.number, safe='')}",
    }


def _delivered(office: Office, order: Order, outcome: Outcome) -> dict[str, Any]:
    """Return how and when; of an order that takes no photo the day alone, as its customer reads."""
    zone = order.zone or office.settings.zone
    is_told = order.photo is not PhotoRule.NO_PHOTO
    return {
        "day": outcome.at and str(outcome.at.astimezone(zone).date()),
        "zone": zone.key,
        "at": rfc3339(outcome.at) if outcome.at and outcome.is_exact and is_told else None,
        "how": outcome.how.value if is_told else None,
    }
