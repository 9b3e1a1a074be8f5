"""The stored time is whole, or counts as missing."""

from datetime import timedelta

import pytest

from agent.queue.paths import Layout
from agent.trust.certain import Agreement
from agent.trust.store import KeptTime, TrustStore
from hardware.clock import BUILT
from hardware.floor import GnssAllowance
from tests.support.peak import peak_mb

KNOWN = KeptTime(
    BUILT + timedelta(days=3),
    Agreement("a boot", BUILT + timedelta(days=2, milliseconds=5), 17.25),
    GnssAllowance("a boot", 12.5, BUILT, BUILT + timedelta(days=2), BUILT + timedelta(days=1)),
)


@pytest.mark.parametrize(
    "known", [KNOWN, KeptTime(), KeptTime(BUILT), KeptTime(BUILT, None, KNOWN.allowance)]
)
def test_kept_document_is_read_again(layout: Layout, known: KeptTime) -> None:
    TrustStore(layout).keep_time(known)

    assert TrustStore(layout).time() == known


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        '{"floor": 3}',
        '{"floor": 0}',
        '{"agreed": false}',
        '{"allowance": {}}',
        '{"floor": "2026-12-01T06:00:00+02:00"}',
        '{"agreed": {"boot_id": "b", "utc": "2026-12-01T06:00:00Z"}}',
        '{"agreed": {"boot_id": "b", "utc": "2026-12-01T06:00:00Z", "boottime_s": NaN}}',
        '{"agreed": {"boot_id": "b", "utc": "2026-12-01T06:00:00Z", "boottime_s": 1e300}}',
        '{"agreed": {"boot_id": "b", "utc": "2026-12-01T06:00:00Z", "boottime_s": -1.0}}',
        '{"allowance": "all"}',
        "[" * 100_000,
    ],
)
def test_unreadable_document_counts_as_missing_and_is_logged(
    layout: Layout, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    (layout.trust / "time.json").write_text(text)

    assert TrustStore(layout).time() == KeptTime()
    assert "event=trust_unreadable file=time.json" in caplog.text


def test_the_group_may_read_it_and_nobody_else(layout: Layout) -> None:
    """prune is another user."""
    TrustStore(layout).keep_time(KNOWN)

    assert (layout.trust / "time.json").stat().st_mode & 0o777 == 0o640


def test_more_documents_than_a_chain_has_take_little_memory(layout: Layout) -> None:
    """Four million would take 200 MB, in each process that reads them."""
    (layout.trust / "fleet.jws").write_text("ab " * 500_000)

    assert peak_mb(TrustStore(layout).fleet) < 12


def test_long_file_of_times_takes_little_memory(layout: Layout) -> None:
    """A document of 7 MB took 196 MB and 0.9 s, in each process that reads it."""
    (layout.trust / "time.json").write_text('{"floor": [' + "[]," * 300_000 + "0]}")

    assert peak_mb(TrustStore(layout).time) < 1
