"""Options of scripts/conformance; it imports no package, so that --help needs no environment."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

ABOUT: Final = (
    "Checks from outside whether a backend keeps what devices rely on. It sends records of kind "
    "`test` only, and prints the ids that it leaves behind."
)

EXITS: Final = (
    "exit codes: 0 no check failed, 1 a check failed, 2 wrong options, 3 no backend is at URL. "
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
        "url", nargs="?", metavar="URL", help="the backend, as `backend.url` of a device"
    )
    parser.add_argument(
        "--profile",
        choices=PROFILES,
        help="what is checked: receipts, routes (and receipts), or fleet (and both)",
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
        help="for receipts: the public key in PEM that must have signed the receipts",
    )
    parser.add_argument(
        "--manifest-of",
        metavar="ID",
        help="for receipts: the id of a device that has a manifest, valid now and signed by the "
        "receipt key (default: manifests are not checked)",
    )
    parser.add_argument(
        "--fleet-key",
        type=_file,
        metavar="FILE",
        help="for routes and fleet: the public key in PEM that must have signed the fleet document",
    )
    parser.add_argument(
        "--device",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="for routes, twice: a device with tls.pem (its key, certificate and chain) and "
        "device.pem (the key that signs its records); its id is the CN of its certificate",
    )
    parser.add_argument(
        "--enrol",
        action="append",
        default=[],
        metavar="ID=FILE",
        help="for fleet, twice: the id of a device, and the file of its enrolment token",
    )
    parser.add_argument(
        "--est",
        metavar="URL",
        help="for fleet: the EST server, as `identity.est` of a device (default: URL's origin)",
    )
    parser.add_argument(
        "--operator",
        metavar="COMMAND",
        help="run this command for what only an operator can do, such as `COMMAND restart`",
    )
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write JUnit XML to FILE too")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="CHECK",
        help="make only this check; may be repeated",
    )
    return parser


def _file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"{text} is not a file")
    return path


if __name__ == "__main__":
    read_options()
