"""Runs of the conformance command against servers of the tests."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.__main__ import main


@dataclass(frozen=True, slots=True)
class Run:
    """A run of the command, by what it wrote as JUnit XML.

    Attributes:
        code: its exit code.
        failed: what happened, by the name of the check that failed.
        not_checked: why, by the name of the check.
    """

    code: int
    passed: frozenset[str]
    failed: dict[str, str]
    not_checked: dict[str, str]


def conformance(folder: Path, words: Sequence[str]) -> Run:
    """Run the command in this process with these words."""
    junit = folder / "junit.xml"
    code = main([*words, "--junit", str(junit)])
    cases = ET.parse(junit).getroot().iter("testcase")
    found = [(one.get("name", ""), one.find("failure"), one.find("skipped")) for one in cases]
    return Run(
        code,
        frozenset(name for name, failure, skipped in found if failure is None and skipped is None),
        {name: one.get("message", "") for name, one, _ in found if one is not None},
        {name: one.get("message", "") for name, _, one in found if one is not None},
    )
