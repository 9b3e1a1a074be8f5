"""The options of scripts/demo; it imports no package, so that --help needs no environment."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

ABOUT: Final = (
    "Plays a driver's round with two simulated devices against a real backend on this machine, "
    "and prints a table."
)


def read_options(arguments: Sequence[str] | None = None) -> Any:
    """Return the options of scripts/demo; exit with 2 if they are wrong."""
    parser = argparse.ArgumentParser("scripts/demo", description=ABOUT)
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="leave everything in DIR: received/, photos/, records/ of the backend, and demo-01/ "
        "and demo-02/, the two devices with configuration, state/ and logs; with --backend, a "
        "demo-01 that is there plays on",
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
    foreign = parser.add_argument_group(
        "your own backend", "One device plays the part of the round that needs no office of ours."
    )
    foreign.add_argument(
        "--backend", metavar="URL", help="play against the backend at URL; needs --config"
    )
    foreign.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="the tables [backend], [identity] and [policy] of a device's configuration; "
        "paths are relative to FILE",
    )
    foreign.add_argument(
        "--token",
        type=Path,
        metavar="FILE",
        help='one-time token with which the device enrols, if identity.mode is "required"',
    )
    foreign.add_argument(
        "--manifest",
        action="store_true",
        help="print the route of device demo-01 as JSON for `doorstep sign manifest`, and end",
    )
    given = parser.parse_args(arguments)
    if (given.backend is None) != (given.config is None):
        parser.error("--backend URL and --config FILE go together")
    if given.backend and (given.play or given.serve or given.manifest):
        parser.error("--backend goes with --config, --token and --keep only")
    if given.token and not given.backend:
        parser.error("--token goes with --backend")
    return given


if __name__ == "__main__":
    read_options()
