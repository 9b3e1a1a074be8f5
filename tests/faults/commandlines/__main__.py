"""`python -m tests.faults.commandlines`: wrong command lines of `doorstep` and of the backend.

They are made from the real parsers.
Each runs over a folder of its own, without root's capabilities.
Ends with 0 when none ends in a traceback or with an exit code that no page names.
"""

import argparse
import os
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.faults.commandlines.cases import all_cases, sample
from tests.faults.commandlines.tried import tried

CASES: Final = 600

ORDINARY: Final = "DOORSTEP_COMMANDLINES_ORDINARY"
"""Set in the process that has given up root's capabilities: with them it could read every file.

It stays root by number, since Python may be in a folder that only root may enter.
"""


def main() -> int:
    """Try the command lines; print what was tried, and each fault."""
    wanted = _arguments().cases
    if os.geteuid() == 0 and ORDINARY not in os.environ:
        os.environ[ORDINARY] = "1"
        own = [sys.executable, "-m", "tests.faults.commandlines", *sys.argv[1:]]
        os.execvp("setpriv", ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *own])
    began_s = time.monotonic()
    with TemporaryDirectory(prefix="commandlines-") as folder:
        ended = tried(sample(wanted), Path(folder))
    for what, count in sorted(Counter(one.case.what for one in ended).items()):
        print(f"{what:28} {count:5}")
    bad = [one for one in ended if one.fault]
    for one in bad:
        print(f"WRONG: {one.case}\n    {one.fault}")
    tracebacks = sum(one.has_traceback for one in bad)
    took_s = time.monotonic() - began_s
    print(f"{len(ended)} of {len(all_cases())} command lines in {took_s:.0f} s:", end=" ")
    print(f"{tracebacks} tracebacks, {len(bad) - tracebacks} other wrong ends")
    return 1 if bad else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.commandlines", description=__doc__
    )
    parser.add_argument(
        "--cases", type=int, default=CASES, metavar="N", help=f"try N of them (default: {CASES})"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
