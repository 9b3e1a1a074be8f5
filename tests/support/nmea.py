"""A GNSS receiver of the tests: writes NMEA 0183 and serves it to gpsd over TCP."""

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import reduce
from threading import Event, Thread

from tests.support.waiting import until

LAT_DEG, LON_DEG, ALT_M = 52.520006, 13.404954, 34.2
PERIOD_S = 0.2


def sentence(body: str) -> str:
    """Return a sentence with its checksum."""
    return f"${body}*{reduce(lambda sum_, char: sum_ ^ ord(char), body, 0):02X}\r\n"


def angle(deg: float, width: int, signs: str) -> str:
    """Write degrees as (d)ddmm.mmmmmm and a hemisphere."""
    whole = int(abs(deg))
    minutes = (abs(deg) - whole) * 60
    return f"{whole:0{width}d}{minutes:09.6f},{signs[deg < 0]}"


def epoch(utc: datetime) -> str:
    """Make an epoch of a receiver with eight satellites in a 3D fix."""
    clock, day = utc.strftime("%H%M%S.%f")[:9], utc.strftime("%d%m%y")
    place = f"{angle(LAT_DEG, 2, 'NS')},{angle(LON_DEG, 3, 'EW')}"
    bodies = [
        f"GPRMC,{clock},A,{place},0.5,0.0,{day},,,A",
        f"GPGGA,{clock},{place},1,08,1.1,{ALT_M},M,44.5,M,,",
        "GPGSA,A,3,01,02,03,04,05,06,07,08,,,,,1.9,1.1,1.5",
        "GPGSV,2,1,08,01,60,045,45,02,50,135,45,03,40,225,45,04,30,315,45",
        "GPGSV,2,2,08,05,20,000,45,06,70,090,45,07,35,180,45,08,55,270,45",
    ]
    return "".join(map(sentence, bodies))


class Receiver:
    """Serves one epoch after another on a fixed port; can fall silent, unplug and be replugged."""

    def __init__(self) -> None:
        self.say: Callable[[], str] = lambda: epoch(datetime.now(UTC))
        self.silent = Event()
        self._listening: socket.socket | None = None
        self._peers: list[socket.socket] = []
        self.port = free_port()
        self.plug()

    def plug(self) -> None:
        """Listen, and send every connection the epochs."""
        self._listening = socket.create_server(("127.0.0.1", self.port))
        Thread(target=self._accept, args=[self._listening], daemon=True).start()

    def unplug(self) -> None:
        """Close all connections, and refuse new ones."""
        if self._listening:
            self._listening.shutdown(socket.SHUT_RDWR)
            self._listening.close()
            self._listening = None
        for peer in self._peers:
            peer.close()
        self._peers.clear()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                peer, _ = listening.accept()
            except OSError:
                return
            self._peers.append(peer)
            Thread(target=self._tell, args=[peer], daemon=True).start()

    def _tell(self, peer: socket.socket) -> None:
        try:
            while True:
                if not self.silent.is_set():
                    peer.sendall(self.say().encode())
                time.sleep(PERIOD_S)
        except OSError:
            return


def free_port() -> int:
    """Return a port of loopback that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


@contextmanager
def gpsd(receiver_port: int, port: int) -> Iterator[None]:
    """Run Debian's gpsd on the receiver, listening on `port`."""
    program = shutil.which("gpsd", path="/usr/sbin:/usr/bin:/sbin:/bin")
    assert program, "this test needs gpsd: apt-get install gpsd gpsd-clients"
    device = f"tcp://127.0.0.1:{receiver_port}"
    with subprocess.Popen([program, "-N", "-n", "-S", str(port), device]) as daemon:
        try:
            until(lambda: listens(port))
            yield
        finally:
            daemon.kill()


def listens(port: int) -> bool:
    """Return True if something accepts connections on `port`."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
