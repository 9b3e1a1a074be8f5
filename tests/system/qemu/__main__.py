"""`python -m tests.system.qemu [STAGE...]`: builds the virtual device, and tries it."""

import argparse
import contextlib
import shutil
import signal
import sys
from collections.abc import Sequence
from typing import Final

from tests.support import needs
from tests.support.nmea import free_port
from tests.system.qemu import image, office, provision
from tests.system.qemu.furnish import NAME
from tests.system.qemu.machine import Image, Machine, overlay
from tests.system.qemu.report import Report
from tests.system.qemu.rig import device
from tests.system.qemu.stages import ABOUT, FLEET_STAGES, NAMES, PROVISION, STAGES

NEEDS: Final = ("qemu-system-x86_64", "qemu-img", "mmdebstrap", "mkfs.ext4", "ssh", "exiftool")
"""Commands of all stages, so that none ends after an hour because one is missing."""


def main() -> int:
    """Run the stages that were asked for, all without any; 1 where a check failed."""
    options = read_options(sys.argv[1:])
    needs.check(*NEEDS, root=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started ends with it
    image.BUILD.mkdir(parents=True, exist_ok=True)
    kept_report = image.BUILD / "report.txt"
    kept_report.unlink(missing_ok=True)
    report = Report(sys.stdout, kept_report)
    made = image.image(report.say)
    if options.image:
        return 0
    if options.fresh:
        return _fresh(made, report)
    names = options.stages or [*STAGES, *FLEET_STAGES]
    of_one = [name for name in names if name in STAGES]
    needs_one = options.login or of_one or PROVISION in names
    if needs_one and not _of_one(made, report, of_one, options):
        return report.end()
    for name in names:
        if name in FLEET_STAGES:
            with report.stage(name, FLEET_STAGES[name].about):
                FLEET_STAGES[name].run(made, report)
    return report.end()


def _of_one(made: Image, report: Report, names: Sequence[str], options: argparse.Namespace) -> bool:
    """Run the stages that begin with this state's device; return False if there is no device."""
    kept = provision.kept(made)
    if kept is None or PROVISION in options.stages:
        with report.stage(PROVISION, ABOUT[PROVISION]):
            provision.stage(made, report)
        kept = provision.kept(made)
    if kept is None:
        return False
    if options.login:
        with device(made, kept, image.BUILD / "login", ready=False) as found:
            _sit(made, report, found.machine)
        return False
    for name in names:
        with report.stage(name, STAGES[name].about):
            STAGES[name].run(made, kept, report)
    return True


def _fresh(made: Image, report: Report) -> int:
    """A machine that is set up by hand, with an office that it can reach and an inventory."""
    folder = image.BUILD / "fresh"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    disk = overlay(made.base, folder / "disk.qcow2")
    with (
        office.running(folder / "backend", free_port()) as backend,
        Machine(made, disk) as box,
    ):
        office.settle(backend.data)
        report.say(f"SSH after {box.boot():.0f} s")
        provision.let_in(folder, backend, NAME)
        inventory = provision.write_inventory(folder, backend, {NAME: box}, made)
        report.say(f"scripts/provision -i {inventory}")
        return _sit(made, report, box)


def _sit(made: Image, report: Report, box: Machine) -> int:
    """Leave a machine up for somebody to look into it."""
    quiet = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
    report.say(f"ssh -i {made.key} -p {box.port} {quiet} root@127.0.0.1")
    report.say("It is up until Ctrl-C, or until this process is ended.")
    with contextlib.suppress(KeyboardInterrupt):
        box.await_off(10 * 86400.0)
    return 0


def read_options(words: Sequence[str]) -> argparse.Namespace:
    """Return what the command line asks for; exit with 2 if a stage or an option is unknown."""
    parser = argparse.ArgumentParser(prog="scripts/test --device", description=__doc__)
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=", ".join(NAMES))
    parser.add_argument("--image", action="store_true", help="only build the machine's disk")
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="only boot it, to be provisioned",
    )
    parser.add_argument("--login", action="store_true", help="only boot it, provisioned")
    options = parser.parse_args(words)
    for name in options.stages:
        if name not in NAMES:
            parser.error(f"{name}: no such stage; there are {', '.join(NAMES)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
