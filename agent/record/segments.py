"""The segments of a JPEG before its picture; pure. Source: ITU-T T.81, B.1.1.4."""

from typing import Final

APP11: Final = 0xEB
SCAN: Final = 0xDA
"""Markers. Source: ITU-T T.81, table B.1."""

SEGMENTS_LIMIT: Final = 256
"""Most segments that are read: a device writes 12, and a phone some 30.

Each segment costs memory however short it is: 33 MB can hold eight million of them.
"""


def before_picture(jpeg: bytes) -> list[tuple[int, bytes]]:
    """Return marker and content of each segment; the last one is SCAN, empty, if a picture follows.

    Raises:
        ValueError: the segments are cut off, or there are more than SEGMENTS_LIMIT.
    """
    found: list[tuple[int, bytes]] = []
    at = 2
    while jpeg[at : at + 1] == b"\xff" and at + 1 < len(jpeg):
        marker = jpeg[at + 1]
        if marker == SCAN:
            return [*found, (SCAN, b"")]
        length = int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if length < 2 or at + 2 + length > len(jpeg):
            raise ValueError("the JPEG's segments are cut off")
        if len(found) == SEGMENTS_LIMIT:
            raise ValueError(f"the JPEG has more than {SEGMENTS_LIMIT} segments")
        found.append((marker, jpeg[at + 4 : at + 2 + length]))
        at += 2 + length
    return found
