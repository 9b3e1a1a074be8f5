"""Runs of `scripts/provision` and `scripts/deploy`, and their output."""

import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.support.backend import REPOSITORY
from tests.system.machines.image import TECHNICIAN, technicians_key
from tests.system.machines.network import HOST, OFFICE
from tests.system.machines.office import Office

WITHIN_S: Final = 1800
"""Longest run that is waited for. Source: three machines took 9 min, and seven of them 8 min with
packages there already, on two cores with a load of 8 to 17."""

SIMULATED: Final = {
    part: {"kind": "simulated"} for part in ("camera", "buttons", "indicator", "lamp")
}
"""Parts that no container can have; gpsd and its receiver are real."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """Result of a run.

    Attributes:
        rows: verdict and what to do, by device; the table as a technician reads it.
        changed: how many steps changed something, by host of the inventory.
    """

    exit_code: int
    output: str
    rows: Mapping[str, tuple[str, str]]
    changed: Mapping[str, int]


def inventory(
    office: Office, tokens: Path, hosts: Mapping[str, Mapping[str, Any]], **more: Any
) -> Path:
    """Writes one for these hosts; returns the file. JSON is YAML too."""
    shared = {
        "ansible_user": TECHNICIAN,
        "ansible_ssh_private_key_file": str(technicians_key()),
        "doorstep_backend_url": office.url,
        "doorstep_ca_file": str(office.backend.ca_file),
        "doorstep_fleet_key_file": str(office.backend.fleet_key_file),
        "doorstep_tokens_file": str(tokens),
        "doorstep_office_networks": [OFFICE],
        "doorstep_technicians": [TECHNICIAN],
        "doorstep_ntp_servers": [HOST],
        "doorstep_gpsd_devices": ["/dev/serial0"],
        "doorstep_state_mb": 256,
        "doorstep_config": SIMULATED,
        **more,
    }
    file = office.folder / "fleet.yml"
    file.write_text(json.dumps({"all": {"vars": shared, "hosts": hosts}}, indent=1))
    return file


def provision(file: Path, *words: str) -> RunResult:
    """Runs it on an inventory, as a technician does, and reads its table."""
    return _ran("provision", file, *words)


def deploy(file: Path, release: Path, *words: str) -> RunResult:
    """Run `scripts/deploy` with the folder of a release."""
    return _ran("deploy", file, str(release), *words)


def _ran(command: str, file: Path, *words: str) -> RunResult:
    environment = {**os.environ, "DOORSTEP_PROVISION_DIR": str(file.parent), "COLUMNS": "10000"}
    ran = subprocess.run(
        [REPOSITORY / "scripts" / command, "-i", file, *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=WITHIN_S,
    )
    with (file.parent / f"{command}.log").open("a") as log:
        log.write(ran.stdout)
    return RunResult(ran.returncode, ran.stdout, _rows(ran.stdout), _changed(ran.stdout))


@contextmanager
def processes_seen() -> Iterator[set[bytes]]:
    """Collect each command line and environment on this host and in its machines."""
    seen: set[bytes] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            for process in Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    try:
                        seen.add((process / name).read_bytes())
                    except OSError:
                        continue  # it ended

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def _rows(output: str) -> dict[str, tuple[str, str]]:
    _, head, table = output.partition("\ndevice ")
    rows = {}
    for line in (head + table).strip().splitlines()[1:]:
        if not line.strip():
            break
        device, _, verdict, todo = [*re.split(r"\s{2,}", line.strip(), maxsplit=3), ""][:4]
        rows[device] = (verdict, todo)
    return rows


def _changed(output: str) -> dict[str, int]:
    found = re.findall(r"^(\S+) +: ok=\d+ +changed=(\d+)", output, re.MULTILINE)
    return {host: int(count) for host, count in found}
