"""A driver's round: real processes, real HTTPS, a simulated board; then a table of what came of it.

Simulated is only what is hardware: camera, buttons, light, GPS, battery.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from agent.errors import DoorstepError
from tests.backend.process import Backend, running_backend
from tests.device import Device, device, towards
from tests.network import FaultProxy

LIGHTS: Final = {
    "photo": "green",
    "retake": "amber",
    "void": "blue",
    "fault": "red",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One press of the round: what the story is, and what the world is like from then on."""

    story: str
    world: str
    then: str = ""


ROUND: Final = (
    Step("a door in daylight", "door = 1\nlat_deg = 52.5163\nlon_deg = 13.3777"),
    Step("another door", "door = 2\nlat_deg = 52.5177\nlon_deg = 13.3812\naccuracy_m = 6.0"),
    Step(
        "network lost; the hand shakes",
        "door = 3\nlat_deg = 52.5201\nlon_deg = 13.3869\nmotion_px = 22.0\naccuracy_m = 9.0",
        then="lose",
    ),
    Step("the retake that amber asked for", "motion_px = 0.0"),
    Step(
        "taken back: scan held for 2 s",
        "door = 4\nlat_deg = 52.5219\nlon_deg = 13.3914\naccuracy_m = 5.0",
        then="void",
    ),
    Step(
        "a dark yard",
        "door = 5\nlight = 0.02\nlat_deg = 52.5226\nlon_deg = 13.4024\naccuracy_m = 12.0",
    ),
    Step("no GPS in the stairwell", 'door = 6\nlight = 0.3\nfix = "none"'),
    Step("still no GPS", "door = 7", then="kill"),
    Step(
        "after the process was killed",
        'door = 8\nlight = 1.0\nfix = "3d"\nlat_deg = 52.5208\nlon_deg = 13.4094\naccuracy_m = 4.5',
    ),
    Step("last door", "door = 9\nlat_deg = 52.5194\nlon_deg = 13.4131", then="return"),
)


@dataclass(frozen=True, slots=True)
class Pressed:
    """A press and the record it left."""

    number: int
    story: str
    label: dict[str, Any]
    record: dict[str, Any]
    light: str

    @property
    def capture_id(self) -> str:
        """The record's id."""
        return str(self.label["capture_id"])


def main() -> int:
    """Play the round; 0 only when every press has its record and every record its receipt."""
    arguments = _arguments()
    began_s = time.monotonic()
    with _folder(arguments.keep) as folder, running_backend(folder, switches=False) as backend:
        with (
            FaultProxy(("127.0.0.1", backend.port)) as network,
            device(folder, _world(), **_settings(backend, network)) as van,
        ):
            pressed = _play(van, network)
            code = van.run("sync", "--once", capture_output=False).returncode
            rows = van.queue()
        _print_table(pressed, rows)
        complete = code == 0 and _is_complete(pressed, rows, backend)
        verified = _verify(van, folder)
    if arguments.keep:
        print(f"\nEverything is in {folder}; look at {folder / 'photos'}")
    print(f"{'Complete' if complete and verified else 'INCOMPLETE'} ", end="")
    print(f"in {time.monotonic() - began_s:.0f} s.")
    return 0 if complete and verified else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("scripts/demo", description=__doc__)
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="leave everything in DIR: received/, photos/, records/ of the backend, "
        "state/ of the device, and the logs",
    )
    return parser.parse_args()


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="doorstep-") as folder:
            yield Path(folder)
        return
    keep.mkdir(parents=True, exist_ok=True)
    if any(keep.iterdir()):
        sys.exit(f"{keep} is not empty; give an empty or a new folder")
    yield keep.resolve()


def _settings(backend: Backend, network: FaultProxy) -> dict[str, dict[str, Any]]:
    return {
        "device": {"id": "demo-01"},
        "backend": dict(towards(backend, f"https://127.0.0.1:{network.port}")),
        "camera": {"width_px": 2304, "height_px": 1296},
    }


def _world() -> str:
    entries = (f"[[at]]\npress = {n}\n{step.world}\n" for n, step in enumerate(ROUND, start=1))
    return "\n".join(entries)


def _play(van: Device, network: FaultProxy) -> list[Pressed]:
    van.start("capture")
    van.start("sync")
    pressed = []
    for number, step in enumerate(ROUND, start=1):
        if step.then == "lose":
            _say("   network lost")
            network.reachable = False
            network.cut()
        pressed.append(_press(van, number, step.story, {"press": "photo"}))
        match step.then:
            case "void":
                story = f"takes back press {number}"
                hold = {"hold": "scan", "seconds": 2.1}
                pressed.append(_press(van, number, story, hold))
            case "kill":
                _say("   kill -9 of the capture process, and a new start")
                van.stop("capture", signal.SIGKILL)
                van.start("capture")
            case "return":
                _say("   network back")
                network.reachable = True
        time.sleep(0.7)  # presses within 0.6 s count once
    return pressed


def _press(van: Device, number: int, story: str, request: dict[str, Any]) -> Pressed:
    try:
        reply = van.ask("capture", request)
    except DoorstepError as error:
        sys.exit(f"press {number}: {error}")
    if reply is None:
        sys.exit(f"press {number}: capture does not run:\n{van.log('capture')[-2000:]}")
    label, record = reply["label"], reply["record"]
    light = LIGHTS[
        "retake" if reply["retake"] else label["kind"] if label["kind"] in LIGHTS else "fault"
    ]
    done = Pressed(number, story, label, record, light)
    lamp = ", lamp" if (record.get("photo") or {}).get("lamp") else ""
    _say(f"{number:>2} {light:<6} {label['kind']:<9} {story}{lamp}")
    return done


def _print_table(pressed: list[Pressed], rows: list[dict[str, Any]]) -> None:
    by_id = {row["capture_id"]: row for row in rows}
    columns = "{:<5} {:<6} {:<29} {:<27} {:<15} {:<22} {}"
    print()
    print(columns.format("press", "light", "outcome", "position", "quality", "sent", "receipt"))
    for press in pressed:
        row = by_id.get(press.capture_id, {})
        print(
            columns.format(
                press.number,
                press.light,
                _outcome(press, pressed),
                _position(press.record),
                _quality(press.record),
                _sent(press, row),
                "yes" if row.get("state") == "DELIVERED" else row.get("state", "NO RECORD"),
            )
        )
    others = [
        row for row in rows if row["capture_id"] not in {press.capture_id for press in pressed}
    ]
    for row in others:
        print(f"      and a {row['kind']} record: {row['state']}")


def _outcome(press: Pressed, pressed: list[Pressed]) -> str:
    numbers = {other.capture_id: other.number for other in pressed}
    if press.label["kind"] == "void":
        return f"void of press {numbers[press.label['about']]}"
    again = press.record.get("retake_of")
    outcome = f"photo, retake of press {numbers[again]}" if again else press.label["kind"]
    return outcome + (" with lamp" if press.record["photo"]["lamp"] else "")


def _position(record: dict[str, Any]) -> str:
    if "position" not in record:
        return "-"
    place = record["position"]
    if place is None:
        return "none: no fresh fix"
    return f"{place['lat_deg']:.5f} {place['lon_deg']:.5f} ±{place['accuracy_m']:.1f} m"


def _quality(record: dict[str, Any]) -> str:
    quality = record.get("quality")
    return f"{quality['verdict']} ({quality['scores']['sharpness']:.0f})" if quality else "-"


def _sent(press: Pressed, row: dict[str, Any]) -> str:
    if not row.get("decided_utc"):
        return "not sent"
    received = datetime.fromisoformat(row["decided_utc"])
    after_s = (received - datetime.fromisoformat(press.label["utc"])).total_seconds()
    return f"{received:%H:%M:%S}, after {after_s:.1f} s"


def _is_complete(pressed: list[Pressed], rows: list[dict[str, Any]], backend: Backend) -> bool:
    ids = {row["capture_id"] for row in rows if row["state"] == "DELIVERED"}
    return (
        len(pressed) == len(ROUND) + 1
        and {press.capture_id for press in pressed} <= ids
        and len(ids) == len(rows)
        and all(backend.received_file(capture_id).exists() for capture_id in ids)
    )


def _verify(van: Device, folder: Path) -> bool:
    """Check what the backend received, as anybody can."""
    result = van.run("verify", str(folder / "received"))
    print("\nWhat the backend received, by `doorstep verify`:")
    print(result.stdout.rstrip())
    return result.returncode == 0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    os.environ.pop("DOORSTEP_CONFIG", None)
    sys.exit(main())
