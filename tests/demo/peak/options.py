"""The options of scripts/demo --fleet; no package is imported, so --help needs no environment."""

import argparse
from collections.abc import Sequence
from typing import Any, Final

ABOUT: Final = (
    "Plays a fleet's peak on PostgreSQL and S3: two intake instances and an office behind nginx, "
    "an S3 that stalls, and an instance that is killed. Then prints what became of each record."
)

DEVICES: Final = 50
RECORDS: Final = 12
"""Records of each device: 600 in all."""

LASTS_S: Final = 60.0
"""10 records a second, and 20 in the middle: a fleet of 10,000 makes 170 at its peak."""


def read_options(arguments: Sequence[str] | None = None) -> Any:
    """Return the options of scripts/demo --fleet; exit with 2 if they are wrong."""
    parser = argparse.ArgumentParser("scripts/demo --fleet", description=ABOUT)
    parser.add_argument(
        "--devices", type=int, default=DEVICES, help="number of devices (default: %(default)s)"
    )
    parser.add_argument(
        "--records",
        type=int,
        default=RECORDS,
        help="number of records of each device (default: %(default)s)",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=LASTS_S,
        help="seconds in which the devices make their records (default: %(default)s)",
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    read_options()
