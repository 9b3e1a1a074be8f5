"""Where the demo's devices are made ready."""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.backend.process import Backend
from tests.demo.driver import Van
from tests.demo.receiver import Receiver
from tests.support.device import device, towards
from tests.support.network import FaultProxy


def depot(
    opened: ExitStack,
    folder: Path,
    world: str,
    *,
    backend: Backend,
    network: FaultProxy,
    width_px: int,
) -> Van:
    """A device that is named as its folder, still at the depot; its processes end with `opened`.

    The files in its settings are relative to them, so that all of it can be moved together.
    """
    receiver = opened.enter_context(Receiver())
    way = towards(backend, f"https://127.0.0.1:{network.port}")
    settings: Mapping[str, Mapping[str, Any]] = {
        "device": {"id": folder.name},
        "policy": {"manifest": "required"},
        "backend": {
            **way,
            "ca": os.path.relpath(way["ca"], folder),
            "receipt_keys": [os.path.relpath(key, folder) for key in way["receipt_keys"]],
        },
        "camera": {"width_px": width_px, "height_px": width_px * 9 // 16},
        "position": {"kind": "gpsd", "gpsd": f"127.0.0.1:{receiver.port}"},
    }
    processes = opened.enter_context(device(folder, world, **settings))
    return Van(folder.name, processes, receiver, backend)
