"""`doorstep enrol` on loopback, the whole process, beside its three requests alone."""

import shutil
import subprocess
import time
from pathlib import Path
from typing import Final

from agent.record import signing
from tests.backend.identity.register import Register
from tests.bench.device import enrol
from tests.bench.figures import Figure
from tests.bench.machine import run_ms
from tests.bench.rig import Rig
from tests.support.backend import Backend
from tests.support.device import Device
from tests.support.enrolment import EST, PKCS10, asked, certificate_of, kept, required

AT_MOST_S: Final = 5.0
"""Longest that somebody at a bench, with a tray of devices, waits for each."""

MODULES: Final = "import agent.command.commandline, agent.command.enrol"


def measure(rig: Rig) -> list[Figure]:
    """Enrols new devices, each with the product and then another with curl."""
    ours, starts, bare = [], [], []
    for number in range(rig.enrolments):
        ours.append(_ours_s(rig, f"bench-enrol-{number}"))
        starts.append(run_ms("-c", MODULES) / 1e3)
        bare.append(_bare_s(rig.backend, rig.folder, f"bench-curl-{number}"))
    return [
        Figure(
            "doorstep enrol, the whole process",
            "s",
            ours,
            at_most=AT_MOST_S,
            digits=2,
            note="two keys, the TLS and the evidence certificate, and the fleet document, each "
            "verified, and flushed to the disk as its owner",
            pi="some 4 times as long, most of it the start of Python; and the line.",
        ),
        Figure("  of it, Python and its modules", "s", starts, digits=2),
        Figure(
            "three requests by curl",
            "s",
            bare,
            digits=2,
            note="the same two certificates and the document; its keys and requests are made "
            "before, nothing is verified but TLS",
        ),
    ]


def _ours_s(rig: Rig, device_id: str) -> float:
    device = Device(rig.folder / device_id, device={"id": device_id}, **required(rig.backend))
    token = Register(rig.backend.data).let_in(device_id)
    began_s = time.monotonic()
    enrol(device, rig.backend, token)
    return time.monotonic() - began_s


def _bare_s(backend: Backend, folder: Path, device_id: str) -> float:
    token = Register(backend.data).let_in(device_id)
    key, label_key = signing.new_key(), signing.new_key()
    requests = [folder / f"{device_id}.{name}" for name in ("tls", "evidence")]
    for path, one in zip(requests, (key, label_key), strict=True):
        path.write_bytes(asked(device_id, one))
    tls, evidence = ([*_posting(path)] for path in requests)
    began_s = time.monotonic()
    issued = _curl(backend, f"{EST}/simpleenroll", "--user", f"{device_id}:{token}", *tls)
    first_s = time.monotonic() - began_s
    made = kept(folder, device_id, certificate_of(issued), key)
    shown = ["--cert", str(made.certificate_file), "--key", str(made.key_file)]
    began_s = time.monotonic()
    _curl(backend, f"{EST}/evidence/simpleenroll", *shown, *evidence)
    _curl(backend, "/fleet", *shown)
    return first_s + time.monotonic() - began_s


def _posting(path: Path) -> list[str]:
    return ["--header", f"Content-Type: {PKCS10['Content-Type']}", "--data-binary", f"@{path}"]


def _curl(backend: Backend, path: str, *words: str) -> bytes:
    """One request. Raises CalledProcessError where it is refused."""
    program = shutil.which("curl")
    if program is None:
        raise RuntimeError("curl is missing; the enrol section needs it: apt-get install curl")
    usual = ["--disable", "--silent", "--show-error", "--fail", "--cacert", str(backend.ca_file)]
    command = [program, *usual, *words, f"{backend.base_url}{path}"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
