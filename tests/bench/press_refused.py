"""Press to blue: what a refusal by rule costs the driver, in the real capture process."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from agent.models import Reason, rfc3339
from agent.record import signing
from agent.rule.manifest import TYPE
from hardware.clock import BUILT
from hardware.simulated.script import State
from tests.bench.device import Running, running
from tests.bench.figures import Figure
from tests.bench.rig import Rig
from tests.support.device import Device, towards

AT_MOST_MS: Final = 300.0
"""Longest that a refusal may cost the driver, who has to go on without a photo."""

STOPS: Final = 150
"""On the route: a day's."""

PACE_S: Final = 0.8
"""From press to press. Source: presses within 0.6 s count once."""


def measure(rig: Rig) -> list[Figure]:
    """Presses at a forbidden door: with the camera stopped, and while labels are read."""
    closed, looking = (_presses(rig, scanning=scanning) for scanning in (False, True))
    return [
        Figure(
            "press to blue, refused by rule",
            "ms",
            closed,
            at_most=AT_MOST_MS,
            note="from the edge to the answer through the socket, which follows the light: the "
            f"button's 14 ms, the rule over {STOPS} stops, a record signed and on disk.",
            pi="some 10 ms more for signing and packing; a worn card adds its flushes.",
        ),
        Figure(
            "  the same while labels are read",
            "ms",
            looking,
            at_most=AT_MOST_MS,
            note="a refusal has opened the scan window, and the next press comes within it: it "
            "waits for the picture in hand, at worst for the camera's first one.",
        ),
    ]


def _presses(rig: Rig, *, scanning: bool) -> list[float]:
    device, key = _device(rig, scanning=scanning)
    with running(device, "capture") as capture:
        token = _manifest(f"bench-{device.folder.name}", key)
        told = capture.ask({"offer": "manifest", "text": token}, 30.0)
        if told != {"taken": True}:
            raise RuntimeError(f"the manifest was not taken in: {told}")
        return [_press_ms(capture) for _ in range(5 if rig.is_quick else 20)]


def _press_ms(capture: Running) -> float:
    time.sleep(PACE_S)
    reply = capture.ask({"press": "photo"}, 30.0)
    answered_ns = time.monotonic_ns()
    if reply is None or reply.get("record", {}).get("reason") != Reason.NO_PHOTO_STOP:
        raise RuntimeError(f"the press was not refused by rule: {reply}")
    return float(answered_ns - reply["label"]["monotonic_ns"]) / 1e6


def _device(rig: Rig, *, scanning: bool) -> tuple[Device, signing.PrivateKey]:
    folder, key = rig.folder / f"refused-{'scanning' if scanning else 'closed'}", signing.new_key()
    folder.mkdir()
    key_file = folder / "manifest-key.pem"
    key_file.write_bytes(signing.public_pem(key.public_key()))
    device = Device(
        folder,
        device={"id": f"bench-{folder.name}"},
        policy={"manifest": "required", "scanning": scanning},
        backend={**towards(rig.backend), "receipt_keys": [str(key_file)]},
        camera={"width_px": 2304, "height_px": 1296},
    )
    return device, key


def _manifest(device_id: str, key: signing.PrivateKey) -> str:
    """A route of which every tenth stop takes no photo, the one at the board's place included."""
    here, begins = State(), max(datetime.now(UTC), BUILT) - timedelta(hours=1)
    payload = {
        "v": 1,
        "version": 1,
        "device_id": device_id,
        "begins": rfc3339(begins),
        "ends": rfc3339(begins + timedelta(hours=10)),
        "stops": [_stop(number, here.lat_deg, here.lon_deg) for number in range(STOPS)],
        "practice_codes": [],
    }
    return signing.sign(payload, key, typ=TYPE)


def _stop(number: int, lat_deg: float, lon_deg: float) -> dict[str, Any]:
    return {
        "id": f"s-{number:04}",
        "codes": [f"CODE-{number:04}"],
        "lat_deg": lat_deg + number / 1000,
        "lon_deg": lon_deg,
        "radius_m": 20,
        "done": False,
        "photo": "allowed" if number % 10 else "no_photo",
    }
