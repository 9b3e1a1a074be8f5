#!/usr/bin/env python3
"""A GNSS receiver at the UART, /dev/serial0: it writes NMEA once a second, as real ones do.

It runs in the machine, by the system's Python. While /run/indoors exists it has no fix.
"""

import os
import pty
import time
import tty
from datetime import datetime, timezone
from pathlib import Path

UART = Path("/dev/serial0")
INDOORS = Path("/run/indoors")


def sentence(body):
    """With `$` and checksum. Source: NMEA 0183 section 5.3."""
    checksum = 0
    for byte in body.encode():
        checksum ^= byte
    return f"${body}*{checksum:02X}\r\n"


def second(now, fix):
    """Return one second's lines: 52.52 N 13.405 E with eight satellites, or no fix."""
    clock, day = now.strftime("%H%M%S.00"), now.strftime("%d%m%y")
    if not fix:
        lines = [f"GPGGA,{clock},,,,,0,00,99.9,,,,,,", "GPGSA,A,1,,,,,,,,,,,,,99.9,99.9,99.9"]
        return [*lines, f"GPRMC,{clock},V,,,,,,,{day},,,N"]
    place = "5231.2000,N,01324.3000,E"
    return [
        f"GPGGA,{clock},{place},1,08,0.9,34.0,M,39.0,M,,",
        "GPGSA,A,3,01,03,06,09,12,17,19,22,,,,,1.6,0.9,1.3",
        f"GPRMC,{clock},A,{place},0.0,0.0,{day},,,A",
    ]


def main():
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    os.chmod(os.ttyname(theirs), 0o666)
    UART.unlink(missing_ok=True)
    UART.symlink_to(os.ttyname(theirs))
    os.set_blocking(ours, False)
    while True:
        text = "".join(map(sentence, second(datetime.now(timezone.utc), not INDOORS.exists())))
        try:
            os.write(ours, text.encode())
        except BlockingIOError:
            pass  # nobody reads: a UART loses it
        time.sleep(1)


main()
