"""Time zones: their names, and the text of a time in a zone."""

import zoneinfo
from datetime import UTC, datetime
from pathlib import Path

import pytest

from doorstep_backend import zones
from doorstep_backend.pages.words import day_and_time
from doorstep_backend.settings import WrongSettingError, read_settings

TOLD = {
    ("2026-07-01 12:32", "Europe/Zurich"): "1 July 2026, 14:32 (Europe/Zurich)",
    ("2026-12-01 13:32", "Europe/Zurich"): "1 December 2026, 14:32 (Europe/Zurich)",
    ("2026-12-31 23:05", "Europe/Zurich"): "1 January 2027, 00:05 (Europe/Zurich)",
    ("2026-12-01 13:32", "America/New_York"): "1 December 2026, 08:32 (America/New_York)",
    ("2026-12-01 13:32", "UTC"): "1 December 2026, 13:32\N{NO-BREAK SPACE}UTC",
    # the hour that there is twice, and the minutes around it
    ("2026-10-24 23:59", "Europe/Zurich"): "25 October 2026, 01:59 (Europe/Zurich)",
    ("2026-10-25 00:30", "Europe/Zurich"): "25 October 2026, 02:30 UTC+2 (Europe/Zurich)",
    ("2026-10-25 01:30", "Europe/Zurich"): "25 October 2026, 02:30 UTC+1 (Europe/Zurich)",
    ("2026-10-25 02:00", "Europe/Zurich"): "25 October 2026, 03:00 (Europe/Zurich)",
    ("2026-11-01 05:30", "America/New_York"): "1 November 2026, 01:30 UTC-4 (America/New_York)",
    ("2026-11-01 04:00", "America/St_Johns"): "1 November 2026, 01:30 UTC-2:30 (America/St_Johns)",
    ("2026-04-04 15:15", "Australia/Lord_Howe"): "5 April 2026, 01:45 UTC+10:30 "
    "(Australia/Lord_Howe)",
    # the hour that there is not
    ("2026-03-29 00:59", "Europe/Zurich"): "29 March 2026, 01:59 (Europe/Zurich)",
    ("2026-03-29 01:00", "Europe/Zurich"): "29 March 2026, 03:00 (Europe/Zurich)",
}


@pytest.mark.parametrize(("at", "name"), TOLD)
def test_text_of_a_time_has_the_clock_and_the_name_of_its_zone(at: str, name: str) -> None:
    instant = datetime.fromisoformat(at).replace(tzinfo=UTC)

    assert day_and_time(instant, zones.named(name)) == TOLD[at, name]


def test_no_database_of_the_system_is_needed() -> None:
    zoneinfo.reset_tzpath(to=[])
    try:
        found = zoneinfo.ZoneInfo.no_cache("Europe/Zurich")
    finally:
        zoneinfo.reset_tzpath()

    summer, winter = (datetime(2026, month, 1, tzinfo=found).utcoffset() for month in (7, 12))
    assert summer != winter


NONE = {
    "Europe/Zürich": "did you mean Europe/Zurich?",
    "europe/zurich": "did you mean Europe/Zurich?",
    "CEST2": "is no IANA time zone",
    "Europe": "is no IANA time zone",
    "zone.tab": "is no IANA time zone",
    "../../etc/passwd": "is no IANA time zone",
    "": "give one as Europe/Zurich",
    "x" * 5000: "give one as Europe/Zurich",
}


@pytest.mark.parametrize("name", NONE, ids=range(len(NONE)))
def test_a_name_that_there_is_not_is_said_in_a_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "backend.toml").write_text(f'zone = "{name}"\n')

    with pytest.raises(WrongSettingError) as said:
        read_settings(tmp_path)

    assert str(said.value).startswith("backend.toml: zone: ")
    assert NONE[name] in str(said.value)
    assert len(str(said.value)) < 200
