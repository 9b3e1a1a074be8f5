"""record.json: every name as the contract has it, and no coordinate without a fresh fix."""

import json
from dataclasses import replace
from typing import Any

import pytest

from agent import __version__
from agent.capture import record_json
from agent.capture.record_json import BUTTON, Provenance, StoredPhoto, Trigger
from agent.models import UNASSIGNED, CaptureId, QualityReport, QualityVerdict, Reason, rfc3339
from hardware.camera import Frame
from hardware.clock import ClockSource, Moment
from hardware.position import Fix
from hardware.power import PowerReading
from tests.support.benchtop import Parts, picture
from tests.support.factory import MOMENT

PRESS_NS = 10_000_000_000
POWER = PowerReading(64, external=False, under_voltage=False, watts=1.3)  # no record has the watts
PROVENANCE = Provenance(simulated=False, manifest="off")
SCORES = {"clipped_pct": 0.4, "mean_pct": 41.0, "noise": 0.38, "sharpness": 353.0}
REPORT = QualityReport(QualityVerdict.OK, SCORES, "2026.12")
FRAME = Frame(picture(), 8000, 2.104, 410.04, PRESS_NS + 69_200_000, converged=True)


def fix_at(age_s: float, **changes: Any) -> Fix:
    return Parts().fix(**({"received_ns": PRESS_NS - round(age_s * 1e9)} | changes))


def of_photo(
    fix: Fix | None,
    *,
    frame: Frame = FRAME,
    credentials_missing: str | None = None,
    **changes: Any,
) -> dict[str, Any]:
    photo = StoredPhoto("9f86d0", 412_345, frame, False, PRESS_NS, credentials_missing)
    more: dict[str, Any] = {"stop": UNASSIGNED, "fix": fix, "power": POWER, "retake_of": None}
    return record_json.photo_record(PROVENANCE, BUTTON, photo, REPORT, **more | changes)


def test_a_photo_record_has_exactly_the_names_and_units_of_the_contract() -> None:
    """Those of agent/docs/record.md: fields may be added, none is renamed."""
    made = of_photo(fix_at(0.4))

    assert json.loads(json.dumps(made)) == {
        "stop": {"id": None, "bound_by": "unassigned", "distance_m": None, "ring": None},
        "position": {
            "lat_deg": 52.5200066,
            "lon_deg": 13.404954,
            "alt_m": 34.2,
            "accuracy_m": 9.5,
            "hdop": 1.1,
            "satellites": 9,
            "mode": 3,
            "age_s": 0.4,
            "utc": "2026-12-01T09:15:02.000Z",
        },
        "photo": {
            "sha256": "9f86d0",
            "bytes": 412_345,
            "width_px": 640,
            "height_px": 360,
            "exposure_us": 8000,
            "gain": 2.1,
            "converged": True,
            "lux": 410.0,
            "lamp": False,
            "exposed_after_press_ms": 61.2,
            "credentials": True,
        },
        "quality": {"verdict": "ok", "scores": SCORES, "thresholds": "2026.12"},
        "retake_of": None,
        "trigger": {"by": "button"},
        "simulated": False,
        "power": {"battery_pct": 64, "external": False, "under_voltage": False},
        "agent": __version__,
        "manifest": "off",
    }


@pytest.mark.parametrize("converged", [True, False, None])
def test_photo_says_if_its_exposure_had_settled(converged: bool | None) -> None:
    photo = of_photo(None, frame=replace(FRAME, converged=converged))["photo"]

    assert photo["converged"] is converged


def test_a_photo_without_credentials_says_why() -> None:
    photo = of_photo(None, credentials_missing="switched off")["photo"]

    assert (photo["credentials"], photo["credentials_missing"]) == (False, "switched off")


@pytest.mark.parametrize("age_s", [0.0, 0.4, 4.99, 5.01])
def test_the_photo_itself_says_what_label_and_record_say(age_s: float) -> None:
    fix, moment = fix_at(age_s), Moment(MOMENT, PRESS_NS, "boot", ClockSource.GNSS, 0.1)

    claim = record_json.capture_claim(CaptureId("id"), "van-7", moment, fix)

    position = claim.pop("position")
    recorded = of_photo(fix)["position"]
    told = ("lat_deg", "lon_deg", "accuracy_m", "age_s")
    assert position == (recorded and {name: recorded[name] for name in told})
    assert claim == {
        "v": 1,
        "capture_id": "id",
        "device": "van-7",
        "utc": rfc3339(MOMENT),
        "clock": "gnss",
        "boot_id": "boot",
        "monotonic_ns": PRESS_NS,
    }


@pytest.mark.parametrize("age_s", [0.0, 4.99, 5.0])
def test_a_fix_of_at_most_five_seconds_is_a_place(age_s: float) -> None:
    assert of_photo(fix_at(age_s))["position"]["age_s"] == age_s


def test_a_fix_that_came_just_after_the_press_has_no_negative_age() -> None:
    assert of_photo(fix_at(-0.3))["position"]["age_s"] == 0.0


@pytest.mark.parametrize(
    ("fix", "why"),
    [
        (fix_at(5.001), "the last fix was 5 s old"),
        (fix_at(3600), "the last fix was 3600 s old"),
        (None, "no fix since the start"),
    ],
)
def test_place_is_absent_without_a_fresh_fix_and_the_reason_is_given(
    fix: Fix | None, why: str
) -> None:
    made = of_photo(fix)

    assert made["position"] is None
    assert made["position_missing"] == why
    assert "_deg" not in json.dumps(made)


def test_a_fix_whose_time_is_not_known_yet_is_a_place_without_a_time() -> None:
    """Receivers report 3D fixes in their first seconds, before they know the date."""
    position = of_photo(fix_at(0.4, utc=None, eph_m=None, alt_m=None, mode=2))["position"]

    assert position["utc"] is None
    assert position["accuracy_m"] is None
    assert position["mode"] == 2


def test_a_retake_names_the_photo_it_replaces_and_a_command_its_user() -> None:
    before = CaptureId("2f1c8a44-9d1c-4f7b-8a51-0f0a35e1f7b1")

    assert of_photo(None, retake_of=before)["retake_of"] == before
    by_command = record_json.void_record(PROVENANCE, Trigger("command", "root"), POWER)
    assert by_command["trigger"] == {"by": "command", "user": "root"}


@pytest.mark.parametrize("reason", list(Reason))
def test_a_record_without_photo_has_its_reason_and_no_coordinates(reason: Reason) -> None:
    made = record_json.no_photo_record(PROVENANCE, BUTTON, reason, POWER, UNASSIGNED)

    assert made == {
        "reason": reason,
        "stop": {"id": None, "bound_by": "unassigned", "distance_m": None, "ring": None},
        "trigger": {"by": "button"},
        "power": {"battery_pct": 64, "external": False, "under_voltage": False},
        "simulated": False,
        "agent": __version__,
        "manifest": "off",
    }


def test_the_reasons_are_the_closed_list_of_the_contract() -> None:
    assert set(Reason) == {
        "no_photo_stop",
        "signature_stop",
        "unknown_code",
        "ambiguous_code",
        "code_elsewhere",
        "no_position",
        "not_enrolled",
        "manifest_missing",
        "manifest_expired",
        "camera_fault",
        "storage_full",
        "storage_fault",
        "battery_empty",
        "handed_over",
    }


def test_a_time_record_ties_one_instant_of_its_boot_to_utc() -> None:
    moment = Moment(MOMENT, 123, "boot-1", ClockSource.GNSS, 1.0)

    assert record_json.time_record(PROVENANCE, moment)["time"] == {
        "boot_id": "boot-1",
        "monotonic_ns": 123,
        "utc": "2026-12-01T09:15:02.000Z",
        "source": "gnss",
        "uncertainty_s": 1.0,
    }


@pytest.mark.parametrize("simulated", [True, False])
def test_every_kind_of_record_says_whether_it_is_simulated(*, simulated: bool) -> None:
    provenance = Provenance(simulated=simulated, manifest="off")
    moment = Moment(MOMENT, 123, "boot-1", ClockSource.NTP, 5.0)
    made = [
        record_json.no_photo_record(provenance, BUTTON, Reason.CAMERA_FAULT, POWER, UNASSIGNED),
        record_json.void_record(provenance, BUTTON, POWER),
        record_json.time_record(provenance, moment),
        record_json.chain_start_record(provenance, "the first start"),
    ]

    for one in made:
        assert one["simulated"] is simulated
        assert one["manifest"] == "off"
        assert one["agent"] == __version__
