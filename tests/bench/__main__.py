"""`python -m tests.bench`: what the product does, beside what this machine can do.

Each section is a function that returns rows; the frame repeats, prints, writes and draws them.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from tests.bench import (
    chart,
    depth,
    enqueue,
    frame,
    machine,
    memory,
    peak,
    press,
    row_count,
    settling,
    upload,
    warm,
)
from tests.bench.frame import Figure, Rig
from tests.bench.options import SECTIONS, read_options
from tests.support import needs, sqlite_memory
from tests.support.backend import REPOSITORY, running_backend

MEASURES: Final[dict[str, Callable[[Rig], Iterable[Figure]]]] = {
    "machine": machine.measure,
    "press": press.measure,
    "warm": warm.measure,
    "settling": settling.measure,
    "memory": memory.measure,
    "enqueue": enqueue.measure,
    "upload": upload.measure,
    "depth": depth.measure,
    "rows": partial(row_count.measure, engine="postgresql"),
    "rows-sqlite": partial(row_count.measure, engine="sqlite"),
    "peak": peak.measure,
    "fleet": peak.fleet,
    "kills": peak.kills,
}
"""By the names of options.SECTIONS."""

NEEDS: Final = {
    "upload": ("curl",),
    "rows": ("initdb",),
    "peak": peak.NEEDS,
    "fleet": peak.NEEDS,
    "kills": peak.NEEDS,
}
"""The needs of a section, by the names of tests/support/needs.py.

Other sections leave out what they cannot measure here, and say so.
"""


def main() -> int:
    """Measure, and print each section when it ends; 1 when a target was missed."""
    options = read_options()
    named = ("machine", *options.sections) if options.sections else SECTIONS
    wanted = [name for name in SECTIONS if name in named]
    needs.check(*dict.fromkeys(one for name in wanted for one in NEEDS.get(name, ())))
    os.environ.pop("DOORSTEP_CONFIG", None)
    began_s = time.monotonic()
    with (
        _scratch(options.folder) as folder,
        running_backend(folder / "backend", identity=True) as backend,
    ):
        facts = machine.facts(folder)
        for name, text in facts.items():
            print(f"{name:<9} {text}")
        rig = Rig(folder, backend, options.quick)
        rows = [row for name in wanted for row in _measured(name, rig)]
    missed = [row.name for row in rows if row.is_missed]
    aimed, seconds = sum(row.at_most is not None for row in rows), time.monotonic() - began_s
    print(f"\n{aimed} figures with a target; {seconds:.0f} s; load at the end {machine.load()}")
    for name in missed:
        print(f"MISSED: {name}")
    if options.chart:
        chart.draw(rows, machine.origin(facts, is_quick=options.quick), options.chart)
    return 1 if missed else 0


def _measured(name: str, rig: Rig) -> list[Figure]:
    sqlite_memory.lift_limit()
    rows = list(MEASURES[name](rig))
    print()
    print("\n".join(frame.lines(name, rows)), flush=True)
    return rows


@contextmanager
def _scratch(folder: Path | None) -> Iterator[Path]:
    """Make a folder on the disk of the repository, and never on one in memory by chance."""
    usual = Path(tempfile.gettempdir())
    is_same_disk = usual.stat().st_dev == REPOSITORY.stat().st_dev
    above: Path = folder or (usual if is_same_disk else REPOSITORY / "build")
    above.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="doorstep-bench-", dir=above) as scratch:
        yield Path(scratch)


if __name__ == "__main__":
    sys.exit(main())
