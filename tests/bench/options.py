"""Options of scripts/bench; it needs no package, so that --help needs no environment."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

ABOUT: Final = "Measures what the product does, beside what this machine can do."

SECTIONS: Final = (
    *("machine", "press", "warm", "settling", "memory", "enqueue"),
    *("upload", "depth", "rows", "rows-sqlite", "peak", "fleet", "kills"),
)
"""The sections; the machine's own limits are always measured, first."""


def read_options(arguments: Sequence[str] | None = None) -> Any:
    """Read the words of scripts/bench; ends with 2 if they are wrong."""
    parser = argparse.ArgumentParser("scripts/bench", description=ABOUT)
    parser.add_argument(
        "sections",
        nargs="*",
        metavar="SECTION",
        help=f"which: {', '.join(SECTIONS)}; all when none is named",
    )
    parser.add_argument("--quick", action="store_true", help="under a minute; a look, no proof")
    parser.add_argument("--chart", type=Path, metavar="DIR", help="draw bench.png in DIR")
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="keep the state here, not on this disk"
    )
    options = parser.parse_args(arguments)
    unknown = [name for name in options.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; one of: {', '.join(SECTIONS)}")
    return options


if __name__ == "__main__":
    read_options()
