"""The order of a record, in whatever sequence the records come."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from agent.models import CaptureId, RecordKind, rfc3339
from agent.record import file as recordfile
from doorstep_backend.office.demo import (
    ALLOWED,
    CONFIDENTIAL,
    GIFT,
    LEFT_DOOR,
    OPTED_OUT,
    RIGHT_DOOR,
    SIGNATURE,
)
from doorstep_backend.office.export import export_device
from tests.support.demo_office import NOON, PICTURE, DemoOffice
from tests.support.factory import Made, RecordMaker, new_id
from tests.support.faulty.store import forget

FORBIDDEN = [CONFIDENTIAL, OPTED_OUT, GIFT]


@pytest.mark.parametrize(
    ("bound_by", "ring"), [("code", "inside"), ("code", "near"), ("place", "near"), ("place", None)]
)
def test_a_bound_photo_is_shown_on_its_order_and_marks_the_stop_done(
    demo_office: DemoOffice, bound_by: str, ring: str | None
) -> None:
    stop = stop_of(demo_office, RIGHT_DOOR, bound_by, ring)
    before = demo_office.manifest().version

    capture_id = demo_office.receive(demo_office.photo(RIGHT_DOOR, stop=stop))

    assert demo_office.shown(RIGHT_DOOR) == [capture_id]
    assert demo_office.shown(LEFT_DOOR) == []
    assert demo_office.is_done(RIGHT_DOOR)
    assert not demo_office.is_done(LEFT_DOOR)
    assert demo_office.manifest().version > before


def stop_of(demo_office: DemoOffice, number: str, bound_by: str, ring: object) -> dict[str, Any]:
    """Return the stop as a record names it."""
    stop_id = demo_office.office.orders.find(number).stop_id
    return {"id": stop_id, "bound_by": bound_by, "ring": ring, "distance_m": None}


# --- when it was left


def test_the_customer_reads_when_it_was_left_and_how_the_place_is_known(
    demo_office: DemoOffice,
) -> None:
    place = {"id": demo_office.office.orders.find(ALLOWED).stop_id, "bound_by": "place"}
    position = {"lat_deg": 52.5163, "lon_deg": 13.3777, "accuracy_m": 9.5}
    demo_office.receive(demo_office.photo(ALLOWED, stop=place, position=position))
    demo_office.receive(demo_office.photo(RIGHT_DOOR))

    (by_place,) = demo_office.office.filing.photos_of(ALLOWED)
    (by_code,) = demo_office.office.filing.photos_of(RIGHT_DOOR)

    assert by_place.left_at == datetime(2026, 12, 1, 9, 15, 2, tzinfo=UTC)
    assert by_place.how_placed() == "The place is known by satellite to about 10 m."
    assert by_code.how_placed() == "The label of the parcel was read before the photo was taken."


def press(demo_office: DemoOffice, clock: str = "unsynced", at_s: int = 0, **label: Any) -> None:
    """Receive a photo of ALLOWED that was taken so long after its boot."""
    record = _record(demo_office.photo(ALLOWED).content)
    label |= {"clock": clock, "monotonic_ns": at_s * 10**9}
    demo_office.receive(demo_office.van.make(RecordKind.PHOTO, record, PICTURE, **label))


def time_record(demo_office: DemoOffice, utc: str, at_s: int = 0, clock: str = "gnss") -> Made:
    """Return a record which says that so long after the boot it was this time."""
    said = {"utc": utc, "monotonic_ns": at_s * 10**9}
    return demo_office.van.make(RecordKind.TIME, {"time": said, "simulated": False}, clock=clock)


def left_at(demo_office: DemoOffice) -> datetime | None:
    (photo,) = demo_office.office.filing.photos_of(ALLOWED)
    return photo.left_at


def test_a_time_record_dates_the_photos_of_its_boot(demo_office: DemoOffice) -> None:
    """The time of a photo is unknown until the time record comes."""
    press(demo_office, at_s=5)
    before = left_at(demo_office)

    demo_office.receive(time_record(demo_office, "2026-12-01T10:00:00.000Z", 65))

    assert (before, left_at(demo_office)) == (None, datetime(2026, 12, 1, 9, 59, tzinfo=UTC))


@pytest.mark.parametrize("better_first", [False, True])
@pytest.mark.parametrize(
    ("clock", "seconds"), [("unsynced", 90), ("rtc", 90), ("gnss", 2), ("ntp", 2)]
)
def test_the_best_time_record_of_a_boot_dates_its_photos(
    demo_office: DemoOffice, clock: str, seconds: int, *, better_first: bool
) -> None:
    """A photo whose own label is as good keeps its own time."""
    press(demo_office, clock, 90)
    told = [("rtc", "2026-12-01T09:10:00.000Z"), ("gnss", "2026-12-01T09:15:00.000Z")]
    for source, utc in reversed(told) if better_first else told:
        demo_office.receive(time_record(demo_office, utc, clock=source))

    assert left_at(demo_office) == datetime(2026, 12, 1, 9, 15, tzinfo=UTC) + timedelta(
        seconds=seconds
    )


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_last_of_equal_time_records_dates_a_boot(
    demo_office: DemoOffice, order: tuple[int, ...]
) -> None:
    """The receiver was months behind for a while: a device then contradicts its own record."""
    press(demo_office, at_s=90)
    said = [("2026-11-30T09:15:00.000Z", 0), ("2026-12-01T09:16:00.000Z", 60)]
    told = [time_record(demo_office, *one) for one in said]

    for number in order:
        demo_office.receive(told[number])

    assert left_at(demo_office) == datetime(2026, 12, 1, 9, 16, 30, tzinfo=UTC)


def test_time_record_from_the_future_dates_no_press(demo_office: DemoOffice) -> None:
    """The record claims a later time than that of its receipt, and may be the last of its boot."""
    press(demo_office)
    demo_office.receive(time_record(demo_office, "2036-12-01T09:15:00.000Z", 1))
    demo_office.receive(time_record(demo_office, "2026-12-01T09:15:00.000Z"))

    assert left_at(demo_office) == datetime(2026, 12, 1, 9, 15, tzinfo=UTC)


@pytest.mark.parametrize(("hours", "counts"), [(-30, True), (-20, False)])
def test_a_label_that_its_boot_contradicts_gives_way(
    demo_office: DemoOffice, hours: int, *, counts: bool
) -> None:
    """A photo that was taken while the receiver was wrong says so with a source as good."""
    at = datetime(2026, 12, 1, 9, 15, tzinfo=UTC)
    wrong = at + timedelta(hours=hours)
    press(demo_office, "gnss", utc=rfc3339(wrong))

    demo_office.receive(time_record(demo_office, rfc3339(at)))

    assert left_at(demo_office) == (at if counts else wrong)


@pytest.mark.parametrize("said", [{"utc": "2026-02-31T00:00:00.000Z"}, {"utc": 5}, "noon", None])
def test_a_hostile_time_record_dates_nothing(demo_office: DemoOffice, said: Any) -> None:
    demo_office.receive(demo_office.van.make(RecordKind.TIME, {"time": said}))
    press(demo_office)

    assert left_at(demo_office) is None


# --- which photo is shown


@pytest.mark.parametrize("retake_first", [False, True])
def test_a_retake_replaces(demo_office: DemoOffice, retake_first: bool) -> None:
    """The retake may also come first, since uploads are retried in any sequence."""
    original = demo_office.photo(ALLOWED)
    retake = demo_office.photo(ALLOWED, retake_of=original.label.capture_id)
    for made in (retake, original) if retake_first else (original, retake):
        demo_office.receive(made)

    assert demo_office.shown(ALLOWED) == [retake.label.capture_id]


def test_a_retake_that_is_bound_to_nothing_replaces_once_dispatch_has_bound_it(
    demo_office: DemoOffice,
) -> None:
    original = demo_office.receive(demo_office.photo(LEFT_DOOR))
    retake = demo_office.receive(demo_office.stray(retake_of=original))

    assert demo_office.shown(LEFT_DOOR) == [original]

    demo_office.bind(retake, LEFT_DOOR)

    assert demo_office.shown(LEFT_DOOR) == [retake]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_void_takes_back_whenever_it_comes(
    demo_office: DemoOffice, order: tuple[int, ...]
) -> None:
    """The photo is shown to nobody, the stop is open again; another photo there stays."""
    taken, other = demo_office.photo(ALLOWED), demo_office.photo(RIGHT_DOOR)
    records = [taken, demo_office.void(taken.label.capture_id), other]
    for index in order:
        demo_office.receive(records[index])

    assert demo_office.shown(ALLOWED) == []
    assert demo_office.office.filing.photo(taken.label.capture_id) is None
    assert not demo_office.office.filing.original(taken.label.capture_id).can_be_shown
    assert not demo_office.is_done(ALLOWED)
    assert demo_office.shown(RIGHT_DOOR) == [other.label.capture_id]
    (void,) = demo_office.office.filing.voids()
    assert (void.about, void.number) == (taken.label.capture_id, ALLOWED)


def test_another_device_takes_nothing_back_and_replaces_nothing(demo_office: DemoOffice) -> None:
    """A stolen device with a key of its own does not hide what others delivered."""
    capture_id = demo_office.receive(demo_office.photo(ALLOWED))
    stranger = RecordMaker("van-8")
    retake = _record(demo_office.photo(ALLOWED).content) | {"retake_of": capture_id}

    demo_office.receive(demo_office.void(capture_id, stranger))
    demo_office.receive(stranger.make(RecordKind.PHOTO, retake, PICTURE))

    assert demo_office.shown(ALLOWED) == [capture_id]


NOT_IN_REACH: list[Any] = ["outside", None, "around", ["inside"], 0]


@pytest.mark.parametrize(
    ("bound_by", "ring"),
    [
        *((one, None) for one in ("ambiguous", "unassigned", "by guess", None, 7)),
        *(("code", one) for one in NOT_IN_REACH),
    ],
)
def test_a_photo_of_no_certain_stop_is_shown_to_nobody_until_dispatch_binds_it(
    demo_office: DemoOffice, bound_by: Any, ring: Any
) -> None:
    """A label is believed, and offered to dispatch first, however near other orders are."""
    stop = stop_of(demo_office, LEFT_DOOR, bound_by, ring)
    at = demo_office.office.orders.find(ALLOWED)
    position = {"lat_deg": at.lat_deg, "lon_deg": at.lon_deg, "accuracy_m": 9.5}
    capture_id = demo_office.receive(demo_office.photo(LEFT_DOOR, stop=stop, position=position))
    filing = demo_office.office.filing

    assert [demo_office.shown(number) for number in (LEFT_DOOR, RIGHT_DOOR)] == [[], []]
    assert [photo.capture_id for photo in filing.waiting()] == [capture_id]
    assert not demo_office.is_done(LEFT_DOOR)
    assert (filing.candidates(capture_id)[0].number == LEFT_DOOR) is (bound_by == "code")

    demo_office.bind(capture_id, RIGHT_DOOR)

    assert filing.waiting() == []
    assert demo_office.shown(RIGHT_DOOR) == [capture_id]
    assert demo_office.is_done(RIGHT_DOOR)
    (photo,) = filing.photos_of(RIGHT_DOOR)
    assert photo.how_placed() == "Our dispatch assigned this photo to your order."


@pytest.mark.parametrize("ring", ["outside", None])
def test_a_refused_label_of_another_place_is_on_no_order(
    demo_office: DemoOffice, ring: str | None
) -> None:
    """The order's customer may have put the label up, and must not learn of this door."""
    stop = stop_of(demo_office, ALLOWED, "code", ring)
    record = {"stop": stop, "reason": "code_elsewhere", "simulated": False}

    demo_office.receive(demo_office.van.make(RecordKind.NO_PHOTO, record))

    assert demo_office.office.filing.of_order(ALLOWED) == []


def hand_over(
    demo_office: DemoOffice,
    number: str,
    bound_by: str = "code",
    ring: str | None = "inside",
    kind: RecordKind = RecordKind.NO_PHOTO,
) -> Made:
    """Make the record of a hand-over at the stop of an order."""
    stop = stop_of(demo_office, number, bound_by, ring)
    record = {"stop": stop, "reason": "handed_over", "simulated": False}
    return demo_office.van.make(kind, record)


@pytest.mark.parametrize(
    ("bound_by", "ring", "is_certain"),
    [
        ("code", "inside", True),
        ("code", "near", True),
        ("place", "near", True),
        ("code", "outside", False),
        ("code", None, False),
        ("ambiguous", "near", False),
        ("unassigned", None, False),
    ],
)
@pytest.mark.parametrize("number", [ALLOWED, SIGNATURE, CONFIDENTIAL])
def test_a_hand_over_is_on_the_order_of_its_stop_if_that_is_certain(
    demo_office: DemoOffice, number: str, bound_by: str, ring: str | None, is_certain: bool
) -> None:
    """The order's rule does not matter, because no page shows a photo."""
    capture_id = demo_office.receive(hand_over(demo_office, number, bound_by, ring))

    filing = demo_office.office.filing
    assert filing.of_order(number) == ([capture_id] if is_certain else [])
    assert demo_office.shown(number) == []


def test_a_hand_over_in_practice_is_on_no_order(demo_office: DemoOffice) -> None:
    demo_office.receive(hand_over(demo_office, ALLOWED, kind=RecordKind.TEST))

    assert demo_office.office.filing.of_order(ALLOWED) == []


@pytest.mark.parametrize("void_first", [True, False])
def test_void_takes_a_hand_over_back_in_either_order_of_arrival(
    demo_office: DemoOffice, *, void_first: bool
) -> None:
    handed = hand_over(demo_office, ALLOWED)
    void = demo_office.void(handed.label.capture_id)

    for made in (void, handed) if void_first else (handed, void):
        demo_office.receive(made)

    filed = demo_office.office.filing.filed(handed.label.capture_id)
    assert filed is not None
    assert filed.taken_back_at is not None


def test_a_device_binds_only_to_stops_that_its_manifest_had(demo_office: DemoOffice) -> None:
    """A stolen device puts no picture on a stranger's order: that waits for dispatch."""
    record = _record(demo_office.photo(ALLOWED).content)

    capture_id = demo_office.receive(RecordMaker("van-8").make(RecordKind.PHOTO, record, PICTURE))

    assert demo_office.shown(ALLOWED) == []
    assert [photo.capture_id for photo in demo_office.office.filing.waiting()] == [capture_id]


@pytest.mark.parametrize("number", FORBIDDEN)
def test_a_photo_of_an_order_without_photos_is_erased_on_arrival(
    demo_office: DemoOffice, number: str
) -> None:
    """The receipt is given, the label is kept, the stop is done; nothing else is left of it.

    The upload still counts as complete, or the device would send it all over again.
    """
    capture_id = demo_office.receive(demo_office.photo(number))
    store = demo_office.office.store
    upload = store.find(capture_id)

    assert demo_office.kept(capture_id) == (False, False)
    assert store.label(capture_id)["capture_id"] == capture_id
    assert store.verdict(capture_id) is not None
    assert upload is not None
    assert store.offset(upload) == upload.length
    assert demo_office.shown(number) == []
    assert demo_office.is_done(number)


def test_an_erased_record_that_comes_again_is_erased_again(demo_office: DemoOffice) -> None:
    made = demo_office.photo(OPTED_OUT)
    demo_office.receive(made)
    forget(demo_office.office.store)

    demo_office.receive(made)

    assert demo_office.kept(made.label.capture_id) == (False, False)


def test_practice_is_on_no_order(demo_office: DemoOffice) -> None:
    record = _record(demo_office.photo(ALLOWED).content)

    demo_office.receive(demo_office.van.make(RecordKind.TEST, record, PICTURE))

    assert demo_office.shown(ALLOWED) == []
    assert demo_office.office.filing.waiting() == []
    assert not demo_office.is_done(ALLOWED)


@pytest.mark.parametrize("said", [{"simulated": True}, {"simulated": None}, {"simulated": "no"}])
def test_simulated_records_count_only_when_they_are_shown(
    tmp_path: Path, said: dict[str, Any]
) -> None:
    """A record that does not deny it is simulated."""
    seen = {}
    for show in (False, True):
        demo_office = DemoOffice(tmp_path / str(show), show_simulated=show)
        demo_office.receive(demo_office.photo(ALLOWED, **said))
        demo_office.receive(demo_office.stray(**said))
        photos, waiting = (
            demo_office.office.filing.photos_of(ALLOWED),
            demo_office.office.filing.waiting(),
        )
        seen[show] = (len(photos), len(waiting), demo_office.is_done(ALLOWED))
        assert all(photo.simulated for photo in photos)

    assert seen == {False: (0, 0, False), True: (1, 1, True)}


@pytest.mark.parametrize("ring", ["inside", "outside", None])
def test_a_refusal_by_code_is_kept_on_its_order_and_shows_nothing(
    demo_office: DemoOffice, ring: str | None
) -> None:
    stop = stop_of(demo_office, SIGNATURE, "code", ring)
    record = {"stop": stop, "reason": "signature_stop", "simulated": False}

    capture_id = demo_office.receive(demo_office.van.make(RecordKind.NO_PHOTO, record))

    assert demo_office.office.filing.of_order(SIGNATURE) == [capture_id]
    assert demo_office.shown(SIGNATURE) == []
    assert not demo_office.is_done(SIGNATURE)


def test_candidates_for_binding_are_the_routes_own_the_nearest_first(
    demo_office: DemoOffice,
) -> None:
    near = demo_office.stray(position={"lat_deg": 52.5262, "lon_deg": 13.37783, "accuracy_m": 20.0})
    capture_id = demo_office.receive(near)

    numbers = [order.number for order in demo_office.office.filing.candidates(capture_id)]

    assert numbers[:2] == [RIGHT_DOOR, LEFT_DOOR]
    assert len(numbers) == 8


HOSTILE: list[Any] = [
    None,
    7,
    [],
    {"id": "../../etc/passwd", "bound_by": "code"},
    {"id": "s-7f3a\0", "bound_by": "code"},
    {"id": "x" * 60_000, "bound_by": "place"},
    {"id": ["s-7f3a"], "bound_by": {"code": 1}, "distance_m": "near"},
    {"id": "s-7f3a'; DROP TABLE orders; --", "bound_by": "code", "distance_m": 10**400},
]


@pytest.mark.parametrize("stop", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_record_is_filed_and_bound_to_nothing(demo_office: DemoOffice, stop: Any) -> None:
    odd = {"position": {"lat_deg": 999, "lon_deg": "x", "accuracy_m": True}, "quality": []}
    capture_id = demo_office.receive(
        demo_office.photo(ALLOWED, stop=stop, retake_of={"a": 1}, **odd)
    )

    (photo,) = demo_office.office.filing.waiting()

    assert (photo.capture_id, photo.verdict, photo.accuracy_m) == (capture_id, "unknown", None)
    assert len(demo_office.office.filing.candidates(capture_id)) == 8


def test_half_a_surrogate_pair_is_no_stop_and_stops_nothing(demo_office: DemoOffice) -> None:
    """JSON can say it and UTF-8 cannot: no file and no database takes it."""
    record = _record(demo_office.photo(ALLOWED).content) | {
        "stop": {"id": "HALF!!", "bound_by": "code"}
    }
    whole = recordfile.pack_body(record, PICTURE, NOON)
    body = whole.replace(b"HALF!!", b"\\ud800")
    label = replace(demo_office.photo(ALLOWED).label, body=recordfile.describe(body))

    capture_id = demo_office.receive(Made(label, recordfile.sign(label, body, demo_office.van.key)))

    assert [photo.capture_id for photo in demo_office.office.filing.waiting()] == [capture_id]
    export_device(demo_office.office, "van-7", demo_office.folder / "device.zip", NOON)


def test_a_void_about_nothing_known_is_kept(demo_office: DemoOffice) -> None:
    demo_office.receive(demo_office.void(new_id()))

    (void,) = demo_office.office.filing.voids()

    assert void.number is None


def test_an_unknown_photo_cannot_be_shown(demo_office: DemoOffice) -> None:
    for capture_id in (CaptureId("../../secret"), new_id()):
        assert not demo_office.office.filing.original(capture_id).can_be_shown


def _record(content: bytes) -> dict[str, Any]:
    return recordfile.unpack(content).record


def numbers(demo_office: DemoOffice) -> list[tuple[str, int]]:
    return [
        (one.capture_id, one.seq)
        for one in demo_office.office.numbered_of(demo_office.van.device_id)
    ]


def test_chain_and_number_of_a_record_are_known_without_its_label(demo_office: DemoOffice) -> None:
    """A device has tens of thousands of records in a year, each a request to a bucket."""
    first, second = (
        demo_office.receive(demo_office.photo(ALLOWED)),
        demo_office.receive(demo_office.stray()),
    )

    demo_office.office.store.objects.erase(first)

    assert numbers(demo_office) == [(first, 1), (second, 2)]


def test_chain_and_number_are_read_from_the_label_of_an_unfiled_record(
    demo_office: DemoOffice,
) -> None:
    old, new = demo_office.receive(demo_office.photo(ALLOWED)), demo_office.photo(RIGHT_DOOR)
    demo_office.keep(new)
    upload = demo_office.office.store.find(new.label.capture_id)
    assert upload is not None
    demo_office.office.store.own(
        upload, demo_office.van.device_id
    )  # as the intake does, by its certificate

    assert numbers(demo_office) == [(old, 1), (new.label.capture_id, 2)]
