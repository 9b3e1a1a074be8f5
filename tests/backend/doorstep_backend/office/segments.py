"""The segments of a JPEG, told apart without decoding any; pure. Source of all: ITU-T T.81."""

import re
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Final

SOI, EOI, SOS = 0xD8, 0xD9, 0xDA
APP0, APP1, APP14 = 0xE0, 0xE1, 0xEE
"""Source: table B.1."""

FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2})
"""Baseline, extended and progressive with Huffman codes: what browsers show. Source: table B.1."""

_NEXT_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""In a scan, FF00 and the restart markers D0 to D7 are coded data. Source: B.1.1.5."""


def segments(jpeg: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield each marker with its bytes, a scan with its coded data, without bytes after EOI.

    Raises:
        ValueError: it is not a whole JPEG; raised when that is reached.
    """
    if jpeg[:2] != bytes((0xFF, SOI)):
        raise ValueError("not a JPEG: it does not begin with SOI")
    at = 2
    while jpeg[at : at + 2] != bytes((0xFF, EOI)):
        if len(jpeg) < at + 4 or jpeg[at] != 0xFF or not _has_length(jpeg[at + 1]):
            raise ValueError(f"not a whole JPEG: no marker at byte {at}")
        marker = jpeg[at + 1]
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4])
        if marker == SOS:
            end = _end_of_scan(jpeg, end)
        yield marker, jpeg[at:end]
        at = end
    yield EOI, jpeg[at : at + 2]


def frame_size(frame: bytes) -> tuple[int, int]:
    """Return the width and height in a frame, in pixels; its height may be 0. Source: B.2.2."""
    height, width = struct.unpack_from(">HH", frame, 5)
    return width, height


def is_of_a_picture(marker: int, segment: bytes) -> bool:
    """Return whether a decoder needs it, and it has no byte more than such a segment has."""
    if marker == EOI:
        return True
    return marker in _PICTURE and _PICTURE[marker](segment[4:])


def _has_length(marker: int) -> bool:
    return 0xC0 <= marker <= 0xCF or 0xDA <= marker <= 0xFE


def _end_of_scan(jpeg: bytes, at: int) -> int:
    found = _NEXT_MARKER.search(jpeg, at)
    if found is None:
        raise ValueError("not a whole JPEG: its scan does not end")
    return found.start()


def _is_frame(said: bytes) -> bool:
    return len(said) > 6 and len(said) == 6 + 3 * said[5]


def _is_scan(said: bytes) -> bool:
    """Return True for a scan's own header; the coded data follow it."""
    return len(said) > 0 and 1 <= said[0] <= 4 and len(said) > 4 + 2 * said[0]


def _is_restart_interval(said: bytes) -> bool:
    return len(said) == 2


def _are_quantisation_tables(said: bytes) -> bool:
    """Return True for quantisation tables. Source: B.2.4.1."""
    at = 0
    while at < len(said) and said[at] >> 4 <= 1 and said[at] & 15 <= 3:
        at += 1 + 64 * (1 + (said[at] >> 4))
    return 0 < at == len(said)


def _are_huffman_tables(said: bytes) -> bool:
    """Return True for Huffman tables. Source: B.2.4.2."""
    at = 0
    while at < len(said) and said[at] >> 4 <= 1 and said[at] & 15 <= 3:
        at += 17 + sum(said[at + 1 : at + 17])
    return 0 < at == len(said)


_PICTURE: Final[Mapping[int, Callable[[bytes], bool]]] = {
    **dict.fromkeys(FRAMES, _is_frame),
    0xC4: _are_huffman_tables,
    0xDA: _is_scan,
    0xDB: _are_quantisation_tables,
    0xDD: _is_restart_interval,
}
"""By marker, whether what follows the length is such a segment."""
