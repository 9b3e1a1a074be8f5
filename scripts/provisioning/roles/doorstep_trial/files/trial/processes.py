"""The processes of a release, as systemd and they themselves tell of them."""

import json
import os
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from verdict import Seen, TrialVerdict, framed, judge, lacks

LOOK_EVERY_S: Final = 2.0
"""Often enough that a process that died and came back is seen twice."""

ANSWER_S: Final = 20.0
"""Longest wait for an answer: capture looks at a test card for up to 15 s."""

LONGEST_ANSWER_BYTES: Final = 65_536
"""As agent/process/control.py has it."""

CAPTURE, SYNC = "doorstep-capture.service", "doorstep-sync.service"

STARTED: Final = (CAPTURE, SYNC, "doorstep-serve.service")
"""The units that are started again if they are enabled or run."""


def systemctl(*words: str) -> str:
    """Run systemctl and return its output; "" on failure, which shows in what then does not run."""
    ran = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
    return ran.stdout.strip()


def shown(unit: str, name: str) -> str:
    """Return a property of a unit."""
    return systemctl("show", "--value", f"--property={name}", unit)


def restart() -> None:
    """Start again what is enabled or runs, by the units as they are now; wait for no start.

    All but capture are stopped before: a process of the other release would take the queue for
    broken once capture has changed its schema.
    """
    systemctl("daemon-reload")
    ours = [
        unit
        for unit in STARTED
        if shown(unit, "UnitFileState") == "enabled" or shown(unit, "ActiveState") != "inactive"
    ]
    systemctl("stop", *(unit for unit in ours if unit != CAPTURE))
    systemctl("restart", "--no-block", *ours)


def ask(socket_path: str, request: dict[str, Any]) -> dict[str, Any] | None:
    """Send one question to a process; return None if no readable answer comes.

    A release on trial may answer anything, such as no JSON object, or one nested too deeply.
    """
    until_s = time.monotonic() + ANSWER_S
    said = b""
    with suppress(OSError, ValueError, RecursionError), socket.socket(socket.AF_UNIX) as line:
        line.settimeout(ANSWER_S)
        line.connect(socket_path)
        line.sendall(json.dumps(request).encode() + b"\n")
        while b"\n" not in said and len(said) < LONGEST_ANSWER_BYTES:
            line.settimeout(max(until_s - time.monotonic(), 0.001))
            piece = line.recv(LONGEST_ANSWER_BYTES)
            if not piece:
                break
            said += piece
        answer = json.loads(said)
        return answer if isinstance(answer, dict) else None
    return None


class Watch:
    """A watch on the processes of a release that was just started."""

    def __init__(self) -> None:
        self._before = {unit: shown(unit, "InvocationID") for unit in (CAPTURE, SYNC)}
        self._starts: dict[str, set[str]] = {unit: set() for unit in (CAPTURE, SYNC)}

    def look(self, seen: Seen) -> Seen:
        """Add what is seen now to what was seen."""
        capture = self._answer(CAPTURE, "/run/doorstep/capture.sock")
        sync = self._answer(SYNC, "/run/doorstep/sync/sync.sock") or {}
        is_started = shown(CAPTURE, "ActiveState") == "active"
        missing, frame = lacks(capture) if is_started else "capture does not start", seen.frame
        if not missing and frame is not True:
            frame = framed(ask("/run/doorstep/capture.sock", {"test_card": True}))
        ended = seen.ended or next(filter(None, map(self._ended, (CAPTURE, SYNC))), "")
        contact = seen.contact or isinstance(sync.get("last_contact"), str)
        return replace(seen, lacks=missing, frame=frame, contact=contact, ended=ended)

    def _answer(self, unit: str, socket_path: str) -> dict[str, Any] | None:
        """Ask the process that was started since; never the one before it."""
        run = shown(unit, "InvocationID")
        if not run or run == self._before[unit]:
            return None
        self._starts[unit].add(run)
        return ask(socket_path, {"status": True})

    def _ended(self, unit: str) -> str:
        name = unit.partition(".")[0].partition("-")[2]
        if shown(unit, "ActiveState") == "failed":
            return f"{name} ended with {shown(unit, 'ExecMainStatus')}, and is not started again"
        if len(self._starts[unit]) > 1:
            return f"{name} ended, and was started again"
        return ""


def watched(watch: Watch, watch_s: float) -> TrialVerdict:
    """Watch until there is a verdict; by a clock that nobody sets."""
    seen, began_s = Seen(), time.clock_gettime(time.CLOCK_BOOTTIME)
    while True:
        seen = watch.look(seen)
        verdict = judge(seen, time.clock_gettime(time.CLOCK_BOOTTIME) - began_s, watch_s)
        if verdict is not None:
            return verdict
        time.sleep(LOOK_EVERY_S)


def tell_systemd() -> None:
    """Let systemd start the units: at a boot they wait for the rollback. Source: sd_notify(3)."""
    with suppress(KeyError, OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.connect(os.environ["NOTIFY_SOCKET"])
        line.send(b"READY=1")
