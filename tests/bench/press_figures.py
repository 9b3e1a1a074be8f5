"""The figures of a press: the product's parts, the bare loop's, and what one is of the other."""

import statistics
from dataclasses import dataclass, fields
from typing import Final

from agent.capture import burst
from tests.bench.bare import Bare
from tests.bench.figures import Figure

TIMES_BARE: Final = 1.3
"""A warm press by the bare loop's: what a driver does not feel of 100 ms."""


@dataclass(frozen=True, slots=True)
class Press:
    """One press of the product, in ms: the parts in their order, which add up to `total_ms`.

    Attributes:
        frames_ms: edge to the end of the last exposure; the button's own 14 ms are within.
        copy_ms: from the sensor's last frame to pixels in memory.
        quality_ms: after that: the last frame's sharpness, and the kept one's assessment.
        encode_ms: JPEG encode after that; 0 unless the last frame won.
        exif_ms: EXIF.
        credentials_ms: Content Credentials, where they are on.
        pack_ms: pack, hash and sign; and seal.
        file_ms: disk, the record file.
        row_ms: disk, the row in SQLite.
        rest_ms: everything else up to the green light.
        all_quality_ms: quality of the whole burst, what overlaps with waiting included.
        one_encode_ms: the kept frame's JPEG encode, whenever it was.
        file_bytes: size of the record file.
        photo_bytes: size of the encoded JPEG.
    """

    frames_ms: float
    copy_ms: float
    quality_ms: float
    encode_ms: float
    exif_ms: float
    credentials_ms: float
    pack_ms: float
    file_ms: float
    row_ms: float
    rest_ms: float
    total_ms: float
    all_quality_ms: float
    one_encode_ms: float
    file_bytes: int
    photo_bytes: int


PARTS: Final = {
    "frames_ms": "waiting for frames",
    "copy_ms": "last frame into memory",
    "quality_ms": "quality, after the last frame",
    "encode_ms": "JPEG encode",
    "exif_ms": "EXIF",
    "credentials_ms": "Content Credentials",
    "pack_ms": "pack, hash and sign",
    "file_ms": "disk: the file",
    "row_ms": "disk: the row",
    "rest_ms": "the rest",
}


def warm_figures(presses: list[Press], bare: list[Bare]) -> list[Figure]:
    bare_ms = statistics.median(one.total_ms for one in bare)
    wait_ms = statistics.median(press.frames_ms + press.copy_ms for press in presses)
    own_wait_ms = wait_ms + statistics.median(one.encode_ms + one.calls_ms for one in bare)
    encode_ms = statistics.median(press.one_encode_ms for press in presses)
    burst_ms = burst.BURST * encode_ms
    return [
        Figure(
            "warm press to green, by the bare loop",
            "x",
            [press.total_ms / bare_ms for press in presses],
            at_most=TIMES_BARE,
            digits=2,
            note="bare loop: the same frames, one JPEG encode, the same calls and bytes, and no "
            "debounce. Both press evenly spread over the time from frame to frame, at a door in "
            "daylight. A frame that ends in the 14 ms of the debounce is still had.",
            pi="frames take as long, so the ratio rises with a slower core, where quality weighs "
            "more beside them, and falls with a slower card, which costs both sides the same.",
        ),
        Figure(
            "  the same with the product's wait for frames",
            "x",
            [press.total_ms / own_wait_ms for press in presses],
            digits=2,
            note="what is left where both waited as long",
        ),
        *_split_figures("warm press to green", presses),
        *_bare_figures("bare loop, warm", bare),
        Figure(
            "quality of a burst, by one encode per frame",
            "x",
            [press.all_quality_ms / burst_ms for press in presses],
            at_most=1.0,
            digits=2,
            note=f"sharpness of {burst.BURST} frames and one assessment, by "
            f"{burst.BURST} JPEG encodes of {encode_ms:.1f} ms",
            pi="NEON in place of AVX2 for both; libjpeg-turbo encodes there as here.",
        ),
        Figure("  quality, the whole burst", "ms", [press.all_quality_ms for press in presses]),
    ]


def cold_figures(presses: list[Press], bare: list[Bare]) -> list[Figure]:
    bare_ms = statistics.median(one.total_ms for one in bare)
    return [
        Figure(
            "cold press to green, by the bare loop",
            "x",
            [press.total_ms / bare_ms for press in presses],
            digits=2,
            pi="the simulated sensor gives its first frame 500 ms after its start; a real one "
            "needs about as long, and some frames until its exposure has settled.",
        ),
        *_split_figures("cold press to green", presses),
        *_bare_figures("bare loop, cold", bare),
    ]


def _split_figures(name: str, presses: list[Press]) -> list[Figure]:
    whole = Figure(f"  {name}", "ms", [press.total_ms for press in presses])
    shares = (
        Figure(f"    {words}", "ms", [getattr(press, field) for press in presses])
        for field, words in PARTS.items()
    )
    return [whole, *shares]


def _bare_figures(name: str, bare: list[Bare]) -> list[Figure]:
    words = {"frames_ms": "frames", "encode_ms": "JPEG encode", "calls_ms": "system calls"}
    whole = Figure(f"  {name}", "ms", [one.total_ms for one in bare])
    names = [field.name for field in fields(Bare)]
    shares = [Figure(f"    {words[n]}", "ms", [getattr(one, n) for one in bare]) for n in names]
    return [whole, *shares]
