"""Prints which share of each package's lines and branches the tests ran, from coverage's JSON."""

import json
import sys
from collections import Counter
from pathlib import Path


def main(report: Path) -> None:
    """Print a line for each package, sorted by name, and the total."""
    packages: dict[str, Counter[str]] = {}
    for name, file in json.loads(report.read_text())["files"].items():
        package = str(Path(name).parent)
        for one in (package, "total"):
            packages.setdefault(one, Counter()).update(_counts(file["summary"]))
    rows = [("package", "lines", "branches")]
    for package in [*sorted(packages.keys() - {"total"}), "total"]:
        counts = packages[package]
        lines = _share(counts["covered_lines"], counts["num_statements"])
        branches = _share(counts["covered_branches"], counts["num_branches"])
        rows.append((package, lines, branches))
    sys.stdout.writelines(f"{row[0]:50}{row[1]:>8}{row[2]:>10}\n" for row in rows)


def _counts(summary: dict[str, float]) -> dict[str, int]:
    names = ("covered_lines", "num_statements", "covered_branches", "num_branches")
    return {name: int(summary[name]) for name in names}


def _share(some: int, of: int) -> str:
    return f"{some / of:.1%}" if of else "-"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
