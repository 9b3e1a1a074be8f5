"""The dates of certificates: which clock may judge them."""

from datetime import UTC, datetime, timedelta

import pytest

from agent.errors import NotGenuine
from agent.identity import authorities
from agent.identity.authorities import CLOCK_TOLERANCE
from agent.record import signing
from agent.record.certificates import Certificate
from hardware.clock import ClockSource
from tests.support.authority import new_authority

PUBLIC = signing.new_key().public_key()


def begins_in(wait: timedelta) -> Certificate:
    return new_authority().issue(PUBLIC, "van-7", starts=datetime.now(UTC) + wait)


@pytest.mark.parametrize(
    ("source", "is_judge"),
    [
        (ClockSource.NTP, True),
        (ClockSource.GNSS, True),
        (ClockSource.RTC, False),
        (ClockSource.UNSYNCED, False),
    ],
)
def test_certificate_of_tomorrow_is_refused_by_a_synchronised_clock_only(
    monkeypatch: pytest.MonkeyPatch, source: ClockSource, is_judge: bool
) -> None:
    monkeypatch.setattr(authorities, "SystemWitness", lambda: lambda: source)
    found = begins_in(timedelta(days=1))

    if is_judge:
        with pytest.raises(NotGenuine, match=r"not valid before 20\d\d-\d\d-\d\d \d\d:\d\d UTC"):
            authorities.check_dates(found)
    else:
        authorities.check_dates(found)


def test_clock_of_an_authority_may_be_somewhat_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authorities, "SystemWitness", lambda: lambda: ClockSource.NTP)

    authorities.check_dates(begins_in(CLOCK_TOLERANCE - timedelta(minutes=1)))
    with pytest.raises(NotGenuine, match="not valid before"):
        authorities.check_dates(begins_in(CLOCK_TOLERANCE + timedelta(minutes=1)))
