"""`/v1/captures`: records that the backend does not have, in pages, without place, code or stop.

Ages are in hours: a list of times would be a record of a person's pace. For the same reason rows
have no number.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from agent.errors import UnknownItem
from agent.models import CAPTURE_ID, CaptureId, RecordState, from_rfc3339, printable, to_the_hour
from agent.queue.reader import NOT_DELIVERED, OutboxReader, Undelivered
from agent.serve.answer import HttpAnswer, json_answer, refused
from hardware.clock import ClockSource

SUSPECT: Final = "SUSPECT"
"""PENDING records that are answered as if wrong, without a signature, or that are dead ends."""

STATES: Final = (*NOT_DELIVERED, SUSPECT)

LIMIT: Final = 50
LIMIT_MOST: Final = 100

_LIMIT: Final = re.compile(r"[0-9]{1,3}", re.ASCII)
_NOT_AN_END: Final = "after: not what a page named as `next`; begin again without it"


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The requested page: of one state or all, behind one item or from the first."""

    state: str | None = None
    after: CaptureId | None = None
    limit: int = LIMIT


def page_request(parameters: Mapping[str, str]) -> PageRequest:
    """Return the page that an address asks for; `parameters` has no others than a page has.

    Raises:
        ValueError: one of them is wrong; the message names it.
    """
    state, after = parameters.get("state"), parameters.get("after")
    if state is not None and state not in STATES:
        raise ValueError(f"state: none of {', '.join(STATES)}")
    if after is not None and not CAPTURE_ID.fullmatch(after):
        raise ValueError(_NOT_AN_END)
    limit = parameters.get("limit", str(LIMIT))
    if not _LIMIT.fullmatch(limit) or not 1 <= int(limit) <= LIMIT_MOST:
        raise ValueError(f"limit: not a number from 1 to {LIMIT_MOST}")
    return PageRequest(state, None if after is None else CaptureId(after), int(limit))


def page(outbox: OutboxReader, asked: PageRequest, now: datetime) -> HttpAnswer:
    """Return the page, with the parameter for the next one; null after the last page.

    Raises:
        DoorstepError: the queue is unavailable now.
    """
    one_more = asked.limit + 1
    try:
        if asked.state == SUSPECT:
            found = outbox.suspects(asked.after, one_more)
        else:
            states = NOT_DELIVERED if asked.state is None else [RecordState(asked.state)]
            found = outbox.undelivered(states, asked.after, one_more)
    except UnknownItem:
        return refused(400, _NOT_AN_END)
    shown = found[: asked.limit]
    after = shown[-1].capture_id if len(found) > len(shown) else None
    return json_answer({"captures": [_line(one, now) for one in shown], "next": after})


def _line(one: Undelivered, now: datetime) -> dict[str, Any]:
    return {
        "id": one.capture_id,
        "state": one.state,
        "suspect": one.state is RecordState.PENDING and one.suspected > 0,
        "age_h": _age_h(one, now),
        "answer": None if one.answer is None else printable(one.answer),
    }


def _age_h(one: Undelivered, now: datetime) -> int | None:
    """Return the age in hours; None if its clock was unset, or the clock now shows an earlier time.

    An exact age would rise to the second when the press was so many hours ago.
    """
    try:
        age = to_the_hour(now) - to_the_hour(from_rfc3339(one.utc))
    except ValueError:
        return None
    if one.clock == ClockSource.UNSYNCED or age < timedelta(0):
        return None
    return age // timedelta(hours=1)
