"""The fleet's page: the devices it shows, their order, and the questions it accepts."""

from datetime import timedelta
from urllib.parse import parse_qs

import pytest

from agent.status.troubles import Trouble
from doorstep_backend.pages.auth import fields
from doorstep_backend.pages.fleet_list import (
    PAGE_LENGTH,
    Brief,
    FleetListQuery,
    Group,
    Sort,
    page,
    summary,
)
from doorstep_backend.reports.asked import NotAskedRightError
from doorstep_backend.reports.troubles import Need, Noticed
from tests.support.demo_office import NOON

HOUR = timedelta(hours=1)


def device(
    name: str, group: Group = Group.WELL, *needs: Need, since: str | None = None, heard_h: int = 1
) -> Brief:
    waits = since is not None or group is Group.WAITS
    heard_at = None if Noticed.NEVER_REPORTED in needs else NOON - heard_h * HOUR
    return Brief(name, group, needs, waits, since, heard_at)


FLEET = [
    device("a-well"),
    device("b-gone", Group.GONE),
    device("c-waits", Group.WAITS, since="2026-12-01T09:00:00.000Z", heard_h=3),
    device("d-waits-undated", Group.WAITS),
    device("e-waits-longer", Group.WAITS, since="2026-12-01T08:00:00.000Z", heard_h=2),
    device("f-refused", Group.NEEDS, Trouble.REFUSED, since="2026-12-01T07:00:00.000Z"),
    device("g-full", Group.NEEDS, Trouble.FULL, Trouble.DOCTOR),
    device("h-refused", Group.NEEDS, Trouble.REFUSED, since="2026-12-01T06:00:00.000Z"),
    device("i-never", Group.NEEDS, Noticed.NEVER_REPORTED),
]


def names(**asked: str) -> str:
    """Return the first letters of the devices that the page shows."""
    return "".join(one.device_id[0] for one in page(FLEET, FleetListQuery.read(asked)).devices)


def test_devices_are_sorted_by_worst_trouble_and_longest_wait() -> None:
    assert names() == "ghfiecdab"


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ({"sort": "waiting"}, "hfecdabgi"),
        ({"sort": "contact"}, "iceabdfgh"),
        ({"sort": "name"}, "abcdefghi"),
        ({"show": "needs"}, "ghfi"),
        ({"show": "waits"}, "ecd"),
        ({"show": "well"}, "a"),
        ({"show": "gone"}, "b"),
        ({"show": "refused"}, "hf"),
        ({"show": "doctor"}, "g"),
        ({"show": "never_reported"}, "i"),
        ({"show": "revoked"}, ""),
        ({"text": " WAITS "}, "ecd"),
        ({"text": "waits", "sort": "name"}, "cde"),
        ({"text": "%"}, ""),
        ({"show": "needs", "text": "refused", "sort": "name"}, "fh"),
        ({"another": "word"}, "ghfiecdab"),
    ],
)
def test_filters_and_sorting(asked: dict[str, str], shown: str) -> None:
    assert names(**asked) == shown


@pytest.mark.parametrize(
    "asked",
    [
        {"show": "everything"},
        {"show": "bench_mode"},
        {"show": "no_network"},
        {"show": "WORST"},
        {"sort": "place"},
        *({"page": page} for page in ("0", "-1", "1.0", "one", "1000000", "+1", " 1")),
        {"page": "²"},
        {"page": "\N{ARABIC-INDIC DIGIT ONE}"},
    ],
)
def test_invalid_question_is_refused_with_a_sentence(asked: dict[str, str]) -> None:
    with pytest.raises(NotAskedRightError, match=r"^[A-Z][a-z ]+( 1 on)?\.$"):
        FleetListQuery.read(asked)


def test_a_list_has_pages_and_one_beyond_the_last_is_the_last() -> None:
    fleet = [device(f"van-{one:03}") for one in range(2 * PAGE_LENGTH + 1)]

    pages = [page(fleet, FleetListQuery(page=number)) for number in (1, 2, 3, 999_999)]

    assert [(one.number, one.of, one.found, len(one.devices)) for one in pages] == [
        (1, 3, 101, 50),
        (2, 3, 101, 50),
        (3, 3, 101, 1),
        (3, 3, 101, 1),
    ]
    assert [*pages[0].devices, *pages[1].devices, *pages[2].devices] == fleet
    empty = page([], FleetListQuery(page=7))
    assert (empty.number, empty.of, empty.found) == (1, 1, 0)


def test_a_link_asks_for_what_it_says() -> None:
    asked = FleetListQuery("refused", Sort.NAME, 'ä&"=', 3)

    assert FleetListQuery.read(fields(asked.query())) == asked
    assert parse_qs(asked.query(page=1)).keys() == {"show", "sort", "text"}
    assert FleetListQuery().query() == ""


def test_the_fleet_in_numbers_leaves_out_what_is_gone() -> None:
    found = summary(FLEET)

    assert (found.devices, found.groups[Group.NEEDS], found.groups[Group.WAITS]) == (8, 4, 3)
    assert list(found.needs.items()) == [
        (Trouble.FULL, 1),
        (Trouble.REFUSED, 2),
        (Trouble.DOCTOR, 1),
        (Noticed.NEVER_REPORTED, 1),
    ]
    assert found.oldest_utc == "2026-12-01T08:00:00.000Z"
