"""kill -9 of each process, in the middle of its work."""

import time
from typing import Final

from tests.system.qemu.fault import READY_AGAIN_S, events, mark
from tests.system.qemu.furnish import HOST, NAME
from tests.system.qemu.image import BUILD
from tests.system.qemu.machine import Image
from tests.system.qemu.report import Report
from tests.system.qemu.rig import Device, Kept, device

SERVE_NAME: Final = f"{NAME}.example.com"

_AS_CAPTURE: Final = "runuser -u doorstep-capture -g doorstep -G doorstep --"

_PRUNE_KILLED: Final = (
    f"cd /; systemctl stop doorstep-capture; {_AS_CAPTURE} strace -f -qq "
    "-o /dev/null -e trace=unlink,unlinkat "
    "-e inject=unlink,unlinkat:signal=KILL:when=1 doorstep prune"
)
"""As its own user, and dead at the first deletion."""


def run(image: Image, kept: Kept, report: Report) -> None:
    """All of them on one machine."""
    with device(image, kept, BUILD / "kills") as found:
        _serve(found)
        for name in ("capture", "sync", "serve"):
            _killed(found, name, report)
        _prune(found, report)
        _unbroken(found, report)


def _killed(found: Device, name: str, report: Report) -> None:
    """Pressed, and dead 0.3 s later: in the burst, in a transfer, or in nothing."""
    machine, unit = found.machine, f"doorstep-{name}"
    before, since = int(_property(found, unit, "MainPID")), mark(machine)
    counted = int(_property(found, unit, "NRestarts"))
    machine.run(f"finger press 17; sleep 0.2; kill -9 {before}; sleep 1")
    report.check(f"{name} is dead", machine.ask(f"kill -0 {before}").code != 0, str(before))
    began_s = time.monotonic()
    after = _again(found, unit, before)
    took_s = time.monotonic() - began_s
    report.check(f"{name} runs again by itself", after != 0, f"after {took_s:.0f} s")
    more = int(_property(found, unit, "NRestarts")) - counted
    report.check(f"{name} was started once again", more == 1, f"{more} restarts")
    found.await_ready(READY_AGAIN_S)
    told = found.shot()
    report.check(f"green after {name} died", told["answer"] == "green", str(told["answer"]))
    label = found.await_record(told["edge_ns"], 240.0)
    report.check(f"a photo with its receipt after {name} died", label.kind == "photo", "")
    report.text("log: " + " ".join(events(machine, since)))


def _again(found: Device, unit: str, before: int) -> int:
    """The process that is there in place of `before`; 0 where none came."""
    end_s = time.monotonic() + 300.0
    while time.monotonic() < end_s:
        state, pid = _property(found, unit, "ActiveState"), int(_property(found, unit, "MainPID"))
        if state == "active" and pid not in {0, before}:
            return pid
        time.sleep(1.0)
    return 0


def _prune(found: Device, report: Report) -> None:
    """With nothing to keep it deletes all but the newest; killed at the first, it goes on later."""
    found.rounds(3)
    found.await_delivered()
    config = "/etc/doorstep/config.toml"
    found.machine.run(
        f"cp {config} {config}.kept; printf '\\n[retention]\\nfile_hours = 0\\n' >>{config}"
    )
    had = _files(found)
    ended = found.machine.ask(_PRUNE_KILLED, 180.0).code
    left = _files(found)
    report.check("prune dies in the middle", ended == 137, f"{ended}; {had} files, then {left}")
    ran = found.machine.ask("doorstep prune", 300.0)
    report.check("prune runs again", ran.code == 0, f"{_files(found)} files {ran.err.strip()}")
    report.check("it left the newest, and no more", _files(found) == 1, f"of {had}")
    found.machine.run(f"mv {config}.kept {config}; systemctl start doorstep-capture")


def _serve(found: Device) -> None:
    """Let the device be asked, as systemd/README says; most fleets need it not."""
    backend, machine = found.backend, found.machine
    if machine.ask("systemctl is-active -q doorstep-serve").code == 0:
        return
    backend.command("devices", "names", NAME, SERVE_NAME)
    machine.run(
        f'printf \'\\n[serve]\\nnames = ["{SERVE_NAME}"]\\nclients = ["dispatch"]\\n\' '
        ">>/etc/doorstep/config.toml; systemctl restart doorstep-capture",
        180.0,
    )
    found.await_ready(READY_AGAIN_S)
    machine.run(f"doorstep enrol https://{HOST}:{backend.port}", 180.0)
    machine.run("systemctl enable --now doorstep-serve", 180.0)


def _unbroken(found: Device, report: Report) -> None:
    found.await_delivered()
    labels = found.labels()
    chains = {label.chain for label in labels}
    numbers = [label.seq for label in labels]
    whole = len(chains) == 1 and numbers == list(range(1, len(numbers) + 1))
    report.check("one chain without a gap", whole, f"{len(chains)} chains, {len(numbers)} records")


def _files(found: Device) -> int:
    return int(found.machine.run("ls /var/lib/doorstep/records | wc -l"))


def _property(found: Device, unit: str, name: str) -> str:
    return found.machine.run(f"systemctl show -P {name} {unit}").strip()
