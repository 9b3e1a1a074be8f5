"""The set-up of the demo's devices: their settings and their identity."""

import os
import re
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from agent.config import load
from tests.demo.asking import CLIENT, name_of
from tests.demo.driver import DemoDevice
from tests.demo.receiver import Receiver
from tests.support.backend import Backend
from tests.support.device import device
from tests.support.network import FaultProxy


def depot(
    opened: ExitStack,
    folder: Path,
    world: str,
    *,
    backend: Backend,
    network: FaultProxy,
    width_px: int,
) -> DemoDevice:
    """A device that is named as its folder, still at the depot; its processes end with `opened`.

    The files in its settings are relative to them, so that all of it can be moved together.
    """
    receiver = opened.enter_context(Receiver())
    settings: Mapping[str, Mapping[str, Any]] = {
        "device": {"id": folder.name},
        "identity": {
            "mode": "required",
            "ca": os.path.relpath(backend.ca_file, folder),
            "fleet_key": os.path.relpath(backend.fleet_key_file, folder),
        },
        "policy": {"manifest": "required"},
        "backend": {"url": f"https://127.0.0.1:{network.port}", "receipt_keys": []},
        "camera": {"width_px": width_px, "height_px": width_px * 9 // 16},
        "position": {"kind": "gpsd", "gpsd": f"127.0.0.1:{receiver.port}"},
        "serve": {
            "listen": "127.0.0.1:0",
            "names": [name_of(folder.name)],
            "clients": [CLIENT],
        },
    }
    processes = opened.enter_context(device(folder, world, **settings))
    return DemoDevice(folder.name, processes, receiver)


def let_in(van: DemoDevice, backend: Backend) -> str:
    """Let a device in, for the first time or again, and enrol it; returns what came of it.

    By the commands that people type. The token is in no file afterwards.

    Raises:
        ValueError: one of them failed; says why.
    """
    token = van.processes.folder / "token"
    token.write_text(backend.command("devices", "add", van.device_id).split()[-1])
    backend.command("devices", "names", van.device_id, name_of(van.device_id))
    url = load(van.processes.config).est
    ended = van.processes.run("enrol", url, "--token", str(token))
    token.unlink()
    found = re.search(r"^TLS certificate +new, (until \S+)", ended.stdout, re.MULTILINE)
    if ended.returncode != 0 or found is None:
        raise ValueError(f"{van.device_id}: doorstep enrol: {ended.stdout}{ended.stderr}")
    return f"enrolled {found.group(1)}"
