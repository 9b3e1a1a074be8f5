"""Imports every module of the installed product, and has each wheel with native code work.

Run by its path, so that what is installed is imported, and not the source beside it.
`scripts/test --arm64` does that, where only what a device installs is installed.
"""

import argparse
import importlib
import pkgutil
import platform
import sys
import time
from collections.abc import Callable
from importlib import metadata
from typing import Final

MACHINE_CODE: Final = (".so", ".abi3.so")


def modules() -> list[str]:
    """Return the product's modules, by name."""
    names = []
    for package in ("agent", "hardware"):
        names.append(package)
        path = importlib.import_module(package).__path__
        names += [one.name for one in pkgutil.walk_packages(path, f"{package}.")]
    return [name for name in names if not name.endswith("__main__")]


def code_is_read() -> str:
    """zxing writes a Code 128 and reads it back."""
    import numpy as np  # noqa: PLC0415
    import zxingcpp  # noqa: PLC0415, TID251

    barcode = zxingcpp.create_barcode("DSTEP1006A", zxingcpp.BarcodeFormat.Code128)
    image = np.array(barcode.to_image(scale=3))
    return str(zxingcpp.read_barcodes(np.pad(image, 40, constant_values=255))[0].text)


def picture_is_coded() -> str:
    """OpenCV encodes a picture and decodes it."""
    import cv2  # noqa: PLC0415, TID251
    import numpy as np  # noqa: PLC0415

    picture = np.full((1296, 2304, 3), 90, np.uint8)
    done, coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
    back = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    if not done or back is None or back.shape != picture.shape:
        raise AssertionError("the JPEG does not come back")
    return f"{len(coded)} bytes"


def record_is_signed() -> str:
    """Sign with P-256 and verify, through cffi and OpenSSL."""
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    signature = key.sign(b"record", ec.ECDSA(hashes.SHA256()))
    key.public_key().verify(signature, b"record", ec.ECDSA(hashes.SHA256()))
    return f"{len(signature)} bytes"


def photo_is_read() -> str:
    """c2pa reads a picture, and finds no manifest in it."""
    import cv2  # noqa: PLC0415, TID251
    import numpy as np  # noqa: PLC0415

    from agent.record import credentials  # noqa: PLC0415

    _done, coded = cv2.imencode(".jpg", np.full((90, 160, 3), 90, np.uint8))
    if credentials.read(coded.tobytes(), None) is not None:
        raise AssertionError("a manifest is read where none is")
    return str(credentials.load().sdk_version())


def body_is_sealed() -> str:
    """pyrage seals a body, and opens it."""
    import pyrage  # noqa: PLC0415, TID251

    secret = pyrage.x25519.Identity.generate()
    sealed = pyrage.encrypt(b"body", [secret.to_public()])
    if pyrage.decrypt(sealed, [secret]) != b"body":
        raise AssertionError("what was sealed does not open")
    return f"{len(sealed)} bytes"


def structure_is_laid_out() -> str:
    """cffi lays out a C structure."""
    ffi = importlib.import_module("cffi").FFI()  # it has no types
    ffi.cdef("typedef struct { uint8_t a; uint64_t b; } pair;")
    return f"{ffi.sizeof('pair')} bytes"


def encoding_is_guessed() -> str:
    """charset-normalizer tells an encoding."""
    import charset_normalizer  # noqa: PLC0415

    best = charset_normalizer.from_bytes("Größe und Gewicht der Straße".encode("cp1252")).best()
    return str(best.encoding if best else None)


def pins_are_sought() -> str:
    """Open chip 0 with lgpio; return what came of it."""
    import lgpio  # noqa: PLC0415

    try:
        lgpio.gpiochip_close(lgpio.gpiochip_open(0))
    except lgpio.error as error:
        return f"no chip here: {error}"
    return "opened chip 0"


AT_WORK: Final[dict[str, Callable[[], str]]] = {
    "c2pa-python": photo_is_read,
    "pyrage": body_is_sealed,
    "cffi": structure_is_laid_out,
    "charset-normalizer": encoding_is_guessed,
    "cryptography": record_is_signed,
    "lgpio": pins_are_sought,
    "opencv-python-headless": picture_is_coded,
    "zxing-cpp": code_is_read,
}
"""Each installed wheel with machine code, and what it has to do."""


def native() -> set[str]:
    """Return the installed distributions, in this environment, that bring machine code."""
    return {
        one.metadata["Name"].lower().replace("_", "-")
        for one in metadata.distributions(path=[path for path in sys.path if sys.prefix in path])
        if any(file.name.endswith(MACHINE_CODE) for file in one.files or ())
    }


def main() -> int:
    """Return 0 if all is well; a line for each module that is not, and for each wheel."""
    argparse.ArgumentParser(prog="tests/system/arm64/__main__.py", description=__doc__).parse_args()
    print(f"{platform.machine()}, Python {platform.python_version()}")
    failed = 0
    names = modules()
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            failed += 1
            print(f"FAILED    {name}: {type(error).__name__}: {error}")
    print(f"imported  {len(names) - failed} of {len(names)} modules")
    for name in sorted(native() | set(AT_WORK)):
        began = time.monotonic()
        try:
            told = AT_WORK[name]()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            failed += 1
            print(f"FAILED    {name}: {type(error).__name__}: {error}")
        else:
            took_s = time.monotonic() - began
            print(f"works     {name} {metadata.version(name)}: {told} ({took_s:.1f} s)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
