"""From the start of `doorstep capture` to its first light, and to the light that says ready."""

import os
import signal
import subprocess
import time
from pathlib import Path

from tests.bench.figures import Figure
from tests.bench.machine import run_ms
from tests.bench.rig import Rig
from tests.support.backend import REPOSITORY
from tests.support.device import Device


def measure(rig: Rig) -> list[Figure]:
    """Starts it again and again on one state, beside a Python that does nothing."""
    device = Device(rig.folder / "start")
    _started(device)  # which makes key and queue, and compiles the code as pip does
    bare, first, ready, first_cpu, ready_cpu = [], [], [], [], []
    for _ in range(rig.starts):
        bare.append(run_ms("-c", "pass"))
        (lit_ms, lit_cpu_ms), (ready_ms, ready_cpu_ms) = _started(device)
        first.append(lit_ms)
        ready.append(ready_ms)
        first_cpu.append(lit_cpu_ms)
        ready_cpu.append(ready_cpu_ms)
    pi = "gpiozero and lgpio before the first light, picamera2 and libcamera before ready."
    return [
        Figure("python3 -c pass", "ms", bare, digits=0),
        Figure("first light: not ready", "ms", first, digits=0, pi=pi),
        Figure("ready", "ms", ready, digits=0, note="its simulated camera draws a scene first"),
        Figure("  processor until the first light", "ms", first_cpu, digits=0),
        Figure("  processor until ready", "ms", ready_cpu, digits=0),
    ]


def _started(device: Device) -> tuple[tuple[float, float], tuple[float, float]]:
    """Wall and processor until the first light, and until ready, ms."""
    lit = None
    began_s = time.monotonic()
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(device.folder / "pyc")}
    with subprocess.Popen(
        device.words("capture"),
        cwd=REPOSITORY,
        env=os.environ | compiled,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if b"event=light" not in line:
                continue
            now = ((time.monotonic() - began_s) * 1e3, _cpu_ms(process.pid))
            lit = lit or now
            if b"signal=ready" in line:
                break
        else:
            raise RuntimeError("it did not get ready")
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
    return lit, now


def _cpu_ms(pid: int) -> float:
    """Of all its threads. Source: Linux's Documentation/scheduler/sched-stats.rst, schedstat."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(one.read_text().split()[0]) for one in tasks) / 1e6
