"""The contents of record.json: pure functions from values to JSON types."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from agent import __version__
from agent.models import CaptureId, QualityReport, Reason, Stop, rfc3339
from hardware.camera import Frame
from hardware.clock import Clock, Moment
from hardware.position import Fix
from hardware.power import PowerReading

FRESH_S: Final = 5.0
"""A fix older than this is no fix for a coordinate: on foot it is 6 m away, less than it errs."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """The trigger of a record: a button, or a command and the user who gave it."""

    by: str
    user: str | None = None


BUTTON: Final = Trigger("button")


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """The stored photo, its exposure, and the reason if it has no Content Credentials."""

    sha256: str
    bytes: int
    frame: Frame
    lamp: bool
    press_ns: int
    credentials_missing: str | None


@dataclass(frozen=True, slots=True)
class Provenance:
    """The part that is equal in every record of this device.

    `manifest` is the version of the one in force, "none" without one, "off" if the fleet has none.
    """

    simulated: bool
    manifest: int | str


def fresh(fix: Fix | None, at_ns: int) -> Fix | None:
    """Return the fix if it may count as the place at `at_ns` (CLOCK_MONOTONIC), otherwise None."""
    return fix if fix is not None and abs(_apart_s(fix, at_ns)) <= FRESH_S else None


def without_false_time(fix: Fix | None, clock: Clock) -> Fix | None:
    """Return the fix for the record: without its time, if the clock refuses that."""
    if fix is None or fix.utc is None or clock.is_possible(fix.utc):
        return fix
    return replace(fix, utc=None)


def photo_record(
    provenance: Provenance,
    trigger: Trigger,
    photo: StoredPhoto,
    quality: QualityReport,
    *,
    stop: Stop,
    fix: Fix | None,
    power: PowerReading,
    retake_of: CaptureId | None,
) -> dict[str, Any]:
    """Make record.json of a photo or test; without a fresh fix it has a reason, no coordinates."""
    return {
        "stop": _stop(stop),
        **_position(fix, photo.press_ns),
        "photo": _photo(photo),
        "quality": {
            "verdict": quality.verdict,
            "scores": dict(quality.scores),
            "thresholds": quality.thresholds,
        },
        "retake_of": retake_of,
        **_common(provenance, trigger, power),
    }


def capture_claim(
    capture_id: CaptureId, device_id: str, moment: Moment, fix: Fix | None
) -> dict[str, Any]:
    """Make the claim of the photo's Content Credentials: the same as in label and record.json."""
    position = _position(fix, moment.monotonic_ns)["position"]
    told = ("lat_deg", "lon_deg", "accuracy_m", "age_s")
    return {
        "v": 1,
        "capture_id": capture_id,
        "device": device_id,
        "utc": rfc3339(moment.utc),
        "clock": moment.source,
        "boot_id": moment.boot_id,
        "monotonic_ns": moment.monotonic_ns,
        "position": position and {name: position[name] for name in told},
    }


def no_photo_record(
    provenance: Provenance, trigger: Trigger, reason: Reason, power: PowerReading, stop: Stop
) -> dict[str, Any]:
    """Make record.json of a press that made no photo: it has no coordinates in any case."""
    return {"reason": reason, "stop": _stop(stop), **_common(provenance, trigger, power)}


def void_record(provenance: Provenance, trigger: Trigger, power: PowerReading) -> dict[str, Any]:
    """Make record.json of a record that takes another back; the label's `about` names that one."""
    return _common(provenance, trigger, power)


def time_record(provenance: Provenance, moment: Moment) -> dict[str, Any]:
    """Make record.json that dates every record of its boot: this monotonic instant was this UTC.

    If a boot has several, the last one of the best source counts; the clock in its label names the
    source too.
    """
    dated = {
        "boot_id": moment.boot_id,
        "monotonic_ns": moment.monotonic_ns,
        "utc": rfc3339(moment.utc),
        "source": moment.source,
        "uncertainty_s": moment.uncertainty_s,
    }
    return {"time": dated, **_origin(provenance)}


def chain_start_record(provenance: Provenance, why: str) -> dict[str, Any]:
    """Make record.json of a chain's first record, with the reason for a new chain."""
    return {"why": why, **_origin(provenance)}


def _common(provenance: Provenance, trigger: Trigger, power: PowerReading) -> dict[str, Any]:
    by = {name: value for name, value in asdict(trigger).items() if value is not None}
    return {"trigger": by, "power": _supply(power), **_origin(provenance)}


def _supply(power: PowerReading) -> dict[str, Any]:
    """Return the supply as a record has it; without watts: they show when the camera ran."""
    return {
        "battery_pct": power.battery_pct,
        "external": power.external,
        "under_voltage": power.under_voltage,
    }


def _origin(provenance: Provenance) -> dict[str, Any]:
    return {
        "simulated": provenance.simulated,
        "agent": __version__,
        "manifest": provenance.manifest,
    }


def _stop(stop: Stop) -> dict[str, Any]:
    return asdict(stop)


def _photo(photo: StoredPhoto) -> dict[str, Any]:
    height_px, width_px = photo.frame.pixels.shape[:2]
    began_ms = (photo.frame.exposure_began_ns - photo.press_ns) / 1e6
    return {
        "sha256": photo.sha256,
        "bytes": photo.bytes,
        "width_px": width_px,
        "height_px": height_px,
        "exposure_us": photo.frame.exposure_us,
        "gain": round(photo.frame.gain, 2),
        "converged": photo.frame.converged,
        "lux": None if photo.frame.lux is None else round(photo.frame.lux, 1),
        "lamp": photo.lamp,
        "exposed_after_press_ms": round(began_ms, 1),
        **_credentials(photo.credentials_missing),
    }


def _credentials(missing: str | None) -> dict[str, Any]:
    if missing is None:
        return {"credentials": True}
    return {"credentials": False, "credentials_missing": missing}


def _position(fix: Fix | None, at_ns: int) -> dict[str, Any]:
    if fix is None:
        return {"position": None, "position_missing": "no fix since the start"}
    apart_s = _apart_s(fix, at_ns)
    if apart_s > FRESH_S:
        return {"position": None, "position_missing": f"the last fix was {apart_s:.0f} s old"}
    if apart_s < -FRESH_S:
        return {"position": None, "position_missing": "the press was served too late for a fix"}
    return {
        "position": {
            "lat_deg": round(fix.lat_deg, 7),
            "lon_deg": round(fix.lon_deg, 7),
            "alt_m": fix.alt_m,
            "accuracy_m": fix.eph_m,
            "hdop": fix.hdop,
            "satellites": fix.satellites,
            "mode": fix.mode,
            "age_s": round(max(apart_s, 0.0), 2),
            "utc": None if fix.utc is None else rfc3339(fix.utc),
        }
    }


def _apart_s(fix: Fix, at_ns: int) -> float:
    """Return the seconds from the fix's arrival to `at_ns`; below 0 if it came during the press."""
    return (at_ns - fix.received_ns) / 1e9
