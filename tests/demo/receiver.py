"""A GPS receiver for the demo: speaks gpsd's protocol, and is wherever it is carried."""

import json
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

REPORT_EVERY_S: Final = 1.0
"""Time between two reports. Source: receivers tell one a second unless set otherwise."""


@dataclass(frozen=True, slots=True)
class Place:
    """A receiver's position and its error; WGS 84, metres at 95 %."""

    lat_deg: float
    lon_deg: float
    accuracy_m: float


class Receiver:
    """Answers on a free loopback port as gpsd does; tells of a move at once.

    A context: its threads end with the block.
    """

    def __init__(self) -> None:
        self._place: Place | None = None
        self._closed = False
        self._changed = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # on some systems a listening socket cannot be shut down
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def carry_to(self, place: Place | None) -> None:
        """Be there from now on; None is where no satellite is seen."""
        with self._changed:
            self._place = place
            self._changed.notify_all()

    def _accept(self) -> None:
        with suppress(OSError):  # __exit__ shuts the listener down
            while True:
                peer, _ = self._listener.accept()
                threading.Thread(target=self._tell, args=[peer], daemon=True).start()

    def _tell(self, peer: socket.socket) -> None:
        with peer, suppress(OSError), self._changed:
            while not self._closed:
                peer.sendall(_reports(self._place))
                self._changed.wait(REPORT_EVERY_S)


def _reports(place: Place | None) -> bytes:
    """An epoch. Source: gpsd_json(5)."""
    if place is None:
        return _line({"class": "TPV", "mode": 1})
    sky = {"class": "SKY", "hdop": 0.9, "uSat": 11}
    fix = {
        "class": "TPV",
        "mode": 3,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "lat": place.lat_deg,
        "lon": place.lon_deg,
        "altMSL": 34.2,
        "eph": place.accuracy_m,
        "speed": 0.3,
    }
    return _line(sky) + _line(fix)


def _line(report: dict[str, object]) -> bytes:
    return json.dumps(report).encode("ascii") + b"\n"
