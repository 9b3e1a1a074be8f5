"""Status documents as numbers, for Prometheus: the names are a contract.

This is the only importer of its library, which costs 3 MB: load this module only for numbers.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest  # noqa: TID251 - the only importer
from prometheus_client.core import GaugeMetricFamily  # noqa: TID251 - the only importer
from prometheus_client.exposition import CONTENT_TYPE_LATEST  # noqa: TID251 - the only importer

from agent.models import from_rfc3339
from agent.status.values import (
    NOT_IN_DOCUMENT,
    CapturePart,
    NotInDocument,
    QueuePart,
    Status,
)

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


@dataclass(frozen=True, slots=True)
class Sample:
    """A number of one device, or of none; `labels` are added to the device's own."""

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


HELP: Final[Mapping[str, str]] = {
    "doorstep_waiting_records": "Records that are not with the backend yet.",
    "doorstep_suspect_records": "Failing records that the backend answers as if they were wrong.",
    "doorstep_refused_records": "Records that the backend refused with its signature.",
    "doorstep_damaged_records": "Records whose file is gone or altered.",
    "doorstep_oldest_timestamp_seconds": "When the oldest waiting record was made, to the hour.",
    "doorstep_waits_why": "1 for the reason why the oldest record waits.",
    "doorstep_needs": "1 for each thing that a person must do something about.",
    "doorstep_ready": "1 where a press could leave its photo.",
    "doorstep_bench_mode": "1 where presses come through the socket.",
    "doorstep_tls_end_timestamp_seconds": "When the TLS certificate ends.",
    "doorstep_contact_timestamp_seconds": "Last contact with the backend, to the hour.",
    "doorstep_used_joules": "Energy since unplugged, in steps of 2 Wh, changed once an hour.",
    "doorstep_left_seconds": "Time until the device shuts down, whole hours, 6 at most.",
    "doorstep_mean_watts": "Mean power of the last whole shift that has ended.",
    "doorstep_info": "1, with the agent's version.",
}
"""Help text of each metric, a gauge.

Prometheus keeps a history: a metric of quiet times would be a record of a person's breaks.
"""


def exposition(
    devices: Iterable[tuple[str, Iterable[Sample]]],
    help_of: Mapping[str, str],
    whole: Iterable[Sample] = (),
) -> bytes:
    """Return the samples of each device as Prometheus reads them, for the metrics in `help_of`.

    Samples in `whole` are of no device, and have their own labels only.
    """
    families: dict[str, GaugeMetricFamily] = {}

    def add(sample: Sample, labels: Mapping[str, str]) -> None:
        family = families.get(sample.name)
        if family is None:
            family = GaugeMetricFamily(sample.name, help_of[sample.name], labels=[*labels])
            families[sample.name] = family
        family.add_metric([*labels.values()], sample.value)

    for sample in whole:
        add(sample, sample.labels)
    for device, found in devices:
        for sample in found:
            add(sample, {"device": device, **sample.labels})
    registry = CollectorRegistry()
    registry.register(_Collected(families.values()))
    return generate_latest(registry)


class _Collected:
    def __init__(self, families: Iterable[GaugeMetricFamily]) -> None:
        self._families = families

    def collect(self) -> Iterable[GaugeMetricFamily]:
        return self._families


def samples(status: Status) -> Iterator[Sample]:
    """Yield the known numbers of one device; unknown ones have no sample."""
    queue, ready = status.queue, status.of_capture.ready
    if isinstance(queue, QueuePart):
        yield Sample("doorstep_waiting_records", queue.waiting)
        yield Sample("doorstep_suspect_records", queue.suspected)
        yield Sample("doorstep_refused_records", queue.refused)
        yield Sample("doorstep_damaged_records", queue.damaged)
        yield from _time("doorstep_oldest_timestamp_seconds", queue.oldest_utc)
    if queue.why:
        yield Sample("doorstep_waits_why", 1, {"why": queue.why})
    for need in status.needs:
        yield Sample("doorstep_needs", 1, {"need": need})
    if ready is not NOT_IN_DOCUMENT:
        yield Sample("doorstep_ready", ready)
    yield Sample("doorstep_bench_mode", status.bench_mode)
    yield from _time("doorstep_tls_end_timestamp_seconds", status.identity.tls_until)
    yield from _time("doorstep_contact_timestamp_seconds", status.of_sync.last_contact)
    yield from _energy(status.of_capture)
    yield Sample("doorstep_info", 1, {"agent": status.agent})


def _energy(capture: CapturePart) -> Iterator[Sample]:
    """Yield the figures in the base units of Prometheus."""
    known = (
        ("doorstep_used_joules", capture.used_wh, 3_600),
        ("doorstep_left_seconds", capture.hours_left, 3_600),
        ("doorstep_mean_watts", capture.mean_w, 1),
    )
    for name, value, base_units in known:
        if isinstance(value, int | float):
            yield Sample(name, value * base_units)


def _time(name: str, utc: str | NotInDocument | None) -> Iterator[Sample]:
    if utc:
        yield Sample(name, from_rfc3339(utc).timestamp())
