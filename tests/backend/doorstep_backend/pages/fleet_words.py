"""The words of the fleet's pages about devices, apart from the needs' own words. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from markupsafe import Markup, escape

from agent.models import from_rfc3339, to_the_hour
from agent.status import words as status_words
from agent.status.troubles import Trouble, TroubleText
from doorstep_backend.identity import closings
from doorstep_backend.identity.closings import ChainEnd, DeviceEnd
from doorstep_backend.identity.known import (
    CertificateState,
    CertificateUse,
    DeviceState,
    IssuedCertificate,
)
from doorstep_backend.pages.fleet_list import Group, Sort
from doorstep_backend.pages.words import day, day_and_time
from doorstep_backend.reports.fleet import Device
from doorstep_backend.reports.shape import status_of
from doorstep_backend.reports.troubles import trouble_text
from doorstep_backend.wire.rescued import Rescue

GROUPS: Final[Mapping[Group, str]] = {
    Group.NEEDS: "Needs a person",
    Group.WAITS: "Waits, and goes on by itself",
    Group.WELL: "Nothing waits",
    Group.GONE: "Gone for good",
}

SORTS: Final[Mapping[Sort, str]] = {
    Sort.WORST: "Worst first",
    Sort.WAITING: "Longest waiting first",
    Sort.CONTACT: "Longest without contact first",
    Sort.NAME: "By name",
}

STATES: Final[Mapping[DeviceState, str]] = {
    DeviceState.IN: "let in",
    DeviceState.REVOKED: "shut out",
    DeviceState.GONE: "gone for good",
}

ENDS_SOON_H: Final = 2
"""Hours left from which the list says so: time to reach the driver, and for them to charge."""

_COMMAND: Final = re.compile(r"`([^`]*)`")

_NO_END: Final = 9999
"""Year in which a certificate ends that has no end. Source: RFC 5280, section 4.1.2.5."""

_SAID_ABOVE: Final = frozenset({"device", "all well", "WRONG", "do", "why", "doctor", "bench"})
"""Lines of a status in words that a device's page has in its own words."""


def sentence(text: str) -> Markup:
    """Turn words for a terminal into a sentence of a page; text in backticks is a command."""
    return _begun(text if text.endswith((".", "?", "!")) else f"{text}.")


def shortly(text: str) -> Markup:
    """Return what is wrong without what it means."""
    return _begun(text.partition(":")[0])


def _begun(text: str) -> Markup:
    begun = text[:1].upper() + text[1:]
    # the text is escaped before it gets its tags
    return Markup(_COMMAND.sub(r"<code>\1</code>", str(escape(begun))))  # noqa: S704


def number(number: int) -> str:
    """Format a number: `10,000`."""
    return f"{number:,}"


def counted(number: int) -> str:
    """Format a number of devices: `1 device`, `10,000 devices`."""
    return f"{number:,} device{'' if number == 1 else 's'}"


def moment(utc: str) -> str:
    """Format a time of a report: `1 December 2026, 09:00 UTC`."""
    return day_and_time(from_rfc3339(utc))


def tags(device: Device) -> list[str]:
    """Return what must be seen at once: bench mode, simulated parts, a battery that ends soon."""
    said = device.report.document if device.report else {}
    capture = said.get("capture") or {}
    left_h = capture.get("hours_left")
    told = {
        "Bench mode": said.get("bench_mode"),
        "Simulated": capture.get("simulated"),
        f"Under {ENDS_SOON_H} hours left": left_h is not None and left_h < ENDS_SOON_H,
    }
    return [tag for tag, is_so in told.items() if is_so]


def waits(device: Device) -> str:
    """Return what waits since when and why, as the last report has it; empty if nothing does.

    Of one that is shut out that is why, and not what it said before.
    """
    queue = _queue(device)
    if "error" in queue:
        return f"what waits is not known: {queue['error']}"
    number = queue.get("waiting", 0)
    if not number or queue.get("why") == Trouble.NEXT:  # it was sent with this report
        return ""
    said = "1 record waits" if number == 1 else f"{number:,} records wait"
    oldest, why = queue.get("oldest_utc"), queue.get("why")
    since = f" since {moment(oldest)}" if oldest else ", nobody knows since when"
    if why is None or device.state is not DeviceState.IN:
        return said + since
    reason = ", because of this" if why in device.needs[:1] else f": {trouble_text(why).what}"
    return f"{said}{since}{reason}"


def why_waits(device: Device) -> TroubleText | None:
    """Return what to do about it; None if that is said already."""
    why = _queue(device).get("why")
    if why is None or why in {Trouble.NEXT, *device.needs} or device.state is not DeviceState.IN:
        return None
    return trouble_text(why)


def _queue(device: Device) -> Mapping[str, Any]:
    queue: Mapping[str, Any] = device.report.document["queue"] if device.report else {}
    return queue


def quiet(device: Device) -> str:
    """Return whether it had no press for ten minutes at its last report: yes, no, or not known."""
    capture = device.report.document["capture"] if device.report else None
    found = (capture or {}).get("quiet")
    return "not known" if found is None else "yes" if found else "no"


def batches(device: Device) -> str:
    """Return how late an opt-out reaches a device that sends in batches; empty for another one."""
    sync = device.report.document["sync"] if device.report else None
    minutes = (sync or {}).get("batch_minutes")
    return f"it sends in batches: an opt-out may take {minutes} minutes longer" if minutes else ""


FILTERS: Final = {
    word.__name__: word
    for word in (sentence, shortly, number, counted, moment, tags, waits, quiet, batches)
}
"""Functions for templates."""


def facts(
    device: Device, certificates: Sequence[IssuedCertificate], now: datetime
) -> Iterator[tuple[str, str]]:
    """Return what is asked for first of one device, each with its name."""
    yield "State", STATES[device.state]
    report = device.report
    yield "Last contact", day_and_time(report.received_at) if report else "none yet"
    yield from _of_certificates(certificates, now)
    if report is None:
        return
    capture, doctor = report.document["capture"] or {}, report.document["doctor"]
    yield "Quiet", quiet(device)
    yield "Manifest", _manifest(report.document["manifest"], capture)
    if serve_until := report.document["identity"].get("serve_until"):
        yield "Certificate of its server", f"until {day(from_rfc3339(serve_until))}"
    yield "Last doctor", _doctor(doctor)
    yield "Agent", report.agent


def ended(
    ended: DeviceEnd | None, ends: Sequence[ChainEnd], rescues: Sequence[Rescue]
) -> Iterator[tuple[str, str]]:
    """Return how it ended for good, where its chains stand, and who brought what of it."""
    if ended is not None:
        yield "Ended", closings.summary(ended)
        for line in closings.chain_end_lines(ended, ends):
            yield "Records", line
    for one in rescues:
        brought = "1 record" if one.records == 1 else f"{one.records:,} records"
        yield "Rescued", f"{brought} by {one.by}, the last on {day_and_time(one.last_at)}"


def said(device: Device) -> Iterator[tuple[str, str]]:
    """Yield the rest of its last report, as `doorstep status` prints it: names and words."""
    if device.report is None:
        return
    if device.report.unknown_needs:
        yield "needs", ", ".join(device.report.unknown_needs)
    status = status_of(device.report.document)
    queue = replace(status.queue, why=None)  # a newer device's may have no words here
    for line in status_words.lines(replace(status, needs=(), queue=queue)):
        name, words = line[:_NAME_CHARS].strip(), line[_NAME_CHARS:]
        if name not in _SAID_ABOVE:
            yield name, words


_NAME_CHARS: Final = 10
"""Width of the name in a line of a status."""


def _of_certificates(
    certificates: Sequence[IssuedCertificate], now: datetime
) -> Iterator[tuple[str, str]]:
    names = {CertificateUse.TLS: "TLS certificate", CertificateUse.EVIDENCE: "Evidence certificate"}
    for use, name in names.items():
        live = [
            one.until
            for one in certificates
            if one.use is use and one.state is CertificateState.LIVE and one.until > now
        ]
        yield name, _until(max(live)) if live else "none that is valid"
    for one in certificates:
        if one.cloned_at is not None:
            yield "Old certificate used", day_and_time(to_the_hour(one.cloned_at))


def _until(end: datetime) -> str:
    return "valid, without end" if end.year == _NO_END else f"until {day(end)}"


def _manifest(policy: str, capture: Mapping[str, Any]) -> str:
    version, until = capture.get("manifest", policy), capture.get("manifest_until")
    if version == "none":
        return "none is valid now: presses are refused"
    if not isinstance(version, int):
        return str(version)
    return f"version {version}" + (f", until {moment(until)}" if until else "")


def _doctor(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "never ran"
    told = ", ".join(found["failed"]) or "nothing"
    return f"{moment(found['utc'])}, found {told}"
