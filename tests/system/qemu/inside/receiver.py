#!/usr/bin/python3
"""A GNSS receiver on TCP port 5010: RMC, GGA and GSA once a second.

It stands where /run/rig-place says (`LAT LON` in degrees), else at `PLACE`; /run/rig-nofix takes
its fix away. Nothing but the standard library: it runs in the machine.
"""

import datetime as dt
import socket
import threading
import time
from pathlib import Path

PLACE = (52.5163, 13.3777)
TOLD = Path("/run/rig-place")
NO_FIX = Path("/run/rig-nofix")


def sentence(body: str) -> str:
    check = 0
    for char in body:
        check ^= ord(char)
    return f"${body}*{check:02X}\r\n"


def angle(deg: float, width: int, signs: str) -> str:
    """(d)ddmm.mmmmm and the hemisphere."""
    whole = int(abs(deg))
    return f"{whole:0{width}d}{(abs(deg) - whole) * 60:08.5f},{signs[deg < 0]}"


def place() -> tuple[float, float]:
    try:
        lat, lon = TOLD.read_text().split()
        return float(lat), float(lon)
    except (OSError, ValueError):
        return PLACE


def epoch(now: dt.datetime) -> str:
    clock, day = now.strftime("%H%M%S.00"), now.strftime("%d%m%y")
    if NO_FIX.exists():
        bodies = [f"GNRMC,{clock},V,,,,,,,{day},,,N", f"GNGGA,{clock},,,,,0,00,99.99,,,,,,"]
    else:
        lat, lon = place()
        stands = f"{angle(lat, 2, 'NS')},{angle(lon, 3, 'EW')}"
        bodies = [
            f"GNRMC,{clock},A,{stands},0.01,,{day},,,A",
            f"GNGGA,{clock},{stands},1,09,0.9,34.2,M,44.0,M,,",
            "GNGSA,A,3,01,02,03,04,05,06,07,08,09,,,,1.6,0.9,1.3",
        ]
    return "".join(map(sentence, bodies))


def tell(client: socket.socket) -> None:
    with client:
        while True:
            time.sleep(1 - time.time() % 1)
            try:
                client.sendall(epoch(dt.datetime.now(dt.UTC)).encode())
            except OSError:
                return


def main() -> None:
    with socket.create_server(("127.0.0.1", 5010)) as listener:
        while True:
            client, _ = listener.accept()
            threading.Thread(target=tell, args=[client], daemon=True).start()


if __name__ == "__main__":
    main()
