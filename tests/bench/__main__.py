"""`python -m tests.bench`: what the product does, beside what this machine can do.

Each section is a function that returns rows; the frame repeats, prints, writes and draws them.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.bench import (
    chart,
    depth,
    drain,
    enqueue,
    evidence,
    frame,
    machine,
    peak,
    press,
    processes,
    row_count,
    upload,
)
from tests.bench.frame import Figure, Rig, Verdict
from tests.bench.options import SECTIONS, read_options
from tests.support import needs, sqlite_memory
from tests.support.backend import REPOSITORY, running_backend

MEASURES: Final[dict[str, Callable[[Rig], Iterable[Figure]]]] = {
    "machine": machine.measure,
    "start": processes.start,
    "press": press.measure,
    "evidence": evidence.measure,
    "drain": drain.measure,
    "memory": processes.memory,
    "status": processes.status,
    "enqueue": enqueue.measure,
    "upload": upload.measure,
    "depth": depth.measure,
    "rows": row_count.measure,
    "rows-sqlite": row_count.measure_sqlite,
    "peak": peak.measure,
    "kills": peak.kills,
    "verify": processes.verify,
}
"""By the names of options.SECTIONS."""

NEEDS: Final = {
    "upload": ("node", "npm", "curl"),
    "rows": ("initdb",),
    "peak": peak.NEEDS,
    "kills": peak.NEEDS,
}
"""What a section cannot do without, by the names of tests/support/needs.py.

Other sections leave out what they cannot measure here, and say so.
"""


def main() -> int:
    """Measure, and print each section when it ends; 1 when a target was missed."""
    options = read_options()
    wanted = [name for name in SECTIONS if _is_wanted(name, options)]
    needs.check(*dict.fromkeys(one for name in wanted for one in NEEDS.get(name, ())))
    os.environ.pop("DOORSTEP_CONFIG", None)
    began_s = time.monotonic()
    with (
        _scratch(options.folder) as folder,
        running_backend(folder / "backend", identity=True) as backend,
    ):
        run, facts = machine.run_facts(), machine.facts(folder)
        for name, text in (run | facts).items():
            print(f"{name:<9} {text}")
        rig = Rig(folder, backend, options.quick, options.full)
        found = {name: _measured(name, rig) for name in wanted}
    seconds = time.monotonic() - began_s
    _print_end(found, seconds)
    report = {
        "run": run | {"quick": options.quick, "full": options.full, "seconds": seconds},
        "machine": facts,
        "figures": {name: [one.to_json() for one in rows] for name, rows in found.items()},
    }
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))
    if options.chart:
        chart.draw(report, options.chart)
    return 1 if _missed(found) else 0


def _measured(name: str, rig: Rig) -> list[Figure]:
    sqlite_memory.lift_limit()
    rows = list(MEASURES[name](rig))
    print()
    print("\n".join(frame.lines(name, rows)), flush=True)
    return rows


def _print_end(found: dict[str, list[Figure]], seconds: float) -> None:
    aimed = [row for rows in found.values() for row in rows if row.verdict]
    load = " ".join(f"{one:.2f}" for one in os.getloadavg())
    print(f"\n{len(aimed)} figures with a target; {seconds:.0f} s; load at the end {load}")
    for name in _missed(found):
        print(f"MISSED: {name}")


def _missed(found: dict[str, list[Figure]]) -> list[str]:
    return [row.name for rows in found.values() for row in rows if row.verdict is Verdict.MISSED]


def _is_wanted(name: str, options: argparse.Namespace) -> bool:
    return name == "machine" or not options.sections or name in options.sections


@contextmanager
def _scratch(folder: Path | None) -> Iterator[Path]:
    """Make a folder on the disk of the repository, and never on one in memory by chance."""
    above = folder or _roomy_folder()
    above.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="doorstep-bench-", dir=above) as scratch:
        yield Path(scratch)


def _roomy_folder() -> Path:
    usual = Path(tempfile.gettempdir())
    is_same_disk = usual.stat().st_dev == REPOSITORY.stat().st_dev
    return usual if is_same_disk else REPOSITORY / "build"


if __name__ == "__main__":
    sys.exit(main())
