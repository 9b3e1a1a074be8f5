"""Fixes from gpsd over TCP or a Unix socket, the newest only.

A client of our own: of the kept ones on PyPI gpsdclient does not reconnect, and gpsd-py3 asks with
?POLL, which repeats the last fix of a receiver that is gone.
"""

import logging
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from math import hypot
from threading import Event, Thread
from typing import Any, Final

from hardware.change_detector import ChangeDetector
from hardware.driver import PositionDriver
from hardware.foreign import read_json
from hardware.position import Fix
from hardware.settings import PositionSettings

log = logging.getLogger(__name__)

WATCH: Final = b'?WATCH={"enable":true,"json":true}\n'
"""Asks for reports as they come, and makes gpsd open its receivers. Source: gpsd_json(5)."""

MAX_LINE_BYTES: Final = 65_536
"""A longer line is not gpsd's. Source: GPS_JSON_RESPONSE_MAX, gpsd 3.25: 10,240 bytes."""

CONNECT_S: Final = 3.0
"""Longest wait for a connection; gpsd is on this machine."""

READ_S: Final = 0.5
"""Longest wait in one read, so that close and silence are seen."""

SILENT_S: Final = 5.0
"""After this long without a report the receiver is silent.

Source: reports come once a second, and a fix older than 5 s is no fix for a coordinate.
"""

BACKOFF_S: Final = (1.0, 2.0, 4.0, 8.0)
"""Waits before connecting again, the last one from then on; gpsd is on this machine."""


@dataclass(frozen=True, slots=True)
class Sky:
    """The newest SKY reports; one of them may lack values that the one before had."""

    hdop: float | None = None
    satellites: int | None = None
    received_ns: int = 0


@dataclass(frozen=True, slots=True)
class NoFix:
    """The receiver is there and has no fix."""


def parse(line: bytes, received_ns: int, sky: Sky) -> Fix | Sky | NoFix | None:
    """Return what one line of gpsd says; None for anything but a good TPV or SKY report.

    A number that is NaN, infinite or out of its range is taken as not told; `sky` completes a TPV.
    """
    try:
        report = read_json(line, strict=False)
    except ValueError:
        return None
    if not isinstance(report, dict):
        return None
    match report.get("class"):
        case "TPV":
            return _fix(report, received_ns, sky)
        case "SKY":
            return _sky(report, received_ns, sky)
        case _:
            return None


def _fix(tpv: dict[str, Any], received_ns: int, sky: Sky) -> Fix | NoFix:
    mode = _number(tpv, "mode", 2, 3)
    lat_deg, lon_deg = _number(tpv, "lat", -90, 90), _number(tpv, "lon", -180, 180)
    if mode is None or lat_deg is None or lon_deg is None or (lat_deg == 0 and lon_deg == 0):
        return NoFix()
    if received_ns - sky.received_ns > SILENT_S * 1e9:
        sky = Sky()
    return Fix(
        lat_deg=lat_deg,
        lon_deg=lon_deg,
        alt_m=_number(tpv, "altMSL", -1_000, 20_000) if mode == 3 else None,
        eph_m=_eph_m(tpv),
        hdop=sky.hdop,
        satellites=sky.satellites,
        mode=int(mode),
        speed_mps=_number(tpv, "speed", 0, 1_000),
        utc=_utc(tpv.get("time")),
        received_ns=received_ns,
    )


def _eph_m(tpv: dict[str, Any]) -> float | None:
    """Return the horizontal error; from its two axes where gpsd has no DOP for the whole.

    Source: DRMS, the root of the sum of the squares of two axes' errors.
    """
    eph_m = _number(tpv, "eph", 0, 1e6)
    epx_m, epy_m = _number(tpv, "epx", 0, 1e6), _number(tpv, "epy", 0, 1e6)
    if eph_m is None and epx_m is not None and epy_m is not None:
        return hypot(epx_m, epy_m)
    return eph_m


def _sky(report: dict[str, Any], received_ns: int, before: Sky) -> Sky:
    """Merge a SKY report; a DOP of 99 and more is NMEA for unknown."""
    hdop = _number(report, "hdop", 0, 98)
    used = _number(report, "uSat", 0, 255)
    if used is None and isinstance(seen := report.get("satellites"), list):
        used = sum(isinstance(one, dict) and one.get("used") is True for one in seen)
    return Sky(
        before.hdop if hdop is None else hdop,
        before.satellites if used is None else int(used),
        received_ns,
    )


def _number(report: dict[str, Any], name: str, low: float, high: float) -> float | None:
    value = report.get(name)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high:
        return float(value)
    return None


def _utc(text: Any) -> datetime | None:
    try:
        utc = datetime.fromisoformat(text)
        return utc.astimezone(UTC) if utc.tzinfo else None
    except (TypeError, ValueError, OverflowError):
        return None


class GpsdPosition:
    """gpsd as `hardware.position.Position`; one daemon thread reads, everyone may ask."""

    def __init__(self, settings: PositionSettings) -> None:
        self._where: Final = settings.gpsd
        self._address: Final = _address(settings.gpsd)
        self._sky = Sky()
        self._fix: Fix | None = None
        self._trouble: Final = ChangeDetector[str | None](
            f"position.gpsd: {self._where} has not answered yet"
        )
        self._heard_s = 0.0
        self._closing: Final = Event()
        self._reader: Final = Thread(target=self._run, name="gpsd", daemon=True)
        self._reader.start()

    @property
    def simulated(self) -> bool:
        """A receiver's own fixes."""
        return False

    def last_fix(self) -> Fix | None:
        """Return the newest fix of any age, or None."""
        return self._fix

    def trouble(self) -> str | None:
        """Return why no reports come; None while the receiver reports, with or without a fix."""
        return self._trouble.last

    def close(self) -> None:
        """Disconnect from gpsd; safe to call twice."""
        self._closing.set()
        self._reader.join(CONNECT_S + READ_S)

    def _run(self) -> None:
        failures = 0
        while not self._closing.is_set():
            try:
                with self._connect() as connection:
                    heard = self._read(connection)
            except OSError as error:
                heard = False
                self._say(f"position.gpsd: {self._where}: {error}; `systemctl status gpsd`")
            failures = 0 if heard else failures + 1
            self._closing.wait(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])

    def _connect(self) -> socket.socket:
        if isinstance(self._address, str):
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(CONNECT_S)
            connection.connect(self._address)
        else:
            connection = socket.create_connection(self._address, CONNECT_S)
        connection.sendall(WATCH)
        connection.settimeout(READ_S)
        return connection

    def _read(self, connection: socket.socket) -> bool:
        """Take reports until the connection ends or is silent; return whether any came."""
        started_s = self._heard_s = time.monotonic()
        lines = Lines()
        while not self._closing.is_set():
            if time.monotonic() - self._heard_s > SILENT_S:
                self._say(
                    f"position.gpsd: {self._where} answers, but the receiver is silent; "
                    "check its cable and `gpspipe -w`"
                )
                break
            try:
                chunk = connection.recv(8192)
            except TimeoutError:
                continue
            if not chunk:
                self._say(f"position.gpsd: {self._where} hung up; `systemctl status gpsd`")
                break
            for line in lines.feed(chunk):
                self._take(line)
        return self._heard_s > started_s

    def _take(self, line: bytes) -> None:
        match parse(line, time.monotonic_ns(), self._sky):
            case Fix() as fix:
                self._fix = fix
            case Sky() as sky:
                self._sky = sky
            case NoFix():
                pass
            case None:
                return
        self._heard_s = time.monotonic()
        self._say(None)

    def _say(self, trouble: str | None) -> None:
        if not self._trouble.changed(trouble):
            return
        if trouble is None:
            log.info("event=position_heard")
        else:
            log.warning("event=position_trouble meaning=%r", trouble)


class Lines:
    """A cutter of a stream into lines, without the endless ones."""

    def __init__(self) -> None:
        self._rest = b""
        self._skipping = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the lines that `chunk` ends."""
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        for line in whole:
            if not self._skipping:
                yield line
            self._skipping = False
        if len(self._rest) > MAX_LINE_BYTES:
            self._rest, self._skipping = b"", True


def _address(where: str) -> str | tuple[str, int]:
    """Return the path of `unix:PATH`, else host and port."""
    if where.startswith("unix:"):
        return where.removeprefix("unix:")
    host, _, port = where.rpartition(":")
    return host, int(port)


DRIVER: Final = PositionDriver(
    open=lambda settings, _world: GpsdPosition(settings), device_files=None, method="GPS"
)
