"""The facts in a photo's EXIF, from the frame and the press; pure."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from agent import __version__
from agent.capture import record_json
from agent.capture.press_context import PressContext
from agent.config import Config
from agent.models import CaptureId
from agent.record.credentials import IPTC, Source
from agent.record.exif import SHORT_MAX, Exif
from hardware.camera import Frame
from hardware.driver import load


def source(kind: str) -> Source:
    """Return the source of a camera's pictures: only the device's own sensor sees the place."""
    return Source(IPTC + load("camera", kind).source)


def facts(config: Config, capture_id: CaptureId, frame: Frame, context: PressContext) -> Exif:
    """Collect the facts: the time is that of the exposure, and only a fresh fix gives a place."""
    moment = context.moment
    exposed_us = (frame.sensor_time_ns - moment.monotonic_ns) / 1000
    utc = moment.utc + timedelta(microseconds=exposed_us)
    height_px, width_px = frame.pixels.shape[:2]
    iso = None if frame.gain is None else min(max(round(100 * frame.gain), 1), SHORT_MAX)
    found = Exif(
        taken=utc,
        digitized=utc,
        modified=utc,
        unique_id=UUID(capture_id).hex,
        serial=config.device.id,
        software=f"doorstep {__version__}",
        model=load("camera", config.camera.kind).model,
        size_px=(width_px, height_px),
        exposure_us=frame.exposure_us,
        iso=iso,
        status="V",
    )
    fix = record_json.fresh(context.fix, moment.monotonic_ns)
    if fix is None:
        return found
    return replace(
        found,
        place_deg=(fix.lat_deg, fix.lon_deg),
        alt_m=fix.alt_m if fix.mode == 3 else None,  # in two dimensions a receiver guesses it
        accuracy_m=fix.eph_m,
        hdop=fix.hdop,
        satellites=None if fix.satellites is None else str(fix.satellites),
        mode=str(fix.mode),
        status="A",
        datum="WGS-84",
        method=load("position", config.position.kind).method,
        fix_utc=fix.utc,
    )
