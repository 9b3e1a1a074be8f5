"""When somebody must look at a device, or at the backend, in the words of the fleet page. Pure.

A rule for each need, from the list that device and page tell it by, and some for the whole fleet.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from agent.models import Reason
from agent.status.troubles import Trouble
from doorstep_backend.office.remedies import REMEDIES
from doorstep_backend.reports.troubles import NEEDS, NOTICED_TEXTS, Need, Noticed, trouble_text

FILE: Final = Path(__file__).with_name("alerts.yml")
"""File for Prometheus: `written(RULES)`."""


class Severity(StrEnum):
    """URGENT: photos are lost, presses refused, or the whole fleet is hit; TODAY: all else."""

    URGENT = "urgent"
    TODAY = "today"


@dataclass(frozen=True, slots=True)
class Rule:
    """An alert.

    Attributes:
        expr: in PromQL.
        lasts: for how long that must be so, as Prometheus writes it.
        summary: what it is; may name the device.
        description: where, and what to do.
    """

    name: str
    expr: str
    lasts: str
    severity: Severity
    summary: str
    description: str


_URGENT: Final[frozenset[Need]] = frozenset(
    {
        Noticed.CLONE,
        Trouble.CAPTURE_STOPPED,
        Trouble.DISK,
        Trouble.FULL,
        Trouble.NO_FLEET,
        Trouble.NO_RECIPIENTS,
        Trouble.DAMAGED,
    }
)

_LASTS: Final[dict[Need, str]] = {Noticed.NEVER_REPORTED: "1d"}
"""Time before an alert: a device that was let in at a desk is enrolled within the day."""

_LET_IN: Final = 'count(doorstep_device_state{state="in"})'

_DEVICE: Final = "{{ $labels.device }}: "


def _having(needs: str) -> str:
    """Return how many devices have a need; one that is pulled, and reports too, counts once."""
    return f'count(count by (device) (doorstep_needs{{need=~"{needs}"}}))'


def _of_a_need(need: Need) -> Rule:
    words = trouble_text(need)
    return Rule(
        "Doorstep" + "".join(one.capitalize() for one in need.split("_")),
        f'max by (device) (doorstep_needs{{need="{need}"}}) == 1',
        _LASTS.get(need, "5m" if need in _URGENT else "30m"),
        Severity.URGENT if need in _URGENT else Severity.TODAY,
        f"{_DEVICE}{words.what}",
        f"{words.where}: {words.remedy}",
    )


_BENCH: Final = NOTICED_TEXTS[Noticed.BENCH_MODE]

_CAMERA: Final = REMEDIES[Reason.CAMERA_FAULT]

_REFUSED: Final = "sum(max by (device) (doorstep_refused_records{}))"

OF_THE_FLEET: Final = (
    Rule(
        "DoorstepNoNumbers",
        "absent(doorstep_device_state)",
        "10m",
        Severity.URGENT,
        "nothing is known of any device: the backend's numbers do not come",
        "in the office: does the backend run, and has the client's certificate ended? "
        "`clients list` says until when; without numbers no other alert can come",
    ),
    Rule(
        "DoorstepManyNotLetIn",
        f"{_having('not_let_in|certificate|certificate_ended')} > {_LET_IN} * 0.05 > 2",
        "10m",
        Severity.URGENT,
        "{{ $value }} devices are not let in, or have no valid certificate: it is the backend's",
        "in the office: was its CA or database replaced, or is its clock wrong? "
        "Do not enrol devices one by one before that is known",
    ),
    Rule(
        "DoorstepManySilent",
        f"{_having('silent')} > {_LET_IN} * 0.2 > 2",
        "1h",
        Severity.URGENT,
        "{{ $value }} devices have said nothing for more than a day",
        "in the office: does the backend answer from outside, and does the mobile network work? "
        "After a holiday this is expected",
    ),
    Rule(
        "DoorstepRefusedRising",
        f"({_REFUSED.format('')} or vector(0)) "
        f"- ({_REFUSED.format(' offset 1h')} or vector(0)) > 10 "
        f"and on () {_having('refused')} > 2",
        "0s",
        Severity.URGENT,
        "{{ $value }} more records are refused than an hour ago, on several devices",
        "in the office: a release of the backend, or a signing key? "
        "`doorstep queue --state REFUSED` says why; devices keep what is refused",
    ),
    Rule(
        "DoorstepNotFiled",
        "time() - min(doorstep_oldest_unfiled_timestamp_seconds) > 900",
        "5m",
        Severity.TODAY,
        "records that got their receipt {{ $value | humanizeDuration }} ago are on no page yet",
        "in the office: the backend's log says why (record=not_filed, filing=failed, event=away); "
        "devices have their receipts; what record=not_filed says is not there, or not as received, "
        "comes back from a copy only",
    ),
    Rule(
        "DoorstepErasingLags",
        "max(doorstep_erasure_overdue_seconds) > 86400",
        "1h",
        Severity.TODAY,
        "what should have been erased {{ $value | humanizeDuration }} ago is still there",
        "in the office: the backend's log says why (record=not_erased, event=away, expiry=failed); "
        "where it says nothing there is more than instances erase beside their work: say `expire`",
    ),
    Rule(
        "DoorstepCameraFaults",
        f'max(doorstep_presses_without_photo{{reason="{Reason.CAMERA_FAULT}"}}) > 2',
        "0s",
        Severity.TODAY,
        f"{{{{ $value }}}} presses in 24 hours left no photo: {_CAMERA.what}",
        "in the office: dispatch's page of presses without a photo names the devices; "
        f"{_CAMERA.where}: {_CAMERA.remedy}",
    ),
    Rule(
        "DoorstepTlsEnds",
        "min by (device) (doorstep_tls_end_timestamp_seconds) - time() > 0 < 7 * 86400",
        "1h",
        Severity.URGENT,
        f"{_DEVICE}its TLS certificate ends in {{{{ $value | humanizeDuration }}}}",
        "on the device: `doorstep enrol URL --renew` says why it was not renewed; once it has "
        "ended, the device needs a new token",
    ),
    Rule(
        "DoorstepBenchMode",
        "max by (device) (doorstep_bench_mode) == 1",
        "1h",
        Severity.TODAY,
        f"{_DEVICE}{_BENCH.what}",
        f"{_BENCH.where}: {_BENCH.remedy}",
    ),
)

RULES: Final = (*OF_THE_FLEET, *(_of_a_need(one) for one in NEEDS))


def written(rules: Sequence[Rule]) -> str:
    """Write a rule file of Prometheus: a text in JSON is one in YAML too."""
    head = (
        "# Made by `python -m doorstep_backend.monitoring`; "
        "tests/backend/monitoring/README.md says how to use it.\n"
    )
    return f"{head}groups:\n  - name: doorstep\n    rules:\n" + "".join(map(_entry, rules))


def _entry(rule: Rule) -> str:
    return f"""\
      - alert: {rule.name}
        expr: {rule.expr}
        for: {rule.lasts}
        labels: {{severity: {rule.severity}}}
        annotations:
          summary: {json.dumps(rule.summary)}
          description: {json.dumps(rule.description)}
"""
