"""The fleet as numbers for Prometheus: few for each device, since there may be 10,000."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from agent import __version__
from agent.status import metrics
from agent.status.metrics import HELP, Sample
from agent.status.troubles import Trouble
from doorstep_backend.identity.known import DeviceState
from doorstep_backend.reports.fleet import Device
from doorstep_backend.reports.shape import status_of
from doorstep_backend.wire.filing_backlog import BacklogSize

FLEET_HELP: Final[Mapping[str, str]] = {
    "doorstep_unfiled_records": "Records with a receipt that are on no page yet; 10,001 is more.",
    "doorstep_oldest_unfiled_timestamp_seconds": "When the first of them got its receipt.",
    "doorstep_erasure_overdue_seconds": "How long a record is due and not erased, at most.",
    "doorstep_presses_without_photo": "Those of the fleet that came in 24 hours, by the reason in "
    "their records, up to the last full hour; 10,001 is more.",
    "doorstep_device_state": "1, with what the register says of the device: in or revoked.",
    "doorstep_report_timestamp_seconds": "When the device last said how it is, to the hour.",
    **{
        name: HELP[name]
        for name in (
            "doorstep_needs",
            "doorstep_waiting_records",
            "doorstep_oldest_timestamp_seconds",
            "doorstep_waits_why",
            "doorstep_refused_records",
            "doorstep_bench_mode",
            "doorstep_tls_end_timestamp_seconds",
            "doorstep_left_seconds",
            "doorstep_mean_watts",
            "doorstep_info",
        )
    },
}
"""Numbers for the care of a fleet, out of those that a device gives to a client that pulls."""

ONLY_WHERE_NOT_0: Final = frozenset({"doorstep_refused_records", "doorstep_bench_mode"})
"""10,000 noughts say nothing, and are a megabyte."""

_REASONS: Final = frozenset(str(one) for one in Trouble)

_RELEASE: Final = re.compile(r"([0-9]{4})\.([0-9]{1,2})\.([0-9]{1,4})")
"""A release's year, month and number."""


def exposition(
    devices: Iterable[Device],
    backlog: BacklogSize | None,
    overdue_s: float | None,
    refusals: Mapping[str, int] | None,
) -> bytes:
    """Return what Prometheus reads: nothing of devices that are gone, nor what is not known."""
    told = ((one.device_id, samples(one)) for one in devices if one.state is not DeviceState.GONE)
    return metrics.exposition(told, FLEET_HELP, _of_no_device(backlog, overdue_s, refusals))


def _of_no_device(
    backlog: BacklogSize | None, overdue_s: float | None, refusals: Mapping[str, int] | None
) -> Iterator[Sample]:
    if backlog is not None:
        yield Sample("doorstep_unfiled_records", backlog.records)
        if backlog.since is not None:
            oldest_s = backlog.since.timestamp()
            yield Sample("doorstep_oldest_unfiled_timestamp_seconds", oldest_s)
    if overdue_s is not None:
        yield Sample("doorstep_erasure_overdue_seconds", overdue_s)
    for reason, presses in (refusals or {}).items():
        yield Sample("doorstep_presses_without_photo", presses, {"reason": reason})


def samples(device: Device) -> Iterator[Sample]:
    """Return the samples of a device; of its report only while it is let in."""
    yield Sample("doorstep_device_state", 1, {"state": str(device.state)})
    for need in device.needs:
        yield Sample("doorstep_needs", 1, {"need": str(need)})
    if device.report is None or device.state is not DeviceState.IN:
        return
    received_s = device.report.received_at.timestamp()
    yield Sample("doorstep_report_timestamp_seconds", received_s)
    for one in metrics.samples(status_of(device.report.document)):
        if one.name in FLEET_HELP and one.name != "doorstep_needs" and _says_something(one):
            yield from _with_known_labels(one)


def _with_known_labels(sample: Sample) -> Iterator[Sample]:
    """Yield a device's sample if it has no label, or one with a value of a closed list.

    Prometheus keeps a series for each value that a label ever had: a device that chose its own
    could fill the disk of the monitoring.
    """
    match sample.labels:
        case {"agent": agent}:
            yield replace(sample, labels={"agent": _release(agent)})
        case {"why": why} if why in _REASONS:
            yield sample
        case labels if not labels:
            yield sample


def _release(agent: str) -> str:
    """Return this backend's own release, or how the device's compares to it."""
    ours, theirs = _RELEASE.fullmatch(__version__), _RELEASE.fullmatch(agent)
    if ours is None or theirs is None:
        return "unknown"
    if (this := _numbers(ours)) == (that := _numbers(theirs)):
        return __version__
    return "older" if that < this else "newer"


def _numbers(release: re.Match[str]) -> tuple[int, ...]:
    return tuple(int(part) for part in release.groups())


def _says_something(sample: Sample) -> bool:
    return bool(sample.value) or sample.name not in ONLY_WHERE_NOT_0
