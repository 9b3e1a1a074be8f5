"""A driver's round on the virtual device: what is pressed, seen, heard, and at the backend."""

import json
import statistics
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import cv2  # noqa: TID251 - to compare what was photographed with what was shown
import numpy as np

from agent.models import RecordKind, RecordLabel, from_rfc3339
from tests.system.qemu import memory, office, scene
from tests.system.qemu.image import BUILD
from tests.system.qemu.machine import Image, Machine
from tests.system.qemu.report import Report
from tests.system.qemu.rig import Device, Kept, device

PRESSES: Final = 20

EVERY_S: Final = 3.0
"""From press to press: a driver's fastest, and time for the light to end."""

SCAN_PIN: Final = 27

HELD_S: Final = 2.3
"""The scan button takes a photo back after 2 s; see README."""

UNITS: Final = ("doorstep-capture", "doorstep-sync")

CLOCK_OFF_S: Final = 1.0
"""Most that a record's time may differ from this machine's. Source: chrony's first minutes."""

PLACE_OFF_M: Final = 5.0
"""Most that a photo's place may differ from where the receiver stands: NMEA has 2 cm."""

EXIF_OFF_MS: Final = 5.0
"""Most that the times of EXIF and record may differ. Source: agent/docs/verify.md."""

M_PER_DEG: Final = 111_195.0


def run(image: Image, kept: Kept, report: Report) -> None:
    """Boot it and go round; every check says what was seen."""
    with device(image, kept, BUILD / "round") as found:
        _boot(found, report)
        _doctor(found, report, "before")
        pressed = _first_press(found, report)
        _many(found, report)
        _bounce(found, report)
        _photo(found, report, pressed)
        _taken_back(found, report)
        _confidential(found, report)
        _label(found, report)
        memory.check(found.machine, report)
        _doctor(found, report, "after")


def _boot(found: Device, report: Report) -> None:
    lights = found.lights()
    first_s, first = next((one for one in lights if one[1] != "dark"), (0.0, "none"))
    report.check("the first light says not ready", first == "amber", f"{first} at {first_s:.1f} s")
    ready_s = next((at_s for at_s, light in lights if light == "green"), 0.0)
    report.figure("kernel's start to the ready light", f"{ready_s:.1f} s")
    report.figure("systemd", found.boot_times())
    active = found.machine.ask(f"systemctl is-active {' '.join(UNITS)}").out
    report.check("its units run", active.split() == ["active"] * 2, " ".join(active.split()))
    failed = found.machine.run("systemctl --failed --no-legend --plain").strip()
    report.check("no unit failed", failed == "", failed)
    off_s = abs(_now(found.machine) - datetime.now().astimezone().timestamp())
    report.check("its clock is right", off_s < CLOCK_OFF_S, f"{off_s * 1e3:.0f} ms off")


def _doctor(found: Device, report: Report, when: str) -> None:
    said = found.doctor()
    wrong = [f"{one['check']}: {one['words']}" for one in said if one["level"] == "FAILED"]
    report.check(f"doctor finds nothing wrong {when}", not wrong, "\n".join(wrong))
    report.text("\n".join(f"{one['level']:<6}  {one['check']:<13}  {one['words']}" for one in said))


def _first_press(found: Device, report: Report) -> dict[str, Any]:
    """A press as a driver sees and hears it; what `finger` told."""
    told = found.shot()
    names = [seen for _, seen in told["changes"]]
    lights = [name.partition("+")[0] for name in names]
    seen = " ".join(f"{at_ms:.0f}:{what}" for at_ms, what in told["changes"])
    report.check("white, then dark, then green", _in_order(lights, "white", "dark", "green"), seen)
    report.check("green sounds once", "green+tone" in names, "")
    white_ms = next((at for at, what in told["changes"] if what == "white"), -1.0)
    report.figure("edge to white", f"{white_ms:.0f} ms")
    return told


def _many(found: Device, report: Report) -> None:
    rounds = found.rounds(PRESSES, EVERY_S)
    answers = [one["answer"] for one in rounds]
    times = [one["after_ms"] for one in rounds if one["answer"] == "green"]
    report.check(f"{PRESSES} presses, {PRESSES} green lights", answers == ["green"] * PRESSES, "")
    if times:
        report.figure(
            "edge to green", f"median {statistics.median(times):.0f} ms, most {max(times):.0f} ms"
        )
    records = [found.await_record(one["edge_ns"]) for one in rounds]
    kinds = {record.kind for record in records}
    one_each = len({record.capture_id for record in records}) == PRESSES
    report.check("each is one record with a receipt", one_each, f"{len(records)} records, {kinds}")


def _bounce(found: Device, report: Report) -> None:
    before = len(_photos(found))
    found.finger("bounce", 17, 0.15)
    found.await_light("green")
    more = len(_photos(found)) - before
    report.check("a press that bounces is one record", more == 1, f"{more} more")


def _photo(found: Device, report: Report, pressed: dict[str, Any]) -> None:
    label = found.await_record(pressed["edge_ns"])
    data = found.backend.data
    utc_s = from_rfc3339(label.utc).timestamp()
    off_s = abs(utc_s - _utc_of(found.machine, label.monotonic_ns))
    report.check("its time is the press's", off_s < CLOCK_OFF_S, f"{label.utc} by {label.clock}")
    photo = data / "photos" / f"{label.capture_id}.jpg"
    report.need("the photo is at the backend", photo.exists(), photo.name)
    tags = _exif(photo)
    lat, lon = float(tags.get("GPSLatitude", 0)), float(tags.get("GPSLongitude", 0))
    off_m = _apart_m((lat, lon), office.HERE)
    report.check("its EXIF has the place", off_m < PLACE_OFF_M, f"{off_m:.1f} m from the door")
    record = _record(found, label)
    told = str(tags.get("SubSecDateTimeOriginal"))
    report.need("its EXIF has a time", told[:2] == "20", told)
    off_ms = abs(_exposed_s(label, record["photo"]) - _utc_s(told)) * 1e3
    seen = f"{told}, {off_ms:.1f} ms off"
    report.check("its EXIF has the end of the exposure", off_ms <= EXIF_OFF_MS, seen)
    alike = _alike(photo, scene.door(BUILD))
    report.check("it shows what the camera saw", alike > 0.9, f"correlation {alike:.2f}")
    stop, quality = record["stop"], record["quality"]["verdict"]
    report.check("it is of the stop", stop["id"] == "stop-1001", f"{stop['bound_by']}, {quality}")
    report.check("it is no simulation", record["simulated"] is False, "")


def _taken_back(found: Device, report: Report) -> None:
    # In one go: 30 s after the press it is too late for it
    told = found.machine.run(f"finger rounds 17 1 0; finger press {SCAN_PIN} {HELD_S}", 120.0)
    photo = found.await_record(json.loads(told)["edge_ns"])
    void = next((one for one in _settled(found) if one.about == photo.capture_id), None)
    is_void = void is not None and void.kind == RecordKind.VOID
    report.check("a hold of the scan button takes it back", is_void, "")


def _confidential(found: Device, report: Report) -> None:
    found.stand(office.CONFIDENTIAL)
    found.machine.run("sleep 8")  # until the fix of the door before is stale
    told = found.shot()
    report.check("blue at the confidential door", told["answer"] == "blue", str(told["answer"]))
    label = found.await_record(told["edge_ns"])
    reason = _record(found, label).get("reason")
    report.check("its record says why", reason == "no_photo_stop", f"{label.kind}, {reason}")
    photo = found.backend.data / "photos" / f"{label.capture_id}.jpg"
    report.check("there is no photo of it", not photo.exists(), "")
    found.stand(office.HERE)


def _label(found: Device, report: Report) -> None:
    found.see(scene.label(BUILD, office.LABEL))
    found.await_ready()
    found.machine.run("sleep 8")
    with found.machine.spawn("finger watch 14") as watching:
        found.finger("press", SCAN_PIN)
        seen = watching.stdout.read() if watching.stdout else ""
    lights = [line.split()[1].partition("+")[0] for line in seen.splitlines()]
    report.check("the label is read: cyan", "cyan" in lights, " ".join(dict.fromkeys(lights)))
    told = found.shot()
    stop = _record(found, found.await_record(told["edge_ns"])).get("stop", {})
    is_named = stop.get("bound_by") == "code" and stop.get("id") == "stop-1001"
    report.check("the photo is bound by its label", is_named, str(stop))
    found.see(scene.door(BUILD))
    found.await_ready()


def _settled(found: Device) -> list[RecordLabel]:
    """All labels, once the device has nothing left to send."""
    found.await_delivered()
    return found.labels()


def _photos(found: Device) -> list[RecordLabel]:
    return [label for label in _settled(found) if label.kind == RecordKind.PHOTO]


def _record(found: Device, label: RecordLabel) -> dict[str, Any]:
    path = found.backend.data / "records" / f"{label.capture_id}.json"
    record: dict[str, Any] = json.loads(path.read_text())["record"]
    return record


def _exif(photo: Path) -> dict[str, Any]:
    words = ["exiftool", "-j", "-n", str(photo)]
    ran = subprocess.run(words, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(ran.stdout)[0]
    return found


def _utc_s(told: str) -> float:
    """Return the Unix time of an EXIF time, as exiftool prints it."""
    return datetime.strptime(told, "%Y:%m:%d %H:%M:%S.%f%z").timestamp()


def _exposed_s(label: RecordLabel, photo: dict[str, Any]) -> float:
    """Return the Unix time at which the exposure ended, as the record says."""
    after_s: float = photo["exposed_after_press_ms"] / 1e3 + photo["exposure_us"] / 1e6
    return from_rfc3339(label.utc).timestamp() + after_s


def _alike(one: Path, other: Path) -> float:
    """Correlation of two pictures' brightness, made small."""
    small = []
    for path in (one, other):
        pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert pixels is not None, path
        small.append(cv2.resize(pixels, (144, 81)).astype(float).ravel())
    return float(np.corrcoef(small)[0, 1])


def _now(machine: Machine) -> float:
    return float(machine.run("date +%s.%N"))


def _utc_of(machine: Machine, monotonic_ns: int) -> float:
    """Unix time of a moment of the machine's CLOCK_MONOTONIC, by its clock now."""
    told = machine.run("python3 -ISc 'import time; print(time.time_ns(), time.monotonic_ns())'")
    now_ns, then_ns = map(int, told.split())
    return (now_ns - then_ns + monotonic_ns) / 1e9


def _apart_m(one: tuple[float, float], other: tuple[float, float]) -> float:
    shrink = float(np.cos(np.radians(one[0])))
    north, east = one[0] - other[0], (one[1] - other[1]) * shrink
    return float(np.hypot(north, east)) * M_PER_DEG


def _in_order(seen: list[str], *wanted: str) -> bool:
    rest: Iterator[str] = iter(seen)
    return all(any(one == want for one in rest) for want in wanted)
