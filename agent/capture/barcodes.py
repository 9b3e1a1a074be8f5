"""Reads the codes on parcels, with zxing-cpp; pure. Pictures are looked at and never kept."""

from typing import Final

import numpy as np
import zxingcpp  # noqa: TID251 - the only importer

from agent.models import CODE
from hardware.camera import Luma

FORMATS: Final = zxingcpp.BarcodeFormats(
    [
        zxingcpp.BarcodeFormat.Code128,
        zxingcpp.BarcodeFormat.DataMatrix,
        zxingcpp.BarcodeFormat.PDF417,
        zxingcpp.BarcodeFormat.QRCodeModel2,
    ]
)
"""Symbologies of parcel labels. Not Micro QR and rMQR, which are rare and detect fewer errors."""

DARK_BELOW: Final = 64
"""Mean luma, 16 to 235, below which codes want a lamp.

Source: drawn codes before rendered doors, 2026-11: what could not be read had 55 at most, at 1.1
lux; a door under a street lamp, 17 lux, has 105 at least.
"""

_SEPARATOR: Final = b"\x1d"
"""Ends a field of variable length in GS1 codes. Source: GS1 General Specifications 7.8.3."""


def read(luma: Luma) -> tuple[str, ...]:
    """Return the different codes in a picture, in no order; () without codes.

    Each is printable ASCII, 1 to 128 characters; a code with anything else is ignored as a whole,
    never cut. Of a GS1 code it is the data without FNC1 and separators, neither of which can
    be printed: `(420)90210(92)612901` is `4209021092612901`.
    A parcel label often has several codes, and the caller knows which of them names the stop.
    A picture of nothing, or of no size, is no error.

    Light codes on dark are not read. Bar codes are read only within 15 degrees of horizontal or
    vertical, PDF417 within 5. The narrowest bar needs 2 px if it is sharp, and 3 if not.
    Source: our measurement on drawn codes, x86-64, 2026-11; 15 to 30 ms for 1280 x 720.
    """
    if not luma.size:
        return ()
    found = zxingcpp.read_barcodes(
        np.ascontiguousarray(luma),
        formats=FORMATS,
        try_invert=False,
        text_mode=zxingcpp.TextMode.Plain,
    )
    return tuple(dict.fromkeys(text for code in found if (text := _text(code))))


def is_dark(luma: Luma) -> bool:
    """Return whether a picture is too dark for codes."""
    return bool(luma.size) and float(luma.mean()) < DARK_BELOW


def _text(code: zxingcpp.Barcode) -> str | None:
    """Return the code's text if it may pass."""
    content = code.bytes
    if code.content_type is zxingcpp.ContentType.GS1:
        content = content.replace(_SEPARATOR, b"")
    text = content.decode("ascii", "replace")  # by what no code has
    return text if CODE.fullmatch(text) else None
