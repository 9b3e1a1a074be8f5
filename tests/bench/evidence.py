"""What it costs that a photo is signed and sealed, beside the JPEG encode of one frame."""

import hashlib
from collections.abc import Iterator
from functools import partial
from typing import Final

from agent.capture import jpeg
from agent.capture.burst import JPEG_QUALITY_PCT
from agent.record import sealing
from hardware.simulated.scenes import Scene, render
from tests.bench.frame import Figure, Rig, by_turns, ratios, run_ms
from tests.support.credentialed import CertifiedDevice, stamped
from tests.support.sealed import RECIPIENTS

SHARE: Final = 0.6
"""Of one JPEG encode: then three frames and their judging weigh more than all evidence."""

ADDED_BYTES: Final = 20_000
"""A twentieth of a photo."""


def measure(rig: Rig) -> Iterator[Figure]:
    """Time the parts of one photo by turns."""
    pixels = render(Scene(width_px=2304, height_px=1296))
    photo = stamped(jpeg.encode(pixels, JPEG_QUALITY_PCT))
    van = CertifiedDevice()
    signed = van.sign(photo)
    jobs = {
        "JPEG encode of one frame": lambda: jpeg.encode(pixels, JPEG_QUALITY_PCT),
        "Content Credentials": lambda: van.sign(photo),
        "seal, to two recipients": lambda: sealing.seal(signed, RECIPIENTS),
        "hash": lambda: hashlib.sha256(signed).digest(),
    }
    timed = {name: partial(run_ms, job) for name, job in jobs.items()}
    taken = by_turns(rig.times(24, 8), timed)
    encode_ms, *more = taken.values()
    whole = [sum(parts) for parts in zip(*more, strict=True)]
    note = f"2304x1296, {len(signed):,} bytes signed"
    name = "sign, seal and hash, by one JPEG encode"
    yield Figure(name, "x", ratios(whole, encode_ms), SHARE, digits=2, note=note)
    for name, samples in taken.items():
        yield Figure(f"  {name}", "ms", samples, digits=2)
    added = len(signed) - len(photo)
    name = "bytes that Content Credentials add"
    yield Figure(name, "bytes", [added], ADDED_BYTES, digits=0)
