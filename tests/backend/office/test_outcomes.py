"""The outcome of an order: one definition of done, for manifests, routes and pages."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.models import RecordKind, rfc3339
from agent.record import signing
from doorstep_backend.office.demo import (
    ALLOWED,
    CONFIDENTIAL,
    GIFT,
    LEFT_DOOR,
    OPTED_OUT,
    RIGHT_DOOR,
    SIGNATURE,
)
from doorstep_backend.office.orders import NoSuchOrder
from doorstep_backend.office.outcomes import How, Outcome
from tests.support.demo_office import NOON, PICTURE, RECEIVED, WHO, DemoOffice
from tests.support.factory import Made

DAY = timedelta(days=1)
PRESSED = datetime(2026, 12, 1, 9, 15, 2, tzinfo=UTC)
CAME = datetime(2026, 12, 1, 11, tzinfo=UTC)


def outcome(demo_office: DemoOffice, number: str) -> Outcome | None:
    """Return the outcome, which says the same as the manifest."""
    found = demo_office.office.filing.outcomes.of(number)
    assert demo_office.is_done(number) == (found is not None)
    return found


def no_photo(demo_office: DemoOffice, number: str, reason: str, **said: Any) -> Made:
    """Return a press without a photo at the stop of an order, by its label in reach."""
    label = {name: said.pop(name) for name in ("utc", "clock") if name in said}
    stop = {"id": demo_office.office.orders.find(number).stop_id}
    stop |= {"bound_by": "code", "ring": "near"} | said
    record = {"stop": stop, "reason": reason, "simulated": False}
    return demo_office.van.make(RecordKind.NO_PHOTO, record, **label)


@pytest.mark.parametrize("ring", ["inside", "near"])
@pytest.mark.parametrize("number", [CONFIDENTIAL, OPTED_OUT, GIFT])
def test_a_door_without_photos_is_done_by_the_label_that_was_refused_in_reach(
    demo_office: DemoOffice, number: str, ring: str
) -> None:
    demo_office.receive(no_photo(demo_office, number, "no_photo_stop", ring=ring))

    assert outcome(demo_office, number) == Outcome(How.NO_PHOTO_STOP, PRESSED)


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("no_photo_stop", {"ring": "outside"}),
        ("no_photo_stop", {"ring": None}),
        ("no_photo_stop", {"bound_by": "place"}),
        ("signature_stop", {}),
        ("code_elsewhere", {}),
        ("camera_fault", {}),
    ],
)
def test_another_press_without_a_photo_proves_nothing(
    demo_office: DemoOffice, reason: str, said: dict[str, Any]
) -> None:
    """A stop that is to be signed for stays open until a hand-over or a dispatcher's word."""
    demo_office.receive(no_photo(demo_office, SIGNATURE, reason, **said))

    assert outcome(demo_office, SIGNATURE) is None


def test_a_stop_to_be_signed_for_is_done_by_a_hand_over_or_a_dispatchers_word(
    demo_office: DemoOffice,
) -> None:
    outcomes = demo_office.office.filing.outcomes
    demo_office.receive(no_photo(demo_office, SIGNATURE, "handed_over"))
    by_hand = outcome(demo_office, SIGNATURE)

    outcomes.mark_delivered(SIGNATURE, WHO, NOON)
    outcomes.mark_delivered(GIFT, WHO, NOON)

    assert by_hand == Outcome(How.HANDED_OVER, PRESSED)
    assert (
        outcome(demo_office, SIGNATURE) == outcome(demo_office, GIFT) == Outcome(How.DISPATCH, NOON)
    )
    with pytest.raises(NoSuchOrder):
        outcomes.mark_delivered("9999", WHO, NOON)


@pytest.mark.parametrize("late_first", [False, True])
def test_the_latest_proof_that_was_not_taken_back_wins(
    demo_office: DemoOffice, *, late_first: bool
) -> None:
    """The times of the presses decide, and not those of the receipts."""
    handed = no_photo(demo_office, ALLOWED, "handed_over", utc="2026-12-01T10:00:00.000Z")
    photo = demo_office.photo(ALLOWED)
    for made in (handed, photo) if late_first else (photo, handed):
        demo_office.receive(made)
    before = outcome(demo_office, ALLOWED)

    demo_office.receive(demo_office.void(handed.label.capture_id))
    then = outcome(demo_office, ALLOWED)
    demo_office.receive(demo_office.void(photo.label.capture_id))

    at = datetime(2026, 12, 1, 10, tzinfo=UTC)
    assert (before, then) == (Outcome(How.HANDED_OVER, at), Outcome(How.PHOTO, PRESSED))
    assert outcome(demo_office, ALLOWED) is None


def test_press_of_unknown_time_counts_from_its_receipt(
    demo_office: DemoOffice,
) -> None:
    """The `time` record may come after the photo; a time after the receipt was never true."""
    for number, clock in ((RIGHT_DOOR, "unsynced"), (LEFT_DOOR, "gnss")):
        stop = {"id": demo_office.office.orders.find(number).stop_id, "bound_by": "place"}
        record = {"stop": stop, "simulated": False}
        label = {"clock": clock, "monotonic_ns": 5 * 10**9, "utc": "2036-12-01T09:15:02.000Z"}
        demo_office.receive(demo_office.van.make(RecordKind.PHOTO, record, PICTURE, **label))
    before = [outcome(demo_office, number) for number in (RIGHT_DOOR, LEFT_DOOR)]

    told = {"utc": "2026-12-01T10:00:00.000Z", "monotonic_ns": 0}
    demo_office.receive(demo_office.van.make(RecordKind.TIME, {"time": told}))

    assert before == [Outcome(How.PHOTO, CAME, is_exact=False)] * 2
    at = datetime(2026, 12, 1, 10, 0, 5, tzinfo=UTC)
    assert outcome(demo_office, RIGHT_DOOR) == Outcome(How.PHOTO, at)


def test_an_outcome_outlives_the_photo_and_ends_with_a_void(demo_office: DemoOffice) -> None:
    """A void always wins, also over what an opt-out has erased."""
    kept, voided = demo_office.deliver(ALLOWED, RIGHT_DOOR)
    for number in (ALLOWED, RIGHT_DOOR):
        demo_office.office.opt_out_order(number, True)
    assert demo_office.kept(kept) == (False, False)
    both = outcome(demo_office, ALLOWED), outcome(demo_office, RIGHT_DOOR)

    demo_office.receive(demo_office.void(voided))
    demo_office.receive(demo_office.photo(OPTED_OUT))

    assert both == (Outcome(How.PHOTO, PRESSED),) * 2
    assert outcome(demo_office, ALLOWED) == both[0]
    assert outcome(demo_office, RIGHT_DOOR) is None
    assert outcome(demo_office, OPTED_OUT) == both[0]


def sources(demo_office: DemoOffice) -> list[tuple[str, str, str]]:
    query = "SELECT number, how, source FROM outcomes ORDER BY 1, 2, 3"
    return [tuple(row) for row in demo_office.office.ledger.execute(query)]


def test_which_record_proved_an_order_is_forgotten_in_its_time_and_the_outcome_stays(
    demo_office: DemoOffice,
) -> None:
    """The order keeps only its latest proof, without the record or the dispatcher's name."""
    first = demo_office.receive(demo_office.photo(ALLOWED))
    later = no_photo(demo_office, ALLOWED, "handed_over", utc="2026-12-01T10:00:00.000Z")
    second = demo_office.receive(later)
    demo_office.office.filing.outcomes.mark_delivered(GIFT, WHO, CAME)
    expire = demo_office.office.erasure.expire

    expire(CAME + 30 * DAY - timedelta(milliseconds=1))
    before = sources(demo_office)
    expire(CAME + 30 * DAY)

    assert set(before) == {
        (ALLOWED, "photo", first),
        (ALLOWED, "handed_over", second),
        (GIFT, "dispatch", WHO),
    }
    assert sources(demo_office) == [(ALLOWED, "handed_over", ""), (GIFT, "dispatch", "")]
    at = datetime(2026, 12, 1, 10, tzinfo=UTC)
    found = demo_office.office.filing.outcomes.of(ALLOWED)
    assert found == Outcome(How.HANDED_OVER, at)
    assert demo_office.office.orders.find(ALLOWED).done


def test_erased_press_of_unknown_time_keeps_the_day_of_its_receipt(demo_office: DemoOffice) -> None:
    demo_office.receive(no_photo(demo_office, ALLOWED, "handed_over", clock="unsynced"))

    demo_office.office.erasure.expire(CAME + 30 * DAY)

    found = demo_office.office.filing.outcomes.of(ALLOWED)
    assert found == Outcome(How.HANDED_OVER, CAME.replace(hour=12), is_exact=False)


def test_an_order_that_is_proved_again_later_has_the_later_outcome(
    demo_office: DemoOffice,
) -> None:
    """If two parcels of one order come weeks apart, the outcome is that of the second one."""
    demo_office.receive(demo_office.photo(ALLOWED))
    demo_office.office.erasure.expire(CAME + 30 * DAY)
    at = PRESSED + 40 * DAY
    record = {"stop": {"id": demo_office.office.orders.find(ALLOWED).stop_id, "bound_by": "place"}}
    made = demo_office.van.make(
        RecordKind.PHOTO, record | {"simulated": False}, PICTURE, utc=rfc3339(at)
    )
    demo_office.office.routes.plan("later", [ALLOWED], CAME + 40 * DAY, CAME + 40 * DAY + DAY / 2)
    demo_office.office.routes.assign("later", demo_office.van.device_id)
    demo_office.receive(made, rfc3339(CAME + 40 * DAY))

    demo_office.office.erasure.expire(CAME + 80 * DAY)

    assert demo_office.office.filing.outcomes.of(ALLOWED) == Outcome(How.PHOTO, at)
    assert sources(demo_office) == [(ALLOWED, "photo", "")]


def test_a_held_orders_proof_keeps_its_record(demo_office: DemoOffice) -> None:
    photo = demo_office.receive(demo_office.photo(ALLOWED))
    demo_office.office.erasure.hold(ALLOWED, "CASE-7", NOON)

    demo_office.office.erasure.expire(CAME + 60 * DAY)

    assert sources(demo_office) == [(ALLOWED, "photo", photo)]


def test_a_route_that_is_handed_on_leaves_out_what_is_done_without_a_photo(
    demo_office: DemoOffice,
) -> None:
    """The heir has a route already: what is not done yet goes behind it."""
    office = demo_office.office
    office.routes.plan("other", [RIGHT_DOOR], NOON, NOON + timedelta(hours=8))
    office.routes.assign("other", "van-8")
    demo_office.receive(no_photo(demo_office, CONFIDENTIAL, "no_photo_stop"))
    demo_office.receive(no_photo(demo_office, SIGNATURE, "handed_over"))
    office.filing.outcomes.mark_delivered(GIFT, WHO, NOON)

    office.routes.hand_on(demo_office.van.device_id, "van-8", NOON)

    left = {one.number for one in office.orders.on_route("other")}
    assert left.isdisjoint({CONFIDENTIAL, SIGNATURE, GIFT})
    assert {ALLOWED, OPTED_OUT} <= left


def test_hand_over_by_a_revoked_key_proves_no_delivery(demo_office: DemoOffice) -> None:
    """The office may revoke the key before or after the record comes."""
    demo_office.receive(no_photo(demo_office, SIGNATURE, "handed_over"))
    kid = signing.thumbprint(demo_office.van.key.public_key())
    before = outcome(demo_office, SIGNATURE)

    since = datetime.fromisoformat(RECEIVED)
    demo_office.office.revoked_keys.add(kid, demo_office.van.device_id, since)
    demo_office.receive(no_photo(demo_office, GIFT, "no_photo_stop"))

    assert before is not None
    assert (outcome(demo_office, SIGNATURE), outcome(demo_office, GIFT)) == (None, None)


def test_an_order_that_is_added_as_done_has_an_outcome_of_unknown_time(
    demo_office: DemoOffice,
) -> None:
    order = demo_office.office.orders.find(ALLOWED)
    added = replace(order, number="2001", stop_id="s-2001", codes=(), done=True)
    demo_office.office.orders.add(added)

    found = demo_office.office.filing.outcomes.of("2001")

    assert found == Outcome(How.DISPATCH, None, is_exact=False)
    assert demo_office.office.orders.find("2001").done


def test_only_one_old_outcome_is_left_whatever_proved_it(demo_office: DemoOffice) -> None:
    """A later proof of another kind, which grows old after the first, leaves no second outcome."""
    outcomes, expire = demo_office.office.filing.outcomes, demo_office.office.erasure.expire
    demo_office.receive(demo_office.photo(ALLOWED))
    expire(CAME + 30 * DAY)
    outcomes.mark_delivered(ALLOWED, WHO, CAME + 40 * DAY)
    expire(CAME + 80 * DAY)

    assert sources(demo_office) == [(ALLOWED, "dispatch", "")]


def test_an_old_proof_stays_if_a_later_one_is_taken_back(demo_office: DemoOffice) -> None:
    """The later one was still known by its source when the first one lost its own."""
    outcomes = demo_office.office.filing.outcomes
    demo_office.receive(demo_office.photo(ALLOWED))
    outcomes.mark_delivered(ALLOWED, WHO, CAME + 20 * DAY)
    demo_office.office.erasure.expire(CAME + 30 * DAY)

    outcomes.take_word_back(ALLOWED)

    assert outcomes.of(ALLOWED) == Outcome(How.PHOTO, PRESSED)
