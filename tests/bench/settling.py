"""The wait for a settled exposure: presses of the real capture process, timed by their records.

A second process, which never waits, gets the same presses at the same doors. Frames are small,
because no pixel matters.
"""

import math
import random
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from hardware.simulated.scenes import DAY_LUX
from tests.bench.device import running
from tests.bench.frame import Figure, Rig
from tests.support.device import Device

PACE_S: Final = 1.5
"""Time from press to press, in which the exposure follows the light, also after the lamp."""

LUX: Final = (0.1, DAY_LUX)
"""Range of the light at cold presses, night to day; its logarithm is drawn evenly."""

NIGHT: Final = 0.02
"""Key `light` of the world script at the lit presses."""

SEED: Final = 29

COLD_MS: Final = 400.0
LAMP_MS: Final = 700.0
"""Targets for the medians. Source: chosen, as what a driver hardly notices."""

NOTE: Final = "to the end of the exposure; {:.0f} % had settled; the longest wait was {:.0f} ms"

HASTY: Final = """
from agent.__main__ import main
from agent.capture import burst
from hardware.settling import Settling

burst.LAMP_SETTLE_MS = 0
Settling.settled = lambda *_: True
raise SystemExit(main())
"""
"""Program of the product, changed so that every exposure counts as settled."""


class HastyDevice(Device):
    """A device whose presses do not wait for the exposure."""

    def words(self, *words: str) -> list[str]:
        return [sys.executable, "-c", HASTY, *words, "--config", str(self.config)]


class Pair:
    """The product and a hasty device, which get the same presses.

    Attributes:
        photos: member `photo` of the product's records.
        waits_ms: how much later its exposures ended than those of the hasty device.
    """

    def __init__(self, folder: Path, world: str, lamp: str) -> None:
        self.devices: Final = (
            Device(folder / "waits", world, lamp={"kind": lamp}),
            HastyDevice(folder / "hasty", world, lamp={"kind": lamp}),
        )
        self.photos: Final[list[dict[str, Any]]] = []
        self.waits_ms: Final[list[float]] = []

    def press(self) -> None:
        time.sleep(PACE_S)
        ours, hasty = (device.press()["record"]["photo"] for device in self.devices)
        self.photos.append(ours)
        self.waits_ms.append(_exposed_ms(ours) - _exposed_ms(hasty))

    def hand_over(self) -> None:
        """Have a parcel handed over, which stops the camera: the next press is a cold one."""
        time.sleep(PACE_S)
        for device in self.devices:
            device.ask("capture", {"hand_over": True})


def measure(rig: Rig) -> Iterator[Figure]:
    """Press cold in changing light, and warm at night, when each press lights the lamp."""
    count = rig.times(30, 6)
    cold = Pair(rig.folder / "cold", _changing_light(count), lamp="none")
    lit = Pair(rig.folder / "lit", f"[[at]]\nsecond = 0\nlight = {NIGHT}\n", lamp="simulated")
    with ExitStack() as stack:
        for device in (*cold.devices, *lit.devices):
            stack.enter_context(running(device, "capture"))
        for _ in range(count):
            cold.press()
            cold.hand_over()
        for _ in range(count):
            lit.press()
    yield _figure("wait for the exposure, cold", cold, COLD_MS)
    yield _figure("wait for the exposure, with the lamp", lit, LAMP_MS)


def _changing_light(count: int) -> str:
    """Return a world script with another light at every other press; between are hand-overs."""
    chance, script = random.Random(SEED), ""
    for number in range(count):
        lux = math.exp(chance.uniform(*map(math.log, LUX)))
        light = (lux / DAY_LUX) ** 0.4
        script += f"[[at]]\npress = {2 * number + 1}\nlight = {light:.4f}\n"
    return script


def _exposed_ms(photo: dict[str, Any]) -> float:
    """Return the time from the press to the end of the exposure."""
    return float(photo["exposed_after_press_ms"]) + float(photo["exposure_us"]) / 1000


def _figure(name: str, pressed: Pair, at_most_ms: float) -> Figure:
    settled_pct = 100 * statistics.mean(photo["converged"] is True for photo in pressed.photos)
    note = NOTE.format(settled_pct, max(pressed.waits_ms))
    return Figure(name, "ms", pressed.waits_ms, at_most_ms, digits=0, note=note)
