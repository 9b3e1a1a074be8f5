"""Corrections: a press is moved to its right order, hidden or withdrawn, in whatever order."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.models import RecordKind
from agent.record import file as recordfile
from doorstep_backend.engines.objects import Objects
from doorstep_backend.engines.unavailable import Unavailable
from doorstep_backend.office.access import Customer
from doorstep_backend.office.corrections import (
    CannotBindError,
    NotWaitingError,
    StaleCorrectionError,
    State,
    Why,
)
from doorstep_backend.office.demo import (
    ALLOWED,
    CHANGES_MIND,
    CONFIDENTIAL,
    LEFT_DOOR,
    RIGHT_DOOR,
    SIGNATURE,
)
from doorstep_backend.office.orders import NoSuchOrder, Order
from doorstep_backend.office.photos import BY_DISPATCH
from tests.backend.office.interrupted import Interrupted
from tests.support.demo_office import NOON, PICTURE, WHO, DemoOffice
from tests.support.factory import Made, RecordMaker, new_id

DAY = timedelta(days=1)


def version(demo_office: DemoOffice, capture_id: str) -> int:
    query = "SELECT version FROM captures WHERE capture_id = ?"
    (found,) = demo_office.office.ledger.execute(query, (capture_id,)).fetchone()
    return int(found)


def correct(
    demo_office: DemoOffice,
    capture_id: str,
    to: str | None,
    state: State = State.SHOWN,
    **changed: Any,
) -> None:
    """Correct what the page has just shown."""
    said: dict[str, Any] = {"who": WHO, "why": Why.WRONG_ORDER, "now": NOON} | changed
    latest = said.pop("version", None)
    latest = version(demo_office, capture_id) if latest is None else latest
    demo_office.office.corrections.correct(capture_id, latest, to=to, state=state, **said)


def at_place(demo_office: DemoOffice, number: str, **changes: Any) -> Made:
    """Return a photo that its device bound by its place alone."""
    stop = {"id": demo_office.office.orders.find(number).stop_id, "bound_by": "place"}
    return demo_office.photo(number, stop=stop, **changes)


def test_a_photo_that_is_moved_is_the_other_orders_in_every_respect(
    demo_office: DemoOffice,
) -> None:
    """The record stays as its device signed it; a further opt-out erases it where it is now."""
    office = demo_office.office
    moved = demo_office.receive(at_place(demo_office, LEFT_DOOR))
    received, before = office.store.received(moved), demo_office.manifest().version

    correct(demo_office, moved, RIGHT_DOOR)

    assert (demo_office.shown(LEFT_DOOR), demo_office.shown(RIGHT_DOOR)) == ([], [moved])
    assert (demo_office.is_done(LEFT_DOOR), demo_office.is_done(RIGHT_DOOR)) == (False, True)
    assert demo_office.manifest().version > before
    assert not office.access.may_see(Customer("c-3"), moved, NOON)
    assert office.access.may_see(Customer("c-4"), moved, NOON)
    assert (office.filing.of_order(LEFT_DOOR), office.filing.of_order(RIGHT_DOOR)) == ([], [moved])
    (photo,) = office.filing.photos_of(RIGHT_DOOR)
    assert (photo.bound_by, photo.named_by) == (BY_DISPATCH, "place")
    assert office.store.received(moved) == received
    office.opt_out_order(LEFT_DOOR, True)
    assert demo_office.kept(moved) == (True, True)
    office.opt_out_order(RIGHT_DOOR, True)
    assert demo_office.kept(moved) == (False, False)


def test_a_photo_that_is_moved_back_is_where_its_device_put_it(demo_office: DemoOffice) -> None:
    photo = demo_office.receive(at_place(demo_office, LEFT_DOOR))
    for number in (RIGHT_DOOR, LEFT_DOOR):
        correct(demo_office, photo, number)

    (found,) = demo_office.office.filing.photos_of(LEFT_DOOR)

    assert found.bound_by == "place"


def test_hidden_photo_is_shown_to_nobody_and_stays_proof(demo_office: DemoOffice) -> None:
    """Customer and dispatch's lists lack it; a photo that is shown again is as before."""
    photo = demo_office.receive(demo_office.photo(ALLOWED, quality={"verdict": "dark"}))
    filing = demo_office.office.filing

    correct(demo_office, photo, ALLOWED, State.HIDDEN, who="customer", why=Why.NOT_MY_DOOR)

    assert (demo_office.shown(ALLOWED), filing.photo(photo), filing.flagged()) == ([], None, [])
    assert not demo_office.office.access.may_see(Customer("c-1"), photo, NOON)
    assert demo_office.is_done(ALLOWED)
    assert demo_office.kept(photo) == (True, True)

    correct(demo_office, photo, ALLOWED, State.SHOWN, why=Why.CHECKED)
    assert demo_office.shown(ALLOWED) == [photo]


def test_withdrawn_photo_is_erased_and_its_stop_is_open_again(demo_office: DemoOffice) -> None:
    photo = demo_office.receive(demo_office.photo(ALLOWED))

    correct(demo_office, photo, None, State.WITHDRAWN, why=Why.SHOWS_PERSON)

    assert demo_office.kept(photo) == (False, False)
    assert not demo_office.is_done(ALLOWED)
    filed = demo_office.office.filing.filed(photo)
    assert filed is not None
    assert filed.erased_why == "withdrawn"
    with pytest.raises(NotWaitingError):
        correct(demo_office, photo, ALLOWED)


def test_withdrawn_photo_of_a_held_order_is_kept_until_the_release(
    demo_office: DemoOffice,
) -> None:
    """A hold counts on the order of the correction, and on the order that the device named."""
    erasure = demo_office.office.erasure
    photo = demo_office.receive(at_place(demo_office, LEFT_DOOR))
    correct(demo_office, photo, RIGHT_DOOR)
    for number in (LEFT_DOOR, RIGHT_DOOR):
        erasure.hold(number, "CASE-7", NOON)

    correct(demo_office, photo, None, State.WITHDRAWN)

    assert demo_office.shown(RIGHT_DOOR) == []
    assert erasure.expire(NOON + 400 * DAY) == 0
    erasure.release(RIGHT_DOOR, NOON)
    assert erasure.expire(NOON) == 0
    erasure.release(LEFT_DOOR, NOON)
    assert erasure.expire(NOON) == 1
    assert demo_office.kept(photo) == (False, False)


def test_hold_covers_a_bound_photo_that_was_moved_away_before(demo_office: DemoOffice) -> None:
    """Its own record names neither order, and its new order's customer opts out."""
    office, photo = demo_office.office, demo_office.receive(demo_office.stray())
    demo_office.bind(photo, LEFT_DOOR)
    correct(demo_office, photo, RIGHT_DOOR)
    office.erasure.hold(LEFT_DOOR, "CASE-7", NOON)

    office.opt_out_order(RIGHT_DOOR, True)
    assert demo_office.kept(photo) == (True, True)
    office.erasure.release(LEFT_DOOR, NOON)

    assert demo_office.kept(photo) == (False, False)


def test_withdrawn_photo_is_erased_after_its_process_died(demo_office: DemoOffice) -> None:
    photo = demo_office.receive(demo_office.photo(ALLOWED))
    demo_office.office.erasure.hold(ALLOWED, "CASE-7", NOON)
    correct(demo_office, photo, None, State.WITHDRAWN)
    demo_office.office.ledger.execute("DELETE FROM holds")  # as if the process had died

    assert demo_office.office.erasure.overdue_s(NOON + timedelta(hours=1)) == 3600
    assert demo_office.office.erasure.expire(NOON) == 1


# --- which corrections are refused


def test_a_correction_of_an_old_page_changes_nothing_and_says_who_was_faster(
    demo_office: DemoOffice,
) -> None:
    photo = demo_office.receive(at_place(demo_office, LEFT_DOOR))
    correct(demo_office, photo, RIGHT_DOOR, who="dispatch ben", now=NOON)

    with pytest.raises(StaleCorrectionError) as refused:
        correct(demo_office, photo, ALLOWED, version=0)

    latest = refused.value.latest
    assert (latest.who, latest.at, latest.number) == ("dispatch ben", NOON, RIGHT_DOOR)
    assert "dispatch ben corrected it at 2026-12-01T12:00:00.000Z" in str(refused.value)
    assert demo_office.shown(RIGHT_DOOR) == [photo]
    assert len(demo_office.office.corrections.of_record(photo)) == 1
    with pytest.raises(CannotBindError, match="no such correction"):
        correct(demo_office, demo_office.receive(demo_office.photo(ALLOWED)), ALLOWED, version=9)


def elsewhere(demo_office: DemoOffice) -> str:
    """Return an order that no device of the demo carries."""
    demo_office.office.orders.add(Order("2001", "c-1", "a-1", "s-2001", (), 52.5, 13.4))
    return "2001"


def on_another_day(demo_office: DemoOffice) -> str:
    """Return an order that the same device carries tomorrow."""
    number, begins = elsewhere(demo_office), NOON + DAY
    routes = demo_office.office.routes
    routes.plan("tomorrow", [number], begins, begins + timedelta(hours=8))
    routes.assign("tomorrow", demo_office.van.device_id)
    return number


def without_photos(demo_office: DemoOffice) -> str:  # noqa: ARG001 - as the others
    return CONFIDENTIAL


def signed_for(demo_office: DemoOffice) -> str:  # noqa: ARG001 - as the others
    return SIGNATURE


@pytest.mark.parametrize(
    ("find", "told"),
    [
        (elsewhere, "did not carry"),
        (on_another_day, "did not carry"),
        (without_photos, "takes no photo"),
        (signed_for, "takes no photo"),
    ],
)
def test_a_photo_is_moved_only_to_what_its_device_carried_that_day_and_what_takes_photos(
    demo_office: DemoOffice, find: Callable[[DemoOffice], str], told: str
) -> None:
    """Dispatch can still withdraw it."""
    photo = demo_office.receive(at_place(demo_office, LEFT_DOOR))
    number = find(demo_office)

    with pytest.raises(CannotBindError, match=told):
        correct(demo_office, photo, number)
    with pytest.raises(NoSuchOrder):
        correct(demo_office, photo, "9999")

    assert demo_office.shown(LEFT_DOOR) == [photo]
    offered = demo_office.office.filing.candidates(photo)
    assert number not in {one.number for one in offered} - {CONFIDENTIAL, SIGNATURE}
    correct(demo_office, photo, None, State.WITHDRAWN)
    assert demo_office.kept(photo) == (False, False)


def test_a_press_of_unknown_time_is_of_any_route_that_had_begun(demo_office: DemoOffice) -> None:
    record = recordfile.unpack(at_place(demo_office, LEFT_DOOR).content).record
    photo = demo_office.receive(
        demo_office.van.make(RecordKind.PHOTO, record, PICTURE, clock="unsynced"),
        "2026-12-01T13:00:00.000Z",
    )
    later = on_another_day(demo_office)

    numbers = [one.number for one in demo_office.office.filing.candidates(photo)]

    assert RIGHT_DOOR in numbers
    assert later not in numbers


@pytest.mark.parametrize("state", [State.SHOWN, State.HIDDEN, State.WITHDRAWN])
def test_erased_photo_or_void_cannot_be_corrected(demo_office: DemoOffice, state: State) -> None:
    erased = demo_office.receive(demo_office.photo(RIGHT_DOOR))
    demo_office.office.opt_out_order(RIGHT_DOOR, True)
    void = demo_office.receive(demo_office.void(new_id()))
    to = None if state is State.WITHDRAWN else ALLOWED

    for one in (erased, void, new_id()):
        with pytest.raises(NotWaitingError):
            demo_office.office.corrections.correct(
                one, 0, to=to, state=state, who=WHO, why=Why.WRONG_ORDER, now=NOON
            )


@pytest.mark.parametrize(
    ("to", "state"), [(None, State.SHOWN), (None, State.HIDDEN), (ALLOWED, State.WITHDRAWN)]
)
def test_a_correction_that_contradicts_itself_is_refused(
    demo_office: DemoOffice, to: str | None, state: State
) -> None:
    photo = demo_office.receive(demo_office.photo(ALLOWED))

    with pytest.raises(CannotBindError):
        correct(demo_office, photo, to, state)

    assert demo_office.shown(ALLOWED) == [photo]


def test_correction_is_rolled_back_if_its_further_step_fails(
    demo_office: DemoOffice,
) -> None:
    photo = demo_office.receive(at_place(demo_office, LEFT_DOOR))

    def fail() -> None:
        raise LookupError("the case was closed meanwhile")

    with pytest.raises(LookupError):
        correct(demo_office, photo, RIGHT_DOOR, also=fail)

    assert demo_office.shown(LEFT_DOOR) == [photo]
    assert demo_office.office.corrections.of_record(photo) == []


# --- families


@pytest.mark.parametrize("about", ["original", "retake"])
def test_a_photo_and_its_retakes_move_together(demo_office: DemoOffice, about: str) -> None:
    original = demo_office.receive(at_place(demo_office, LEFT_DOOR))
    retake = demo_office.receive(at_place(demo_office, LEFT_DOOR, retake_of=original))

    correct(demo_office, {"original": original, "retake": retake}[about], RIGHT_DOOR)

    assert (demo_office.shown(LEFT_DOOR), demo_office.shown(RIGHT_DOOR)) == ([], [retake])
    assert set(demo_office.office.filing.of_order(RIGHT_DOOR)) == {original, retake}
    (made,) = demo_office.office.corrections.of_record(original)
    assert demo_office.office.corrections.of_record(retake) == [made]


def test_a_retake_that_names_another_order_stays_where_it_is(demo_office: DemoOffice) -> None:
    original = demo_office.receive(at_place(demo_office, LEFT_DOOR))
    retake = demo_office.receive(at_place(demo_office, ALLOWED, retake_of=original))

    correct(demo_office, original, RIGHT_DOOR)

    assert (demo_office.shown(RIGHT_DOOR), demo_office.shown(ALLOWED)) == ([original], [retake])


def test_a_retake_takes_back_only_while_it_is_on_the_same_order(demo_office: DemoOffice) -> None:
    original = demo_office.receive(at_place(demo_office, LEFT_DOOR))
    retake = demo_office.receive(at_place(demo_office, ALLOWED, retake_of=original))

    correct(demo_office, retake, LEFT_DOOR)
    assert demo_office.shown(LEFT_DOOR) == [retake]
    correct(demo_office, retake, ALLOWED)

    assert (demo_office.shown(LEFT_DOOR), demo_office.shown(ALLOWED)) == ([original], [retake])
    assert (demo_office.is_done(LEFT_DOOR), demo_office.is_done(ALLOWED)) == (True, True)


def test_a_retake_that_comes_after_a_correction_follows_it(demo_office: DemoOffice) -> None:
    """A retake moves or is erased with the photo that it retakes, also if that photo is erased."""
    moved = at_place(demo_office, LEFT_DOOR)
    late = at_place(demo_office, LEFT_DOOR, retake_of=moved.label.capture_id)
    gone = demo_office.photo(ALLOWED)
    late_too = demo_office.photo(ALLOWED, retake_of=gone.label.capture_id)
    correct(demo_office, demo_office.receive(moved), RIGHT_DOOR)
    correct(demo_office, demo_office.receive(gone), None, State.WITHDRAWN)

    demo_office.receive(late)
    demo_office.receive(late_too)

    assert (demo_office.shown(LEFT_DOOR), demo_office.shown(RIGHT_DOOR)) == (
        [],
        [late.label.capture_id],
    )
    assert demo_office.shown(ALLOWED) == []
    assert demo_office.kept(late_too.label.capture_id) == (False, False)
    assert not demo_office.is_done(ALLOWED)


def test_a_waiting_retake_is_not_deleted_with_a_photo_that_has_an_order(
    demo_office: DemoOffice,
) -> None:
    """Dispatch sees the retake alone; both are withdrawn by a correction of the photo."""
    photo = demo_office.receive(at_place(demo_office, LEFT_DOOR))
    retake = demo_office.receive(demo_office.stray(retake_of=photo))

    with pytest.raises(CannotBindError, match="would be erased with it"):
        demo_office.office.corrections.discard(retake, WHO, NOON)

    assert demo_office.shown(LEFT_DOOR) == [photo]
    correct(demo_office, photo, None, State.WITHDRAWN)
    assert {demo_office.kept(one) for one in (photo, retake)} == {(False, False)}


@pytest.mark.parametrize("void_first", [False, True])
def test_a_void_wins_whenever_it_comes(demo_office: DemoOffice, *, void_first: bool) -> None:
    photo = demo_office.receive(at_place(demo_office, LEFT_DOOR))
    if void_first:
        demo_office.receive(demo_office.void(photo))
        with pytest.raises(CannotBindError, match="took it back"):
            correct(demo_office, photo, RIGHT_DOOR)
        correct(demo_office, photo, LEFT_DOOR, State.HIDDEN)
    else:
        correct(demo_office, photo, RIGHT_DOOR)
        demo_office.receive(demo_office.void(photo))

    assert demo_office.shown(LEFT_DOOR) == demo_office.shown(RIGHT_DOOR) == []
    assert not demo_office.is_done(RIGHT_DOOR)


def test_another_device_moves_nothing_along(demo_office: DemoOffice) -> None:
    """A stolen device's "retake" of a photo is no member of that photo's family."""
    photo = demo_office.receive(at_place(demo_office, LEFT_DOOR))
    stop = {"id": demo_office.office.orders.find(ALLOWED).stop_id, "bound_by": "place"}
    record = {"stop": stop, "simulated": False, "retake_of": photo}
    demo_office.office.routes.assign("route-1", "van-8")
    other = demo_office.receive(RecordMaker("van-8").make(RecordKind.PHOTO, record, PICTURE))

    correct(demo_office, photo, RIGHT_DOOR)

    assert (demo_office.shown(RIGHT_DOOR), demo_office.shown(ALLOWED)) == ([photo], [other])


# --- hand-overs


def hand_over(demo_office: DemoOffice, number: str | None, **stop: Any) -> Made:
    """Return a press by which the driver says that a parcel went into somebody's hands."""
    if number is not None:
        stop = {"id": demo_office.office.orders.find(number).stop_id, "bound_by": "code"} | stop
        stop.setdefault("ring", "inside")
    record = {"stop": stop, "reason": "handed_over", "simulated": False}
    return demo_office.van.make(RecordKind.NO_PHOTO, record)


def test_uncertain_hand_over_waits_for_dispatch_with_every_order(
    demo_office: DemoOffice,
) -> None:
    """The order may take no photo: a hand-over has no picture, and its page shows no photo rule."""
    filing = demo_office.office.filing
    made = [
        hand_over(demo_office, None),
        hand_over(demo_office, RIGHT_DOOR, bound_by="ambiguous"),
        hand_over(demo_office, RIGHT_DOOR, ring="outside"),
    ]
    ids = [demo_office.receive(one) for one in made]

    assert [one.capture_id for one in filing.waiting_hand_overs()] == ids
    assert (filing.how_many_hand_overs_wait(), filing.waiting()) == (3, [])
    assert len(filing.candidates(ids[0])) == 8
    assert not demo_office.is_done(CONFIDENTIAL)

    demo_office.bind(ids[0], CONFIDENTIAL)
    demo_office.office.corrections.discard(ids[1], WHO, NOON)

    assert [one.capture_id for one in filing.waiting_hand_overs()] == [ids[2]]
    assert demo_office.is_done(CONFIDENTIAL)
    assert demo_office.kept(ids[1]) == (False, False)
    with pytest.raises(NotWaitingError):
        demo_office.bind(ids[0], ALLOWED)


def test_a_hand_over_is_moved_and_taken_back_as_a_photo_is(demo_office: DemoOffice) -> None:
    pressed, other = (
        demo_office.receive(hand_over(demo_office, number)) for number in (LEFT_DOOR, ALLOWED)
    )
    correct(demo_office, pressed, RIGHT_DOOR)
    filing = demo_office.office.filing
    (moved,) = filing.hand_overs_of(RIGHT_DOOR)

    demo_office.receive(demo_office.void(other))

    assert moved.capture_id == pressed
    done = {one: demo_office.is_done(one) for one in (LEFT_DOOR, RIGHT_DOOR, ALLOWED)}
    assert done == {LEFT_DOOR: False, RIGHT_DOOR: True, ALLOWED: False}
    assert (filing.hand_overs_of(ALLOWED), filing.hand_over(other)) == ([], None)


# --- the log


def test_a_correction_is_kept_as_long_as_a_look_and_as_long_as_its_record(
    demo_office: DemoOffice,
) -> None:
    gone, held = (demo_office.receive(at_place(demo_office, CHANGES_MIND)) for _ in range(2))
    for one in (gone, held):
        correct(demo_office, one, RIGHT_DOOR)
    correct(demo_office, held, LEFT_DOOR)
    office = demo_office.office
    office.erasure.hold(LEFT_DOOR, "CASE-7", NOON)

    office.erasure.expire(NOON + 365 * DAY)
    assert len(office.corrections.of_record(gone)) == 1
    office.erasure.expire(NOON + 366 * DAY)

    assert office.corrections.of_record(gone) == []
    assert [one.number for one in office.corrections.of_record(held)] == [RIGHT_DOOR, LEFT_DOOR]


def test_which_order_an_erased_record_named_is_forgotten_in_its_time(tmp_path: Path) -> None:
    demo_office = DemoOffice(tmp_path)
    demo_office.receive(demo_office.photo(ALLOWED))
    demo_office.office.opt_out_order(ALLOWED, True)

    def named() -> list[str | None]:
        query = "SELECT own_number FROM captures"
        return [row[0] for row in demo_office.office.ledger.execute(query)]

    before = named()
    demo_office.office.erasure.expire(NOON + 31 * DAY)

    assert (before, named()) == ([ALLOWED], [None])


def with_views_kept_for(days: int, folder: Path, objects: Objects | None = None) -> DemoOffice:
    (folder / "backend.toml").write_text(f"[retention]\nview_log_days = {days}\n")
    return DemoOffice(folder, objects=objects)


def test_an_erased_photo_that_was_moved_still_proves_its_order(tmp_path: Path) -> None:
    """The order stays proved also if views are kept for a shorter time than photos."""
    demo_office = with_views_kept_for(7, tmp_path)
    photo = demo_office.receive(at_place(demo_office, LEFT_DOOR))
    correct(demo_office, photo, RIGHT_DOOR)
    demo_office.office.opt_out_order(RIGHT_DOOR, True)
    demo_office.office.erasure.expire(NOON + 10 * DAY)

    with demo_office.office.ledger.transaction():
        demo_office.office.filing.outcomes.settle([RIGHT_DOOR])  # as after any press there

    assert demo_office.is_done(RIGHT_DOOR)


def test_a_retake_that_was_not_erased_with_its_photo_stays_due(
    tmp_path: Path, interrupted: Interrupted
) -> None:
    demo_office = with_views_kept_for(0, tmp_path, interrupted)
    photo = demo_office.receive(demo_office.photo(ALLOWED))
    retake = demo_office.receive(demo_office.photo(ALLOWED, retake_of=photo))
    erasure, interrupted.lost = demo_office.office.erasure, [retake]
    with pytest.raises(Unavailable):
        correct(demo_office, photo, None, State.WITHDRAWN)
    assert erasure.expire(NOON + DAY) == 0
    interrupted.lost = ()

    assert erasure.overdue_s(NOON + DAY) == DAY.total_seconds()
    assert erasure.expire(NOON + DAY) == 1


def test_a_late_retake_follows_a_correction_older_than_the_views(tmp_path: Path) -> None:
    demo_office = with_views_kept_for(0, tmp_path)
    gone = demo_office.receive(demo_office.photo(ALLOWED))
    correct(demo_office, gone, None, State.WITHDRAWN)
    demo_office.office.erasure.expire(NOON + DAY)

    late = demo_office.receive(demo_office.photo(ALLOWED, retake_of=gone))

    assert demo_office.shown(ALLOWED) == []
    assert demo_office.kept(late) == (False, False)
