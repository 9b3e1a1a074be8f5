"""The table at the end of a peak; pure."""

import statistics
from collections.abc import Iterator
from typing import Final

from tests.demo.peak.dispatch import Looks
from tests.demo.peak.play import Outcome

WIDTH: Final = 52

NAMES: Final = {
    "backend": "intake instances",
    "office": "office, its pages among it",
    "devices": "devices (the load itself)",
}
"""Texts for roles whose name does not explain them."""


def lines(outcome: Outcome, looks: Looks) -> Iterator[str]:
    """Yields the table, row by row."""
    judged, failed = outcome.judged, outcome.failed
    yield _row("records", f"{outcome.records}")
    yield _row("receipts on the devices", f"{len(outcome.received)}")
    yield _row("lost: a receipt, and no such record", f"{len(judged.lost)}")
    yield _row("double: a second object", f"{len(judged.double)}")
    yield _row("received, and not filed", f"{len(judged.unfiled)}")
    told = ", ".join(f"{times} × {why}" for why, times in sorted(failed.items()))
    yield _row("attempts without a receipt", told or "0")
    yield from _times(outcome)
    yield from _processor(outcome)
    if outcome.s3_requests:
        yield _row("S3 requests per record", f"{outcome.s3_requests / outcome.records:.2f}")
    pages = f"{len(looks.took_s)} shown, {looks.failed} not"
    yield _row("dispatch's page at the office, each second", pages)
    yield _row("  p50 and p95", _middle([one * 1e3 for one in looks.took_s]))


def _times(outcome: Outcome) -> Iterator[str]:
    """From the begin of a record's first attempt to its receipt, as its device sees it."""
    all_ms = sorted(one.took_s * 1e3 for one in outcome.received)
    first_ms = sorted(one.took_s * 1e3 for one in outcome.received if one.attempts == 1)
    yield _row("first attempt to receipt, p50 and p95", _middle(all_ms))
    yield _row(f"  of the {len(first_ms)} that needed one attempt", _middle(first_ms))
    yield _row("receipts a second", f"{len(all_ms) / max(outcome.seconds, 1.0):.1f}")


def _processor(outcome: Outcome) -> Iterator[str]:
    for name, used_s in outcome.used_s.items():
        what = f"CPU per record, {NAMES.get(name, name)}"
        yield _row(what, f"{used_s / outcome.records * 1e3:.1f} ms")


def _middle(times_ms: list[float]) -> str:
    if len(times_ms) < 2:
        return "-"
    p50, p95 = percentiles(times_ms)
    return f"{p50:,.0f} ms, {p95:,.0f} ms"


def percentiles(values: list[float]) -> tuple[float, float]:
    """The 50th and the 95th."""
    parts = statistics.quantiles(values, n=20, method="inclusive")
    return parts[9], parts[18]


def _row(name: str, value: str) -> str:
    return f"  {name:<{WIDTH}} {value}"
