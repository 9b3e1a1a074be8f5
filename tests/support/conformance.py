"""Runs of the conformance command against servers of the tests."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.__main__ import main


@dataclass(frozen=True, slots=True)
class Run:
    """The names of the checks of a run that passed, and of those that failed."""

    passed: frozenset[str]
    failed: frozenset[str]


def conformance(folder: Path, words: Sequence[str]) -> Run:
    """Run the command in this process with these words."""
    junit = folder / "junit.xml"
    code = main([*words, "--junit", str(junit)])
    ended: dict[str | None, set[str]] = {None: set(), "failure": set(), "skipped": set()}
    for case in ET.parse(junit).getroot().iter("testcase"):
        ended[next((child.tag for child in case), None)].add(case.get("name", ""))
    assert code == (1 if ended["failure"] else 0)
    return Run(frozenset(ended[None]), frozenset(ended["failure"]))
