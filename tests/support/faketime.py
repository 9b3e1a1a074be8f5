"""Commands with a wrong system time: libfaketime before them, their monotonic clocks untouched."""

from pathlib import Path
from typing import Final

AN_HOUR_BACK: Final = "-1h"
TEN_YEARS_AHEAD: Final = "+10y"
IN_1970: Final = "@1970-01-02 00:00:00"
"""As libfaketime takes them."""


def following(file: Path) -> dict[str, str]:
    """Return the environment for a system time as far ahead as `file` says by then."""
    told = faked("")
    del told["FAKETIME"]
    return {**told, "FAKETIME_TIMESTAMP_FILE": str(file)}


def put_ahead(file: Path, seconds: float) -> None:
    """Say so; it counts from the next look at the clock on."""
    part = file.with_suffix(".part")
    part.write_text(f"+{seconds:.3f}\n")
    part.replace(file)


def faked(when: str) -> dict[str, str]:
    """Return the environment for a system time of `when`."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    assert found, "this test needs libfaketime: apt install faketime"
    return {
        "LD_PRELOAD": str(found[0]),
        "FAKETIME": when,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_NO_CACHE": "1",
    }
