"""Options of scripts/conformance; it imports no package, so that --help needs no environment."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

ABOUT: Final = (
    "Check from outside whether a backend keeps the rules that devices rely on. All records are of "
    "kind `test`, and the command prints their ids at the end."
)

EXITS: Final = (
    "exit codes: 0 no check failed, 1 a check failed, 2 wrong options, 3 no server answers at URL. "
    "Example: scripts/conformance https://127.0.0.1:8443 --profile receipts --ca ca.pem "
    "--receipt-key receipts.pub.pem"
)

PROFILES: Final = ("receipts", "routes", "fleet")
"""Profiles, each with those before it."""

NEEDS: Final = {
    "receipts": ("receipt_key",),
    "routes": ("fleet_key", "device"),
    "fleet": ("fleet_key", "enrol", "ca"),
}
"""The options that a profile cannot do without."""

TWICE: Final = 2
"""Devices that routes and fleet need: one must not get what is the other's."""


def read_options(arguments: Sequence[str] | None = None) -> Any:
    """Return the options of scripts/conformance; exit with 2 if they are wrong."""
    parser = argument_parser()
    options = parser.parse_args(arguments)
    if options.url is None or options.profile is None:
        parser.error("URL and --profile are needed")
    parts = urlsplit(options.url)
    if parts.scheme != "https" or not parts.hostname:
        parser.error(f"{options.url}: not an address that begins with https://")
    for name in NEEDS[options.profile]:
        if not getattr(options, name):
            parser.error(f"--profile {options.profile} needs --{name.replace('_', '-')}")
    for name in ("device", "enrol"):
        if name in NEEDS[options.profile] and len(getattr(options, name)) < TWICE:
            parser.error(f"--profile {options.profile} needs --{name} twice")
    return options


def argument_parser() -> argparse.ArgumentParser:
    """Return the parser, for the page that lists the options."""
    parser = argparse.ArgumentParser("scripts/conformance", description=ABOUT, epilog=EXITS)
    parser.add_argument(
        "url", nargs="?", metavar="URL", help="address of the backend, as a device's `backend.url`"
    )
    parser.add_argument(
        "--profile",
        choices=PROFILES,
        help="profile to check; routes includes receipts, and fleet includes both",
    )
    parser.add_argument(
        "--ca",
        type=_file,
        metavar="FILE",
        help="trust the authority in this PEM file (default: those of this machine)",
    )
    parser.add_argument(
        "--receipt-key",
        type=_file,
        metavar="FILE",
        help="for receipts: public key (PEM) that signs receipts",
    )
    parser.add_argument(
        "--manifest-of",
        metavar="ID",
        help="for receipts: id of a device that has a manifest, valid now and signed by the "
        "receipt key (default: manifests are not checked)",
    )
    parser.add_argument(
        "--fleet-key",
        type=_file,
        metavar="FILE",
        help="for routes and fleet: public key (PEM) that signs the fleet document",
    )
    parser.add_argument(
        "--device",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="for routes, twice: folder of a device with tls.pem (key, certificate and chain) and "
        "device.pem (the key that signs records); the CN of the certificate is its id",
    )
    parser.add_argument(
        "--enrol",
        action="append",
        default=[],
        metavar="ID=FILE",
        help="for fleet, twice: id of a device, and file with its one-time token",
    )
    parser.add_argument(
        "--est",
        metavar="URL",
        help="for fleet: address of the EST server, as a device's `identity.est` (default: URL's)",
    )
    parser.add_argument(
        "--operator",
        metavar="COMMAND",
        help="command for what only an operator can do, such as `COMMAND restart`; `-` asks you at "
        "the terminal instead (default: such checks are not made)",
    )
    parser.add_argument(
        "--junit", type=Path, metavar="FILE", help="also write the results to FILE, as JUnit XML"
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="CHECK",
        help="make only this check; repeat the option for more",
    )
    return parser


def _file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"{text} is not a file")
    return path


if __name__ == "__main__":
    read_options()
