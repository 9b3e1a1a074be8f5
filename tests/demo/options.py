"""The options of scripts/demo; it imports no package, so that --help needs no environment."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

ABOUT: Final = (
    "Plays a driver's round with two simulated devices against a real backend on this machine, "
    "and prints a table. `scripts/demo --fleet` plays a fleet's peak instead: see "
    "`scripts/demo --fleet --help`."
)


def read_options(arguments: Sequence[str] | None = None) -> Any:
    """Return the options of scripts/demo; exit with 2 if they are wrong."""
    parser = argparse.ArgumentParser("scripts/demo", description=ABOUT)
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="leave everything in DIR: received/, photos/, records/ of the backend, and demo-01/ "
        "and demo-02/, the two devices with configuration, state/ and logs",
    )
    parser.add_argument(
        "--serve",
        action="store_true",
        help="after the round, leave the backend's pages up for a browser, until Ctrl-C",
    )
    parser.add_argument(
        "--play",
        action="store_true",
        help="play by hand instead: a device in this terminal, its buttons and its world as keys",
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    read_options()
