"""A release is rolled out to three devices of an earlier one: in waves, back by itself, cut off."""

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Final

from agent import __version__
from tests.support.backend import REPOSITORY
from tests.system.machines.releases import Edit, release
from tests.system.qemu import cutter
from tests.system.qemu.fault import wrong
from tests.system.qemu.fleet import NAMES, VirtualFleet, fleet
from tests.system.qemu.image import BUILD
from tests.system.qemu.machine import Image, Machine
from tests.system.qemu.report import Report
from tests.system.qemu.rig import Device

FOLDER: Final = BUILD / "deploy"
"""The three disks, as this stage leaves them: `end` goes on from there."""

FAULTY: Final = f"{__version__}.1"
"""The release under test, with a fault that only one device of the fleet has."""

ON_ONE: Final[Edit] = (
    "agent/command/capture.py",
    "        from agent.command.capture_process import serve\n",
    (
        f"        if '\"{NAMES[1]}\"' in open('/etc/doorstep/config.toml').read():\n"
        "            time.sleep(3600)\n"
        "        from agent.command.capture_process import serve\n"
    ),
)
"""Capture stays amber there; doctor, before it is switched to, can't know."""

CUT_AT: Final = ("asked", "marked", "switched", "watched", "told")
"""Steps of a trial; see cutter.py."""

WITHIN_S: Final = 3600.0
"""Longest roll-out that is waited for."""

UP_WITHIN_S: Final = 600.0

RELEASE: Final = f"/opt/doorstep/releases/{__version__}"

WATCH_S: Final = 240
"""Emulated, and three at once, a start takes minutes."""

BATTERY_PCT: Final = 80

TRIAL: Final = "/usr/bin/python3 -IB /usr/local/lib/doorstep/trial"


def run(image: Image, report: Report) -> None:
    """Waves with a device that goes back; then power cuts at each step; then all have it."""
    good = _releases(report)
    with fleet(image, FOLDER, report) as found:
        before = _current(found.devices[NAMES[2]].machine)
        report.figure("they run", before)
        _waves(found, before, report)
        others = [found.devices[name].machine for name in NAMES[:2]]
        for machine in others:
            machine.shut_down()  # what they would do meanwhile, the third one needs
        _cut_while_installing(found, before, good, report)
        for step in CUT_AT:
            _cut_in_a_trial(found.devices[NAMES[2]], step, {before, __version__}, report)
        for machine in others:
            machine.boot()
        _all(found, good, report)
        for one in found.devices.values():
            one.machine.shut_down()


def _releases(report: Report) -> Path:
    folder = BUILD / "releases"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    release(folder, FAULTY, ON_ONE)
    good = release(folder, __version__)
    report.figure("releases", f"{FAULTY} has a fault on {NAMES[1]}, {__version__} has none")
    return good


def _waves(found: VirtualFleet, before: str, report: Report) -> None:
    """The first device has it, the second goes back by itself, the third is not tried."""
    ran, told = _ended(_deploy(found, BUILD / "releases" / FAULTY, waves="1,1,100%"))
    report.text(_table(told))
    report.check("the roll-out ends as failed", ran != 0, f"exit code {ran}")
    now = [_current(one.machine) for one in found.devices.values()]
    report.check("done, rolled back, not tried", now == [FAULTY, before, before], " ".join(now))
    said = [verdict for verdict in ("done", "rolled back", "not tried") if verdict in told]
    report.check("the table says so", len(said) == 3, ", ".join(said))
    for name, one in found.devices.items():
        one.finger("battery", BATTERY_PCT)
        one.await_light("amber", UP_WITHIN_S)  # ready, but for a route
        amiss = wrong(one)
        report.check(f"{name}: doctor finds nothing wrong", not amiss, str(amiss or ""))


def _cut_while_installing(found: VirtualFleet, before: str, good: Path, report: Report) -> None:
    """And the roll-out in hand goes on to its end; then once more, so that it is installed."""
    device = found.devices[NAMES[2]]
    device.machine.copy_in(Path(cutter.__file__), "/root/cutter.py")
    _arm(device.machine, "installing")
    rolling = _deploy(found, good, NAMES[2])
    _up_again(device, "installing", report)
    _, told = _ended(rolling)
    report.text(_table(told))
    _stands(device, {before}, "installing", report)
    _, told = _ended(_deploy(found, good, NAMES[2], watch_s=1))
    report.text(_table(told))
    whole = device.machine.ask(f"test -e {RELEASE}/.complete").code == 0
    report.need("it is installed by the next run", whole)


def _cut_in_a_trial(device: Device, step: str, may_be: set[str], report: Report) -> None:
    _arm(device.machine, step)
    device.machine.ask(f"{TRIAL} ask {RELEASE} {WATCH_S}")  # the cut may come before its answer
    _up_again(device, step, report)
    _stands(device, may_be, step, report)


def _arm(machine: Machine, step: str) -> None:
    machine.run(f"systemd-run --collect python3 /root/cutter.py {step} {__version__}")


def _up_again(device: Device, step: str, report: Report) -> None:
    device.machine.await_off(WITHIN_S)
    began_s = time.monotonic()
    device.machine.boot(UP_WITHIN_S)
    device.machine.run("systemctl start doorstep-capture", UP_WITHIN_S)  # until it hears a press
    report.figure(f"cut when {step}: capture runs", f"{time.monotonic() - began_s:.0f} s later")


def _stands(device: Device, may_be: set[str], step: str, report: Report) -> None:
    """A single release is whole, nothing is under way, no record is lost, a press is served."""
    machine = device.machine
    told = machine.ask(f"{TRIAL} wait 300", 360.0)
    now = _current(machine)
    units = machine.ask(
        "cd /opt/doorstep/current/units && for one in *; do "
        "cmp $one /etc/systemd/system/$one; done 2>&1"
    )
    left = machine.ask("ls -d /opt/doorstep/previous /opt/doorstep/*.new").out
    whole = now in may_be and not units.out and not left
    report.check(
        f"cut when {step}: one release, whole", whole, f"{now} {units.out}{left}{told.out}"
    )
    before = {row["capture_id"] for row in device.queue()}
    light = device.shot()["answer"]
    after = {row["capture_id"] for row in device.queue()}
    is_served = before < after and len(after - before) == 1
    report.check(f"cut when {step}: a press is served", is_served, f"{light}, {len(after)} records")


def _all(found: VirtualFleet, good: Path, report: Report) -> None:
    ran, told = _ended(_deploy(found, good))
    report.text(_table(told))
    now = [_current(one.machine) for one in found.devices.values()]
    report.check(f"all have {__version__}", ran == 0 and set(now) == {__version__}, " ".join(now))
    for name, one in found.devices.items():
        one.await_delivered(600.0)
        amiss = wrong(one)
        report.check(f"{name}: doctor finds nothing wrong", not amiss, str(amiss or ""))


def _deploy(
    found: VirtualFleet, place: Path, *hosts: str, waves: str = "1,100%", watch_s: int = WATCH_S
) -> subprocess.Popen[str]:
    """Begin it as a technician does, with all in their cradles; a button was pressed just now."""
    for name in hosts or NAMES:
        found.devices[name].finger("battery", BATTERY_PCT, "external")
    words = ["-i", str(found.inventory), "--wave", waves, str(place), *hosts]
    more = ["-e", "doorstep_even_on_the_road=true", "-e", f"deploy_watch_s={watch_s}"]
    kept = {"DOORSTEP_PROVISION_DIR": str(found.inventory.parent / "provision")}
    return subprocess.Popen(
        [str(REPOSITORY / "scripts/deploy"), *words, "--", *more],
        env=os.environ | kept,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _ended(rolling: subprocess.Popen[str]) -> tuple[int, str]:
    told, _ = rolling.communicate(timeout=WITHIN_S)
    with (FOLDER / "deploy.log").open("a") as log:
        log.write(told)
    return rolling.returncode, told


def _table(told: str) -> str:
    """The last lines that a technician reads."""
    return told[max(told.rfind("\ndevice "), 0) :].strip()


def _current(machine: Machine) -> str:
    return machine.run("readlink /opt/doorstep/current").strip().rpartition("/")[2]
