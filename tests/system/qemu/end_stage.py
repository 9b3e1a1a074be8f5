"""The end of devices: one is killed and its card rescued, one retires and its card is searched."""

import base64
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.support.backend import REPOSITORY
from tests.system.qemu import deploy_stage, office
from tests.system.qemu.fleet import NAMES, VirtualFleet, fleet
from tests.system.qemu.image import BUILD
from tests.system.qemu.machine import Image
from tests.system.qemu.report import Report
from tests.system.qemu.rig import Device

FOLDER: Final = BUILD / "end"

PRESSES: Final = 3

DOORSTEP: Final = Path(sys.executable).with_name("doorstep")

PART_BYTES: Final = 1 << 26
"""Read at once of a card."""

SHOWN: Final = 12
"""Lines of what a command said."""


def run(image: Image, report: Report) -> None:
    """Goes on from where `deploy` ended, so that devices are of the release that is tried."""
    begun = deploy_stage.FOLDER
    report.need("`deploy` has run before", (begun / "port").exists(), str(begun))
    with fleet(image, FOLDER, report, *NAMES[1:], begun=begun) as found:
        _rescue(found, report)
        _retire(found.devices[NAMES[2]], report)


def _rescue(found: VirtualFleet, report: Report) -> None:
    """Green lights while nothing can be sent, then no power, and no device any more."""
    device = found.devices[NAMES[1]]
    office.send_out(device.backend.data, NAMES[1])
    device.await_ready(600.0)
    sent = device.shot()
    device.await_record(sent["edge_ns"])
    device.backend.stop()
    pressed = device.rounds(PRESSES)
    greens = [one["edge_ns"] for one in pressed if one["answer"] in {"green", "amber"}]
    report.need("green without the backend", len(greens) == PRESSES, str(len(greens)))
    device.machine.cut_power()
    device.backend.start()
    card = _card(device)
    saved = FOLDER / "saved"
    saved.mkdir()
    ca = device.backend.ca_file
    code, told = _said(report, "rescue", card, "--to", saved, "--ca", ca)
    report.check("rescue: all is whole", code == 0, f"exit code {code}")
    _send(device, saved, report)
    arrived = [device.await_record(edge_ns, 5.0) for edge_ns in greens]
    report.check("each green light is at the backend", len(arrived) == PRESSES, f"{len(arrived)}")
    words: list[str | Path] = [saved, "--ca", ca, "--fleet-key", device.backend.fleet_key_file]
    words += ["--receipts", saved / "receipts"]
    for one in sorted((device.backend.data / "keys/identities").glob("*.txt")):
        words += ["--identity", one]
    code, told = _said(report, "verify", *words)
    report.check("verify holds", code == 0, told.strip().splitlines()[-1])
    report.text(device.backend.command("devices", "gone", NAMES[1]))


def _send(device: Device, saved: Path, report: Report) -> None:
    """Under a technician's own certificate."""
    mine = FOLDER / "technician.pem"
    device.backend.command("technicians", "add", "rig", "--out", str(mine))
    config = FOLDER / "technician.toml"
    config.write_text(
        f'[backend]\nurl = "https://127.0.0.1:{device.backend.port}"\n[identity]\n'
        f'ca = "{device.backend.ca_file}"\nfleet_key = "{device.backend.fleet_key_file}"\n'
        f'technician = "{mine}"\n'
    )
    for turn in ("they are sent", "a second run sends nothing"):
        code, told = _said(report, "sync", "--from", saved, "--config", config)
        report.check(f"sync --from: {turn}", code == 0, told.strip().splitlines()[-1])


def _retire(device: Device, report: Report) -> None:
    """Every block of the card is searched for the contents of its files, before and after."""
    device.shot()
    device.await_delivered()
    needles = _needles(device)
    wrong = device.machine.ask("doorstep retire van-9999")
    report.check("another's id: nothing is done", wrong.code == 2, wrong.err.strip())
    device.machine.run("sync")
    before = _holds(_card(device), needles)
    report.check("its card holds keys and records", len(before) == len(needles), f"{len(before)}")
    ran = device.machine.ask(f"doorstep retire {NAMES[2]}", 900.0)
    report.text(ran.out + ran.err)
    report.need("it retires", ran.code == 0, f"exit code {ran.code}")
    again = device.machine.ask(f"doorstep retire {NAMES[2]}", 900.0)
    same = again.out.splitlines()[-1:] == ran.out.splitlines()[-1:]
    report.check("once more: the same line for the books", again.code == 0 and same, "")
    device.machine.shut_down()
    after = _holds(_card(device), needles)
    report.check("nothing of it is on its card", not after, str(after or f"of {len(needles)}"))
    device.machine.boot()
    active = device.machine.ask("systemctl is-active doorstep-capture doorstep-sync").out.split()
    report.check("its units stay off", active == ["inactive", "inactive"], " ".join(active))


def _needles(device: Device) -> dict[str, bytes]:
    """Some bytes of each key and of each record, by the file's name."""
    command = "cd /var/lib/doorstep && for f in keys/*/*.pem records/*.rec trust/*; do"
    command += ' [ -f "$f" ] && echo "$f $(head -c 400 "$f" | base64 -w0)"; done'
    found = {}
    for line in device.machine.run(command).splitlines():
        name, text = line.split()
        piece = base64.b64decode(text)
        key = re.search(rb"PRIVATE KEY-----\n(.{40})", piece)
        found[name] = key[1] if key else piece[120:160]
    return {name: piece for name, piece in found.items() if len(piece) == 40}


def _card(device: Device) -> Path:
    """The whole disk as it is now, as a file."""
    card = device.machine.disk.with_suffix(".img")
    card.unlink(missing_ok=True)
    words = ["qemu-img", "convert", "-U", "-O", "raw", str(device.machine.disk), str(card)]
    subprocess.run(words, check=True)
    return card


def _holds(card: Path, needles: dict[str, bytes]) -> list[str]:
    """Names of the contents that are in any block of the card."""
    found = set()
    for part in _parts(card):
        found |= {name for name, piece in needles.items() if piece in part}
    return sorted(found)


def _parts(card: Path) -> Iterator[bytes]:
    """The written blocks of the card, without holes; neighbours overlap."""
    with card.open("rb") as file:
        at, size = 0, card.stat().st_size
        while at < size:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                return  # holes until the end
            file.seek(at)
            yield file.read(PART_BYTES)
            at += PART_BYTES - 64


def _said(report: Report, *words: str | Path) -> tuple[int, str]:
    """Run it on this machine as a technician does; its exit code, and all that it said."""
    named: Sequence[str] = [str(DOORSTEP), *map(str, words)]
    ran = subprocess.run(
        named, cwd=REPOSITORY, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    told = ran.stdout + ran.stderr
    report.text("\n".join(told.splitlines()[-SHOWN:]))
    return ran.returncode, told
