"""The picture in a photo for people: without place, time and device.

Only the parts that a decoder needs go into it, so that nothing unknown can leak. A drawing in the
pixels, or in the numbers of a table, cannot be told from a picture.
"""

import struct
from collections.abc import Iterable
from itertools import islice
from typing import Final

from doorstep_backend.office.segments import (
    APP0,
    APP1,
    APP14,
    FRAMES,
    SOI,
    SOS,
    frame_size,
    is_of_a_picture,
    segments,
)

MAX_BYTES: Final = 24_000_000
"""Two bytes for each pixel of the largest picture that a device's camera makes, 4608 x 2592: more
than noise takes at the best quality. Its segments and its copy are in memory at once.
"""

MAX_SEGMENTS: Final = 256
"""A photo of a device has 12, one of a phone some 30, a progressive one some 10 scans more."""

MAX_SCANS: Final = 32
"""Encoders write 10 scans of a progressive picture. A decoder goes over the whole of it for each:
210 scans of 12 megapixels, in 76 KB, took 1.5 s. 32 scans of the largest picture take 1.2 s.
"""

MAX_RATIO: Final = 4
"""Longest side by the shortest: a device's is 16 by 9. Labels are looked for in a turned copy whose
area is that of the longest side squared: 1,750 bytes of 56 x 5310 pixels took 1 s and 116 MB.
"""

MAX_SIDE_PX: Final = 9216
"""Twice the longest side that a device's camera can be set to: 4608 pixels."""

MAX_PIXELS: Final = 47_775_744
"""Four times the largest of those, 4608 x 2592: 190 MB in a browser's memory."""

_LEFT_OUT: Final = frozenset({*range(0xE0, 0xF0), 0xFE})
"""APPn and COM. EXIF and XMP are APP1, ICC and further pictures APP2, C2PA APP11, IPTC APP13."""

_JFIF: Final = bytes.fromhex("ffe00010 4a46494600 0101 00 00010001 0000")
"""Says how colours are coded, and that pixels are square; no thumbnail. Source: JFIF 1.02."""

_ADOBE: Final = bytes.fromhex("ffee000e 41646f6265 0064 0000 0000")
"""Says how colours are coded, in the byte that follows. Source: Adobe technical note 5116."""

_ORIENTATION: Final = 0x0112
"""Source: EXIF 2.32, table 4; a SHORT from 1 to 8, 1 is upright."""

Parts = list[tuple[int, bytes]]


def customer_copy(jpeg: bytes) -> bytes:
    """Return the same picture, bit for bit, with no metadata but a rotation if not upright.

    Nothing is decoded, and MAX_SEGMENTS bounds the time. How colours are coded is said anew, in no
    bytes of the device's.

    Raises:
        ValueError: it is not a whole JPEG, or none that anybody's photo is like; nothing of it is
            to be shown.
    """
    if len(jpeg) > MAX_BYTES:
        raise ValueError(f"not a photo: it has {len(jpeg)} bytes")
    parts = list(islice(segments(jpeg), MAX_SEGMENTS + 1))
    _check(parts)
    kept = [segment for marker, segment in parts if marker not in _LEFT_OUT]
    head = bytes((0xFF, SOI)) + _jfif(parts) + _exif(_orientation(parts)) + _adobe(parts)
    return b"".join([head, *kept])


def is_picture(jpeg: bytes) -> bool:
    """Return whether there is a copy of it."""
    try:
        customer_copy(jpeg)
    except ValueError:
        return False
    return True


def drawn_anew(copy: bytes, jpeg: bytes) -> bytes:
    """Draw a picture again from the decoded pixels of a copy, turned as that is."""
    turned = _exif(_orientation(list(segments(copy))))
    return customer_copy(jpeg[:2] + turned + jpeg[2:])


def _check(parts: Parts) -> None:
    if len(parts) > MAX_SEGMENTS:
        raise ValueError(f"not a photo: it has more than {MAX_SEGMENTS} segments")
    for marker, segment in parts:
        if marker not in _LEFT_OUT and not is_of_a_picture(marker, segment):
            raise ValueError(f"not a photo: it has a segment {marker:02X} that no picture has")
    markers = [marker for marker, _ in parts]
    frames = [segment for marker, segment in parts if marker in FRAMES]
    if len(frames) != 1 or not 1 <= markers.count(SOS) <= MAX_SCANS:
        raise ValueError(f"not a photo: {len(frames)} frames, {markers.count(SOS)} scans")
    width, height = frame_size(frames[0])
    if not (0 < width <= MAX_SIDE_PX and 0 < height <= MAX_SIDE_PX) or width * height > MAX_PIXELS:
        raise ValueError(f"not a photo: it declares {width} x {height} pixels")
    if max(width, height) > MAX_RATIO * min(width, height):
        raise ValueError(f"not a photo: it is too narrow, {width} x {height} pixels")


def _jfif(parts: Parts) -> bytes:
    """Return JFIF of 16 bytes without a thumbnail, as every encoder writes it; else nothing."""
    found = _first(APP0, _JFIF[4:9], parts)
    return _JFIF if len(found) == len(_JFIF) and found[-2:] == bytes(2) else b""


def _adobe(parts: Parts) -> bytes:
    found = _first(APP14, _ADOBE[4:9], parts)
    return _ADOBE + found[-1:] if len(found) == len(_ADOBE) + 1 and found[-1] <= 2 else b""


def _first(marker: int, begins: bytes, parts: Iterable[tuple[int, bytes]]) -> bytes:
    mine = (one for found, one in parts if found == marker and one[4:].startswith(begins))
    return next(mine, b"")


def _orientation(parts: Parts) -> int:
    """Return the Orientation in IFD 0; 1 if it is missing or nonsense."""
    tiff = _first(APP1, b"Exif\0\0", parts)[10:]
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2], ">")
    try:
        (at,) = struct.unpack_from(f"{order}I", tiff, 4)
        (entries,) = struct.unpack_from(f"{order}H", tiff, at)
        for entry in range(entries):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", tiff, at + 2 + 12 * entry)
            if tag == _ORIENTATION:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1


def _exif(orientation: int) -> bytes:
    """Return an APP1 segment with the rotation only; empty for an upright picture."""
    if orientation == 1:
        return b""
    ifd = struct.pack(">HHHIHHI", 1, _ORIENTATION, 3, 1, orientation, 0, 0)
    content = b"Exif\0\0MM\0*" + struct.pack(">I", 8) + ifd
    return bytes((0xFF, APP1)) + struct.pack(">H", len(content) + 2) + content
