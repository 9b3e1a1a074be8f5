"""The customer's copy of a photo: the picture itself, without place, time and device."""

import struct
from collections.abc import Iterator
from typing import Final

_SOI, _EOI, _SOS, _APP1, _COM = 0xD8, 0xD9, 0xDA, 0xE1, 0xFE
"""Source: ITU-T T.81, table B.1."""

_TELL_COLOUR: Final = (b"JFIF\0", b"Adobe")
"""These APPn segments say how to decode and nothing else; every other one goes.

EXIF and XMP are APP1, ICC and further pictures APP2, C2PA APP11, IPTC APP13.
"""

_ORIENTATION: Final = 0x0112
"""Source: EXIF 2.32, table 4; a SHORT from 1 to 8, 1 is upright."""


def customer_copy(jpeg: bytes) -> bytes:
    """The same picture, bit for bit, with no metadata but a rotation other than upright.

    Raises:
        ValueError: it is not a whole JPEG; nothing of it is to be shown.
    """
    if jpeg[:2] != bytes((0xFF, _SOI)):
        raise ValueError("not a JPEG: it does not begin with SOI")
    kept, orientation = bytearray(jpeg[:2]), 1
    for marker, segment in _segments(jpeg):
        if marker == _APP1 and segment[4:10] == b"Exif\0\0":
            orientation = _orientation(segment[10:])
        elif not _is_metadata(marker, segment):
            kept += segment
    return bytes(kept[:2]) + _exif(orientation) + bytes(kept[2:])


def _is_metadata(marker: int, segment: bytes) -> bool:
    if not 0xE0 <= marker <= 0xEF:
        return marker == _COM
    return not segment[4:].startswith(_TELL_COLOUR)


def _segments(jpeg: bytes) -> Iterator[tuple[int, bytes]]:
    """Each marker with its bytes, a scan with its coded data; what follows EOI is left out."""
    at = 2
    while jpeg[at : at + 2] != bytes((0xFF, _EOI)):
        if len(jpeg) < at + 4 or jpeg[at] != 0xFF or not _has_length(jpeg[at + 1]):
            raise ValueError(f"not a whole JPEG: no marker at byte {at}")
        marker = jpeg[at + 1]
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4])
        if marker == _SOS:
            end = _end_of_scan(jpeg, end)
        yield marker, jpeg[at:end]
        at = end
    yield _EOI, jpeg[at : at + 2]


def _has_length(marker: int) -> bool:
    return 0xC0 <= marker <= 0xCF or 0xDA <= marker <= 0xFE


def _end_of_scan(jpeg: bytes, at: int) -> int:
    """Where the next marker is; FF00 and the restart markers D0 to D7 are coded data."""
    while (at := jpeg.find(b"\xff", at)) >= 0:
        following = jpeg[at + 1 : at + 2]
        if following and following != b"\xff" and not _is_coded(following[0]):
            return at
        at += 1 if following == b"\xff" else 2
    raise ValueError("not a whole JPEG: its scan does not end")


def _is_coded(byte: int) -> bool:
    return byte == 0 or 0xD0 <= byte <= 0xD7


def _orientation(tiff: bytes) -> int:
    """Orientation in IFD 0; 1 where there is none, or nothing that makes sense."""
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
    """An APP1 segment that says the rotation only; none for an upright picture."""
    if orientation == 1:
        return b""
    ifd = struct.pack(">HHHIHHI", 1, _ORIENTATION, 3, 1, orientation, 0, 0)
    content = b"Exif\0\0MM\0*" + struct.pack(">I", 8) + ifd
    return bytes((0xFF, _APP1)) + struct.pack(">H", len(content) + 2) + content
