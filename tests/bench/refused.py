"""Press to blue: what a refusal by rule costs the driver, in the real capture process."""

import time
from datetime import UTC, datetime, timedelta
from typing import Final

from agent.models import Reason, rfc3339
from agent.record import signing
from agent.rule.manifest import TYPE
from hardware.clock import BUILT
from hardware.simulated.script import State
from tests.bench.device import Running, running
from tests.bench.frame import Figure, Rig
from tests.support.device import Device, towards

PACE_S: Final = 0.8
"""From press to press. Source: presses within 0.6 s count once."""

REFUSED_MS: Final = 300.0
"""Longest that a refusal may cost the driver, who has to go on without a photo."""

STOPS: Final = 150
"""On the route: a day's."""


def measure(rig: Rig) -> Figure:
    """Press at a forbidden door, with the camera stopped."""
    folder, key = rig.folder / "refused", signing.new_key()
    folder.mkdir()
    key_file = folder / "manifest-key.pem"
    key_file.write_bytes(signing.public_pem(key.public_key()))
    device = Device(
        folder,
        device={"id": "bench-refused"},
        policy={"manifest": "required", "scanning": False},
        backend={**towards(rig.backend), "receipt_keys": [str(key_file)]},
        camera={"width_px": 2304, "height_px": 1296},
    )
    with running(device, "capture") as capture:
        told = capture.ask({"offer": "manifest", "text": _manifest("bench-refused", key)}, 30.0)
        if told != {"taken": True}:
            raise RuntimeError(f"the manifest was not taken in: {told}")
        taken = [_press_ms(capture) for _ in range(rig.times(20, 5))]
    note = (
        "from the edge to the answer through the socket, which follows the light: the button's "
        f"14 ms, the rule over {STOPS} stops, a record signed and on disk"
    )
    return Figure("press to blue, refused by rule", "ms", taken, REFUSED_MS, note=note)


def _press_ms(capture: Running) -> float:
    time.sleep(PACE_S)
    reply = capture.ask({"press": "photo"}, 30.0)
    answered_ns = time.monotonic_ns()
    if reply is None or reply.get("record", {}).get("reason") != Reason.NO_PHOTO_STOP:
        raise RuntimeError(f"the press was not refused by rule: {reply}")
    return float(answered_ns - reply["label"]["monotonic_ns"]) / 1e6


def _manifest(device_id: str, key: signing.PrivateKey) -> str:
    """Sign a route of which every tenth stop takes no photo, the one at the board's place too."""
    here, begins = State(), max(datetime.now(UTC), BUILT) - timedelta(hours=1)
    stops = [
        {
            "id": f"s-{number:04}",
            "codes": [f"CODE-{number:04}"],
            "lat_deg": here.lat_deg + number / 1000,
            "lon_deg": here.lon_deg,
            "radius_m": 20,
            "done": False,
            "photo": "allowed" if number % 10 else "no_photo",
        }
        for number in range(STOPS)
    ]
    payload = {
        "v": 1,
        "version": 1,
        "device_id": device_id,
        "begins": rfc3339(begins),
        "ends": rfc3339(begins + timedelta(hours=10)),
        "stops": stops,
        "practice_codes": [],
    }
    return signing.sign(payload, key, typ=TYPE)
