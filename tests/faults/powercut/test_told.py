"""The states that a power cut may leave follow from when each change began and was done."""

from tests.faults.powercut.told import Change, Told

KEY = "keys/device.pem"


def told(*changes: Change) -> Told:
    return Told(changes=list(changes))


def test_nothing_may_be_there_before_the_first_change_begins() -> None:
    assert told(Change(10, 20, KEY, "a")).may_be(KEY, 9) == {None}


def test_change_in_hand_may_be_seen_or_not() -> None:
    made = told(Change(0, 5, KEY, "a"), Change(10, 20, KEY, "b"))

    assert [made.may_be(KEY, size) for size in (10, 19)] == [{"a", "b"}] * 2


def test_change_that_is_done_is_promised() -> None:
    made = told(Change(0, 5, KEY, "a"), Change(10, 20, KEY, "b"), Change(30, 40, KEY, None))

    assert made.may_be(KEY, 20) == {"b"}
    assert made.may_be(KEY, 40) == {None}


def test_changes_of_one_file_say_nothing_of_another() -> None:
    made = told(Change(0, 5, KEY, "a"), Change(10, 20, "trust/fleet.jws", "b"))

    assert made.may_be(KEY, 15) == {"a"}
    assert made.names() == {KEY, "trust/fleet.jws"}
