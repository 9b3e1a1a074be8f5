"""The check, for doctor, of pins that the firmware's config.txt gives to other drivers."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.command.doctor.finding import Level
from agent.config import Config, configured_pins
from hardware.firmware import claims, includes, unknown_overlays

MOST_BYTES: Final = 65_536
"""The largest config.txt that is read; Raspberry Pi OS's has less than 2 KB."""

_SHOWN_CHARACTERS: Final = 98
"""The length of a line that is shown; the firmware reads no more of it.

Source: Raspberry Pi documentation, "config.txt".
"""


def findings(config: Config, file: Path) -> Iterator[tuple[Level, str]]:
    """Compare the configured pins with those that lines of `file` take."""
    users = {pin: name for name, pin in configured_pins(config)}
    if not users:
        return
    try:
        text = _text(file)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        yield Level.NOTE, f"not checked: {file}: {why}"
        return
    is_well = True
    for claim in claims(text):
        if claim.pin not in users:
            continue
        where = _place(claim.line, claim.number, file)
        words = f"{users[claim.pin]}: pin {claim.pin} is used by {where}"
        if claim.section:
            words += f", if {claim.section} is met, which was not checked"
        else:
            is_well = False
        remedy = "choose another pin, or delete that line and restart the device"
        yield (Level.NOTE if claim.section else Level.FAILED), f"{words}: {remedy}"
    for line, number in unknown_overlays(text):
        where = _place(line, number, file)
        yield Level.NOTE, f"not checked: {where} may use pins that doctor does not know"
    for number in includes(text):
        yield Level.NOTE, f"not checked: the file that {file} includes in line {number}"
    if is_well:
        yield Level.OK, f"no line of {file} is known to use a configured pin"


def _place(line: str, number: int, file: Path) -> str:
    return f'"{line[:_SHOWN_CHARACTERS]}" ({file}, line {number})'


def _text(file: Path) -> str:
    """Read a file of the firmware. Raises OSError, or ValueError with the reason."""
    if not stat.S_ISREG(file.stat().st_mode):
        raise ValueError("is not a regular file")
    with file.open("rb") as opened:
        content = opened.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"has more than {MOST_BYTES} bytes")
    if b"\0" in content:
        raise ValueError("is not text")
    return content.decode(errors="replace")
