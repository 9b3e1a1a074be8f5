"""The people of the demo's round who are not on the road: customers, and a dispatcher."""

from datetime import UTC, datetime
from typing import Final

from doorstep_backend.office import demo
from doorstep_backend.office.cases import CUSTOMER, Closing, Report
from doorstep_backend.office.casework import Decision
from doorstep_backend.office.model import Office
from tests.demo import story
from tests.demo.story import Turn

DISPATCHER: Final = "dispatch ana"
"""Name of the demo's dispatcher in the office's logs."""


def act(turn: Turn, office: Office, pressed: str) -> None:
    """Do what a person says or decides between two presses; `pressed` is the last record."""
    now = datetime.now(UTC)
    match turn:
        case Turn.REPORTED:
            order = office.orders.find(story.YARD)
            office.casework.report(order, pressed, Report.NOT_MY_DOOR, now)
        case Turn.CORRECTED:
            case = office.cases.open_for(CUSTOMER, pressed, now)
            assert case is not None
            latest = office.corrections.of_record(pressed)[-1].version
            decision = Decision(Closing.MOVED, story.MISPLACED, latest)
            office.close_case(case, decision, DISPATCHER, now)
        case Turn.OPTS_OUT:
            office.opt_out_order(demo.CHANGES_MIND, opted_out=True)
        case Turn.RANG_UP:
            office.filing.outcomes.mark_delivered(demo.GIFT, DISPATCHER, now)
        case Turn.BOUND:
            office.corrections.bind(pressed, story.STAIRWELL, DISPATCHER, now)
        case _:
            raise ValueError(f"{turn.name} is on the road")
