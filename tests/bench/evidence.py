"""What it costs that a photo is signed and sealed: time, bytes, memory; with it and without."""

import hashlib
import statistics
import time
from collections.abc import Callable
from typing import Any, Final

from agent.capture import jpeg
from agent.capture.burst import JPEG_QUALITY_PCT
from agent.record import sealing
from hardware.simulated.scenes import Scene, render
from tests.bench import press
from tests.bench.device import Memory, new_device, running
from tests.bench.figures import Figure
from tests.bench.press_figures import Press
from tests.bench.rig import Rig
from tests.support.credentialed import Van, stamped
from tests.support.sealed import RECIPIENTS

SHARE: Final = 0.6
"""Of one JPEG encode: then three frames and their judging weigh more than all evidence."""

ADDED_BYTES: Final = 20_000
"""A twentieth of a photo."""

PLAIN: Final = {"credentials": "off", "seal": "off"}
EVIDENCE: Final = {"credentials": "on", "seal": "required"}


def measure(rig: Rig) -> list[Figure]:
    """One photo, its parts by turns; presses by turns; the process's memory."""
    return [*_parts(rig), *_presses(rig), *_memory(rig)]


def _parts(rig: Rig) -> list[Figure]:
    pixels = render(Scene(width_px=2304, height_px=1296))
    photo = stamped(jpeg.encode(pixels, JPEG_QUALITY_PCT))
    van = Van()
    signed = van.sign(photo)
    jobs: dict[str, Callable[[], Any]] = {
        "JPEG encode of one frame": lambda: jpeg.encode(pixels, JPEG_QUALITY_PCT),
        "Content Credentials": lambda: van.sign(photo),
        "seal, to two recipients": lambda: sealing.seal(signed, RECIPIENTS),
        "hash": lambda: hashlib.sha256(signed).digest(),
    }
    found = _by_turns(jobs, rig.warm_presses)
    encode_ms, *more = found.values()
    return [
        Figure(
            "sign, seal and hash, by one JPEG encode",
            "x",
            [sum(parts) / whole for whole, *parts in zip(encode_ms, *more, strict=True)],
            at_most=SHARE,
            digits=2,
            note=f"2304x1296, {len(signed):,} bytes signed",
            pi="SHA-256 and ChaCha20 have instructions of their own there too, but for SHA-256 "
            "before the Pi 5.",
        ),
        *(Figure(f"  {name}", "ms", times, digits=2) for name, times in found.items()),
        Figure(
            "bytes that Content Credentials add",
            "bytes",
            [len(signed) - len(photo)],
            at_most=ADDED_BYTES,
            digits=0,
        ),
    ]


def _by_turns(jobs: dict[str, Callable[[], Any]], times: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(times):
        for name, job in jobs.items():
            began_ns = time.monotonic_ns()
            job()
            found[name].append((time.monotonic_ns() - began_ns) / 1e6)
    return found


def _presses(rig: Rig) -> list[Figure]:
    plain = new_device(rig.folder / "evidence-plain", rig.backend, policy=PLAIN)
    whole = new_device(rig.folder / "evidence-whole", rig.backend, policy=EVIDENCE)
    found: dict[str, list[Press]] = {"plain": [], "whole": []}
    for _ in range(2):
        found["plain"] += press.warm(plain, rig.warm_presses // 2)
        found["whole"] += press.warm(whole, rig.warm_presses // 2)
    plain_ms = statistics.median(one.total_ms for one in found["plain"])
    names = {"plain": "plain", "whole": "signed and sealed"}
    return [
        Figure(
            "warm press to green, signed and sealed, by plain",
            "x",
            [one.total_ms / plain_ms for one in found["whole"]],
            digits=2,
            note="two devices by turns; both sign the label, and write and queue the record",
        ),
        *(
            Figure(f"  press to green, {names[one]}", "ms", [each.total_ms for each in presses])
            for one, presses in found.items()
        ),
        *(
            Figure(f"    {what}, {names[one]}", "ms", [getattr(each, part) for each in presses])
            for part, what in (("credentials_ms", "credentials"), ("pack_ms", "pack to sign"))
            for one, presses in found.items()
        ),
    ]


def _memory(rig: Rig) -> list[Figure]:
    found = {
        name: _remembered(rig, name, policy) for name, policy in (("off", PLAIN), ("on", EVIDENCE))
    }
    more_mb = found["on"].resident_mb - found["off"].resident_mb
    return [
        Figure(
            "capture: resident, more with Content Credentials and seal",
            "MB",
            [more_mb],
            note=f"VmRSS after {rig.remembered_presses} presses, 2304x1296",
        ),
        *(
            Figure(f"  {what}, {name}", "MB", [value])
            for name, memory in found.items()
            for what, value in (("resident", memory.resident_mb), ("peak", memory.peak_mb))
        ),
    ]


def _remembered(rig: Rig, name: str, policy: dict[str, str]) -> Memory:
    device = new_device(rig.folder / f"evidence-memory-{name}", rig.backend, policy=policy)
    with running(device, "capture") as capture:
        for _ in range(rig.remembered_presses):
            capture.ask({"press": "photo"}, 30.0)
            time.sleep(press.PACE_S)
        return capture.memory()
