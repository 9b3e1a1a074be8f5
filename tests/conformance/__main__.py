"""`python -m tests.conformance`: makes the checks of a profile on a backend, from outside."""

import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import urljoin

from agent.errors import ConfigError
from agent.record import signing
from tests.conformance import report
from tests.conformance.check import Check, Profile
from tests.conformance.checks import CHECKS
from tests.conformance.devices import given_keys, new_devices, read_devices
from tests.conformance.documents import Fleet
from tests.conformance.enrolment import Enrolment, read_tokens
from tests.conformance.operator_command import OperatorCommand
from tests.conformance.options import read_options
from tests.conformance.run import State, chosen, results
from tests.conformance.target import Device, Target
from tests.support.factory import RecordMaker

PASSED, FAILED, WRONG_OPTIONS, NO_SERVER, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit codes; the help has their meaning."""

NEW_DEVICES: Final = 2
"""Devices without a certificate, for the receipts profile."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the checks, print each result when it is known, and return an exit code."""
    options = read_options(arguments)
    with TemporaryDirectory(prefix="doorstep-conformance-") as folder:
        return _main(options, Path(folder))


def _main(options: Any, folder: Path) -> int:
    try:
        checks = chosen(CHECKS, Profile(options.profile), options.only)
        target = _target(options, folder)
    except (ConfigError, OSError, ValueError) as error:
        print(f"{error}; see scripts/conformance --help", file=sys.stderr)
        return WRONG_OPTIONS
    try:
        target.tcp_connection().close()
    except OSError as error:
        print(f"No server answers at {target.url}: {error}.", file=sys.stderr)
        return NO_SERVER
    return _run(checks, target, options)


def _target(options: Any, folder: Path) -> Target:
    profile, operator = Profile(options.profile), OperatorCommand(options.operator)
    common = {"ca": options.ca, "operator": operator}
    if profile is Profile.RECEIPTS:
        devices, keys = new_devices(NEW_DEVICES), given_keys(options.receipt_key)
        name = options.manifest_of
        common["routed"] = None if name is None else Device(RecordMaker(name))
        return Target(options.url, profile, keys=keys, devices=lambda _: devices, **common)
    fleet = Fleet(signing.read_public_key(options.fleet_key))
    common |= {"keys": fleet.keys, "fleet": fleet}
    if profile is Profile.ROUTES:
        return Target(options.url, profile, devices=read_devices(options.device), **common)
    est = Target(options.est or urljoin(options.url, "/"), profile, devices=lambda _: (), **common)
    enrolment = Enrolment(est, read_tokens(options.enrol), folder)
    target = Target(options.url, profile, devices=enrolment.devices, enrolment=enrolment, **common)
    est.sent = target.sent
    return target


def _run(checks: Sequence[Check], target: Target, options: Any) -> int:
    began_s, done, code = time.monotonic(), [], INTERRUPTED
    try:
        for result in results(checks, target):
            done.append(result)
            print(report.line(result), flush=True)
        code = FAILED if any(one.state is State.FAILED for one in done) else PASSED
    except KeyboardInterrupt:
        print("interrupted")
    took_s = time.monotonic() - began_s
    print("\n".join(report.left_behind(target.sent)))
    print("\n" + report.summary(done, target.sent, took_s))
    if options.junit:
        about = {"url": target.url, "profile": target.profile}
        about["left behind"] = " ".join(target.sent.records)
        try:
            report.write_junit(options.junit, done, about, took_s)
        except OSError as error:
            print(f"{options.junit} could not be written: {error.strerror}", file=sys.stderr)
            return WRONG_OPTIONS
    return code


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a stopped run lists its ids too
    sys.exit(main())
