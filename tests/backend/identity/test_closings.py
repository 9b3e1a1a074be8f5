"""Where chains ended when a device went for good: what is counted, told, and forgotten."""

from datetime import timedelta
from pathlib import Path

from doorstep_backend.identity.closings import (
    MOST_GAPS,
    ChainEnd,
    Closing,
    How,
    chain_ends,
    ends_told,
    told,
)
from doorstep_backend.identity.register import Register
from tests.support.demo_office import NOON


def records(chain: str, *seqs: int) -> list[tuple[str, int]]:
    return [(chain, seq) for seq in seqs]


def test_an_end_counts_what_came_and_names_what_did_not() -> None:
    ends = chain_ends([*records("a", 4, 2, 9, 5), *records("b", 1)])

    assert ends == (ChainEnd("a", 9, 4, ((1, 1), (3, 3), (6, 8))), ChainEnd("b", 1, 1, ()))
    assert [one.missing for one in ends] == [5, 0]


def test_a_number_that_came_twice_counts_once() -> None:
    """A fork: two records have it."""
    assert chain_ends(records("a", 1, 2, 2)) == (ChainEnd("a", 2, 2, ()),)


def test_a_chain_of_holes_names_a_hundred_and_counts_all() -> None:
    (end,) = chain_ends(records("a", *range(2, 1002, 2)))

    assert len(end.gaps) == MOST_GAPS
    assert (end.last_seq, end.missing) == (1000, 500)


def test_what_a_rescue_brought_since_is_told() -> None:
    before = chain_ends(records("a", 1, 4))
    closing = Closing("van-7", NOON, How.GONE, "the office", before)

    after = ends_told(closing, chain_ends([*records("a", 1, 2, 4, 5), *records("b", 1)]))

    assert told(closing) == "gone since 2026-12-01 12:00 UTC, by the office"
    assert after == [
        "last record seen: chain a, seq 5; 1 missing below; closed at seq 4; 2 came since",
        "last record seen: chain b, seq 1; 0 missing below; not known when it closed; 1 came since",
    ]
    assert ends_told(closing, ()) == ["no record of it was seen"]


def test_the_first_end_counts_and_a_technicians_name_goes(tmp_path: Path) -> None:
    register = Register(tmp_path)
    for device_id in ("van-7", "van-8"):
        register.let_in(device_id)
    first = Closing("van-7", NOON, How.RETIRED, "ada", chain_ends(records("a", 1, 3)))

    kept = register.close(first)
    again = register.close(Closing("van-7", NOON + timedelta(1), How.GONE, "the office", ()))
    register.close(Closing("van-8", NOON, How.RETIRED, "the device itself", ()))
    register.forget_names(NOON - timedelta(seconds=1))
    early = register.closing("van-7")
    register.forget_names(NOON)
    late, other = register.closing("van-7"), register.closing("van-8")

    assert kept == again == early == first
    assert late is not None
    assert (late.by, late.chains) == ("a technician", first.chains)
    assert other is not None
    assert other.by == "the device itself"
