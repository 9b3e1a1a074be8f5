"""Certificates that are out of date, on the wire for real; nothing is told to such a peer."""

from datetime import UTC, datetime, timedelta

import pytest
import trustme

from agent.models import State
from tests.faults.network.rig import Exchange, in_memory, rig

pytestmark = pytest.mark.slow

DAY = timedelta(days=1)
NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    ("since", "until", "words"),
    [
        (NOW - 30 * DAY, NOW - DAY, "certificate has expired"),
        (NOW + DAY, NOW + 30 * DAY, "certificate is not yet valid"),
    ],
)
@pytest.mark.parametrize("exchange", [Exchange.FIRST, Exchange.AGAIN])
def test_certificate_out_of_date_delivers_nothing(
    exchange: Exchange, since: datetime, until: datetime, words: str
) -> None:
    """Not one byte of a request goes out; the answer names certificate and clock."""
    with in_memory() as folder, rig(folder) as one:
        item = one.prepare(exchange)
        one.box.present(one.box.ca.issue_cert("127.0.0.1", not_before=since, not_after=until))
        one.attempt(item)

        row = one.row(item)
        assert row.state == State.PENDING
        assert words in str(row.answer)
        assert "clock" in str(row.answer)
        assert one.box.passed["up"] == 0
        one.box.present(one.box.ca.issue_cert("127.0.0.1"))
        assert one.outcome(item, []) == []


def test_name_of_another_host_delivers_nothing() -> None:
    with in_memory() as folder, rig(folder) as one:
        item = one.prepare(Exchange.FIRST)
        one.box.present(one.box.ca.issue_cert("elsewhere.example"))
        one.attempt(item)

        assert one.box.passed["up"] == 0
        one.box.present(one.box.ca.issue_cert("127.0.0.1"))
        assert one.outcome(item, []) == []


def test_certificate_of_another_authority_delivers_nothing() -> None:
    """A portal that ends TLS itself."""
    with in_memory() as folder, rig(folder) as one:
        item = one.prepare(Exchange.FIRST)
        one.box.present(trustme.CA().issue_cert("127.0.0.1"))
        one.attempt(item)

        assert one.box.passed["up"] == 0
        one.box.present(one.box.ca.issue_cert("127.0.0.1"))
        assert one.outcome(item, []) == []
