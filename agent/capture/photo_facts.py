"""The facts in a photo's EXIF, from the frame and the press; pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from agent import __version__
from agent.capture import record_json
from agent.capture.press_context import PressContext
from agent.config import Config
from agent.models import CaptureId
from agent.record.credentials import IPTC, Source
from hardware.camera import Frame
from hardware.driver import load
from hardware.position import Fix


@dataclass(frozen=True, slots=True)
class GpsFacts:
    """A fix that is fresh enough to be called the place of the photo.

    Attributes:
        lat_deg: WGS 84 latitude, -90 to 90, north positive.
        lon_deg: WGS 84 longitude, -180 to 180, east positive.
        mode: 2 or 3; an altitude is written for 3 only, a 2D fix has guessed it.
        alt_m: metres above mean sea level.
        accuracy_m: horizontal 95 % error, metres.
        hdop: horizontal dilution of precision.
        satellites: number of satellites used.
        utc: time of the fix, aware; receivers report 3D fixes before they know the time.
        method: GPSProcessingMethod, "GPS" for a receiver, "MANUAL" for a configured position.
    """

    lat_deg: float
    lon_deg: float
    mode: int
    alt_m: float | None = None
    accuracy_m: float | None = None
    hdop: float | None = None
    satellites: int | None = None
    utc: datetime | None = None
    method: str = "GPS"


@dataclass(frozen=True, slots=True)
class PhotoFacts:
    """The facts in the EXIF of a photo.

    Characters outside ASCII become "?" in the texts, since EXIF has no others; an empty text
    leaves its tag out.

    Attributes:
        capture_id: UUID in any of its spellings; becomes ImageUniqueID as 32 hex digits.
        device_id: becomes BodySerialNumber.
        make: the maker of the camera.
        model: the camera.
        software: name and version of the agent.
        utc: when the exposure ended, aware; milliseconds are kept, finer digits cut off.
        width_px: 1 to 65,535.
        height_px: 1 to 65,535.
        exposure_us: exposure time in microseconds; None where the camera does not tell.
        gain: 1.0 is about ISO 100; None where the camera does not tell.
        position: None where no fix was fresh: GPSStatus V and no coordinates.
    """

    capture_id: str
    device_id: str
    make: str
    model: str
    software: str
    utc: datetime
    width_px: int
    height_px: int
    exposure_us: int | None
    gain: float | None
    position: GpsFacts | None


def source(kind: str) -> Source:
    """Return the source of a camera's pictures: only the device's own sensor sees the place."""
    return Source(IPTC + load("camera", kind).source)


def facts(config: Config, capture_id: CaptureId, frame: Frame, context: PressContext) -> PhotoFacts:
    """Collect the facts: the time is that of the exposure, and only a fresh fix gives a place."""
    moment = context.moment
    exposed_us = (frame.sensor_time_ns - moment.monotonic_ns) / 1000
    height_px, width_px = frame.pixels.shape[:2]
    fix = record_json.fresh(context.fix, moment.monotonic_ns)
    return PhotoFacts(
        capture_id=capture_id,
        device_id=config.device.id,
        make="Doorstep",
        model=load("camera", config.camera.kind).model,
        software=f"doorstep {__version__}",
        utc=moment.utc + timedelta(microseconds=exposed_us),
        width_px=width_px,
        height_px=height_px,
        exposure_us=frame.exposure_us,
        gain=frame.gain,
        position=None if fix is None else _gps(fix, config.position.kind),
    )


def _gps(fix: Fix, kind: str) -> GpsFacts:
    return GpsFacts(
        lat_deg=fix.lat_deg,
        lon_deg=fix.lon_deg,
        mode=fix.mode,
        alt_m=fix.alt_m,
        accuracy_m=fix.eph_m,
        hdop=fix.hdop,
        satellites=fix.satellites,
        utc=fix.utc,
        method=load("position", kind).method,
    )
