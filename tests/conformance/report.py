"""The report of a run: a table, each failure, the ids left behind, and JUnit XML."""

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from agent.models import printable
from tests.conformance.run import Result, State
from tests.conformance.target import Sent

NAME_CHARS: Final = 34
"""Width of the column of names: the longest has 30."""


def line(result: Result) -> str:
    """Return the row of one check, and below it what happened."""
    check = result.check
    row = f"{result.state:<12} {check.name:<{NAME_CHARS}} {result.took_s:6.2f} s"
    match result.state:
        case State.FAILED:
            text = [printable(result.text), f"The rule: {check.rule}", check.cost]
            return "\n".join([row, *(f"    {one}" for one in (*text, f"See {check.link}"))])
        case State.NOT_CHECKED:
            return f"{row}\n    not checked, because {printable(result.text)}"
    return row


def summary(results: Sequence[Result], sent: Sent, took_s: float) -> str:
    """Return the counts of a run, in two lines."""
    counts = Counter(result.state for result in results)
    by_state = ", ".join(f"{counts[state]} {state.lower()}" for state in State)
    return (
        f"{len(results)} checks: {by_state}.\n"
        f"{sent.requests} requests, {sent.bytes / 1_000_000:.1f} MB, {took_s:.1f} s."
    )


def left_behind(sent: Sent) -> Iterator[str]:
    """Yield the ids of all records that were announced: those with a receipt, then the others."""
    for has_receipt, title in ((True, "with their receipt"), (False, "without a receipt")):
        ids = [one for one, received in sent.records.items() if received is has_receipt]
        if ids:
            yield f"\nLeft behind {title}, {len(ids)} records of kind `test`:"
            yield from (f"  {' '.join(ids[at : at + 2])}" for at in range(0, len(ids), 2))


def write_junit(
    path: Path, results: Iterable[Result], properties: Mapping[str, str], took_s: float
) -> None:
    """Write JUnit XML of one suite. Raises OSError."""
    kept = list(results)
    counts = Counter(result.state for result in kept)
    suite = ET.Element(
        "testsuite",
        name="doorstep-conformance",
        tests=str(len(kept)),
        failures=str(counts[State.FAILED]),
        skipped=str(counts[State.NOT_CHECKED]),
        errors="0",
        time=f"{took_s:.3f}",
    )
    about = ET.SubElement(suite, "properties")
    for name, value in properties.items():
        ET.SubElement(about, "property", name=name, value=value)
    for result in kept:
        check, text = result.check, printable(result.text)
        case = ET.SubElement(
            suite,
            "testcase",
            classname=f"conformance.{check.profile}",
            name=check.name,
            time=f"{result.took_s:.3f}",
        )
        if result.state is State.FAILED:
            failure = ET.SubElement(case, "failure", message=text)
            failure.text = f"{check.rule}\n{check.cost}\nSee {check.link}"
        elif result.state is State.NOT_CHECKED:
            ET.SubElement(case, "skipped", message=f"not checked, because {text}")
    ET.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)
