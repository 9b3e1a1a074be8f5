"""The right to see a photo: the customer's, and customer service's for 15 minutes after a code."""

from datetime import timedelta

import pytest

from agent.models import rfc3339
from doorstep_backend.office.access import (
    AGENT_TRIES,
    CODE_TRIES,
    WRONG_CODE,
    Customer,
    CustomerService,
    Dispatch,
    Nobody,
    Viewer,
)
from doorstep_backend.office.demo import ALLOWED, CHANGES_MIND, SIGNATURE
from tests.support.demo_office import NOON, DemoOffice

OWNER, OTHER = Customer("c-1"), Customer("c-2")
AGENT, COLLEAGUE = CustomerService("17"), CustomerService("18")
MINUTE = timedelta(minutes=1)


def verified(demo_office: DemoOffice, number: str = ALLOWED) -> bool:
    code = demo_office.office.access.make_one_time_code(number, NOON)
    return demo_office.office.access.verify(AGENT, number, code, "asked where it is", NOON)


@pytest.mark.parametrize(
    ("viewer", "sees"),
    [
        (Nobody(), False),
        (OWNER, True),
        (OTHER, False),
        (AGENT, False),
        (Dispatch("ana"), False),
        (Customer("' OR 1=1 --"), False),
    ],
)
def test_a_bound_photo_is_its_customers_alone(
    demo_office: DemoOffice, viewer: Viewer, sees: bool
) -> None:
    capture_id = demo_office.receive(demo_office.photo(ALLOWED))

    assert demo_office.office.access.may_see(viewer, capture_id, NOON) is sees


@pytest.mark.parametrize("viewer", [Nobody(), OWNER, OTHER, AGENT, Dispatch("ana")])
def test_a_waiting_photo_is_dispatchs_alone(demo_office: DemoOffice, viewer: Viewer) -> None:
    verified(demo_office)
    capture_id = demo_office.receive(demo_office.stray())

    sees = demo_office.office.access.may_see(viewer, capture_id, NOON)

    assert sees is isinstance(viewer, Dispatch)


def test_a_verified_agent_sees_that_order_for_15_minutes(demo_office: DemoOffice) -> None:
    capture_id = demo_office.receive(demo_office.photo(ALLOWED))
    other = demo_office.receive(demo_office.photo(CHANGES_MIND))
    access = demo_office.office.access

    assert verified(demo_office)

    assert access.may_see(AGENT, capture_id, NOON + 15 * MINUTE - timedelta(seconds=1))
    assert not access.may_see(AGENT, capture_id, NOON + 15 * MINUTE)
    assert not access.may_see(AGENT, other, NOON)
    assert not access.may_see(COLLEAGUE, capture_id, NOON)
    assert access.why(AGENT, ALLOWED) == "asked where it is"


def test_nobody_sees_what_was_taken_back_or_opted_out(demo_office: DemoOffice) -> None:
    taken, opted = demo_office.deliver(ALLOWED, CHANGES_MIND)
    demo_office.receive(demo_office.void(taken))
    demo_office.office.opt_out_order(CHANGES_MIND, True)
    verified(demo_office)

    for viewer in (Nobody(), OWNER, Customer("c-4"), AGENT, Dispatch("ana")):
        assert not demo_office.office.access.may_see(viewer, taken, NOON)
        assert not demo_office.office.access.may_see(viewer, opted, NOON)


def test_a_code_works_once_for_its_order_and_in_its_time(demo_office: DemoOffice) -> None:
    access = demo_office.office.access
    code = access.make_one_time_code(ALLOWED, NOON)

    assert not access.verify(AGENT, SIGNATURE, code, "", NOON)
    assert not access.verify(AGENT, ALLOWED, code, "", NOON + 10 * MINUTE)
    assert access.verify(AGENT, ALLOWED, code, "", NOON)
    assert not access.verify(COLLEAGUE, ALLOWED, code, "", NOON)


def test_a_code_cannot_be_guessed_by_trying(demo_office: DemoOffice) -> None:
    access = demo_office.office.access
    code = access.make_one_time_code(ALLOWED, NOON)
    wrong = "000000" if code != "000000" else "000001"

    for guess in [wrong, "", "①" * 6, wrong, wrong][:CODE_TRIES]:
        assert not access.verify(AGENT, ALLOWED, guess, "", NOON)

    assert not access.verify(AGENT, ALLOWED, code, "", NOON)
    assert access.verify(AGENT, ALLOWED, access.make_one_time_code(ALLOWED, NOON), "", NOON)


def test_wrong_code_is_logged_for_the_customer(demo_office: DemoOffice) -> None:
    """A wrong code is logged also if the order has no code; an unknown order has no log."""
    access = demo_office.office.access

    assert not access.verify(AGENT, ALLOWED, "000000", "", NOON)
    assert not access.verify(COLLEAGUE, ALLOWED, "000000", "", NOON + MINUTE)
    assert not access.verify(AGENT, "9999", "000000", "", NOON)

    assert [
        (view.at, view.viewer, view.capture_id, view.why) for view in access.views_of(ALLOWED)
    ] == [
        (NOON, "agent 17", "", WRONG_CODE),
        (NOON + MINUTE, "agent 18", "", WRONG_CODE),
    ]
    assert access.views_of("9999") == []


@pytest.mark.parametrize("numbers", [[ALLOWED], [ALLOWED, SIGNATURE], ["9999"]])
def test_an_agent_who_guesses_waits_for_an_hour(
    demo_office: DemoOffice, numbers: list[str]
) -> None:
    """However many codes the customers ask for, and whichever orders it tries."""
    access = demo_office.office.access
    for n in range(AGENT_TRIES):
        access.make_one_time_code(ALLOWED, NOON)
        assert access.may_try(AGENT, NOON)
        assert not access.verify(AGENT, numbers[n % len(numbers)], "wrong", "", NOON)

    code = access.make_one_time_code(ALLOWED, NOON + 59 * MINUTE)

    assert not access.verify(AGENT, ALLOWED, code, "", NOON + 59 * MINUTE)
    assert access.may_try(COLLEAGUE, NOON)
    assert access.verify(AGENT, ALLOWED, code, "", NOON + 60 * MINUTE)


def test_a_new_code_ends_the_one_before(demo_office: DemoOffice) -> None:
    first = demo_office.office.access.make_one_time_code(ALLOWED, NOON)
    codes = {first}
    while len(codes) == 1:
        codes.add(demo_office.office.access.make_one_time_code(ALLOWED, NOON))

    assert not demo_office.office.access.verify(AGENT, ALLOWED, first, "", NOON)


def test_each_look_is_written_down_with_who_when_and_why(demo_office: DemoOffice) -> None:
    capture_id = demo_office.receive(demo_office.photo(ALLOWED))
    demo_office.office.access.log(OWNER, capture_id, "", NOON)
    demo_office.office.access.log(AGENT, capture_id, "asked where it is", NOON + MINUTE)

    views = demo_office.office.access.views_of(ALLOWED)

    assert [(view.at, view.viewer, view.why) for view in views] == [
        (NOON, "customer", ""),
        (NOON + MINUTE, "agent 17", "asked where it is"),
    ]
    with pytest.raises(ValueError, match="nobody sees"):
        demo_office.office.access.log(Nobody(), capture_id, "", NOON)


def test_the_log_names_the_dispatcher_and_the_customer_reads_the_role(
    demo_office: DemoOffice,
) -> None:
    """The role decides, also if the account's name has the words of another role."""
    access = demo_office.office.access
    capture_id = demo_office.receive(demo_office.photo(ALLOWED))
    for viewer in (Dispatch("ana"), Dispatch("agent 17"), AGENT):
        access.log(viewer, capture_id, "why", NOON)

    views = access.views_of(ALLOWED)

    assert [view.viewer for view in views] == ["dispatch ana", "dispatch agent 17", "agent 17"]
    assert [view.for_customer().viewer for view in views] == ["dispatch", "dispatch", "agent 17"]


def test_a_look_of_before_dispatchers_had_names_reads_as_ever(demo_office: DemoOffice) -> None:
    row = (rfc3339(NOON), "dispatch", ALLOWED, "a-photo", "to find the order it is of")
    into = "INSERT INTO views (at, viewer, number, capture_id, why) VALUES (?, ?, ?, ?, ?)"
    demo_office.office.ledger.execute(into, row)

    (view,) = demo_office.office.access.views_of(ALLOWED)

    assert view.viewer == view.for_customer().viewer == "dispatch"
