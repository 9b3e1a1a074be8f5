"""The loads beside board and camera, and the savings of the system's settings."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from hardware.patterns import HIGH_HZ
from tests.bench.energy.boards import CORE_W
from tests.bench.energy.span import NOTHING, Span, total
from tests.unit.documents import build
from tests.unit.documents.build import LIGHTS, PARTS

SLOWER: Final = 10.0
"""Seconds that a Zero 2 W takes for a second of a server's processor. Assumed."""

HDMI_W: Final = Span(0.05, 0.21)
"""HDMI without a monitor.

Source: blog.gc2.at, "Raspberry Pi Zero W Stromaufnahme", 10 mA; high: OTCamera issue #70, 0.13 A
with HDMI and its driver, 0.09 A without, at 5.3 V.
"""

AWAKE_W: Final = Span(0.11, 0.21)
"""Wi-Fi that is always awake, more than with power save.

Source: OTCamera issue #70, 0.03 A at 5.3 V; its meter shows 0.01 A.
"""

AGENT_MS: Final = Span(2.5, 4.1)
"""A server's processor, each second that capture and sync wait; high: with a motion sensor.

Source: measured in November 2026, on two busy cores.
"""

AGENT_W: Final = AGENT_MS.times(SLOWER / 1000 * CORE_W)

EDGE_POLLS_PER_S: Final = 2_000
"""Most polls of the buttons' lines by lgpio, the GPIO library, each second.

Source: lg 0.2.2, lgPthAlerts.c: a timeout of 0.5 ms.
"""

WAKE_US: Final = Span(10, 20)
"""Time of a Zero 2 W's processor for a thread that wakes and sleeps again. Assumed."""

EDGES_W: Final = WAKE_US.times(EDGE_POLLS_PER_S / 1e6 * CORE_W)

PWM_W: Final = WAKE_US.times(HIGH_HZ / 1e6 * CORE_W)
"""PWM of a silent sounder that goes on at its tone's frequency; our driver lowers it.

Source: lg 0.2.2, lgPthTx.c: its thread wakes in each period.
"""

RADIO_W: Final = Span(0.0, 0.05)
"""Wi-Fi with power save, more than a radio that is off.

Source: OTCamera issue #70, the same 0.09 A at 5.3 V; its meter shows 0.01 A.
"""

BATCHES_WH: Final = Span(0.01, 0.06)
"""Wh that fewer contacts save in a shift, if sync connects every 15 minutes; the radio stays on.

Source: `python -m tests.bench.contacts`, 701 contacts in place of 56 in the suburb.
"""

FRAME_MS: Final = Span(0.11, 0.15)
"""A server's processor, no longer needed by the camera's driver for a frame that no caller wants.

Source: measured in November 2026, picamera2 0.3.38 on libcamera's virtual camera.
"""

FRAMES_PER_S: Final = 30

FRAMES_W: Final = FRAME_MS.times(FRAMES_PER_S * SLOWER / 1000 * CORE_W)
"""Power of the frames on a Zero 2 W, while the camera streams."""

LOGIC: Final = Span(1 / 0.9, 1 / 0.8)
"""Watts that the board takes for 1 W that it gives at 3.3 V. Assumed, as is usual."""


@dataclass(frozen=True, slots=True)
class Load:
    """A part or a work that takes power beside board and camera.

    Attributes:
        always_w: all the shift.
        press_j: for each press.
    """

    name: str
    always_w: Span
    press_j: Span
    source: str


RECEIVER: Final = "GNSS receiver"

PRESS_S: Final = Span(1.5, 2.0)
"""Light of a press; the motor and the buzzer run for a quarter of it."""

LAMP_S: Final = Span(0.0, 1.0)
"""Lamp at a press: never, or for 3 s at every third press."""

IDLE_LIGHT_W: Final = Span(0.001, 0.01)
"""A colour, for a hundredth to a tenth of the time: the idle lights of agent/docs/lights.md."""


def _road_w(names: Iterable[str]) -> Span:
    """Return what parts take all the shift, at the board."""
    parts = (PARTS[name] for name in names)
    return total(LOGIC.by(Span(*one.road_ma).times(one.volt / 1000)) for one in parts)


def _lit_w(name: str) -> float:
    return LIGHTS[name].count * LIGHTS[name].most_ma / 1000 * build.RAIL_V


def _press_j() -> Span:
    """Return what light, motor, buzzer and lamp of a press take."""
    colours_w = sum(_lit_w(name) for name in LIGHTS if name != "Lamp, white")
    moved_ma = PARTS["Vibration motor"].most_ma + PARTS["Buzzer, passive"].most_ma / 2
    moved_w = moved_ma / 1000 * build.RAIL_V
    lit = Span(colours_w / 3, colours_w).by(PRESS_S) + LAMP_S.times(_lit_w("Lamp, white"))
    return lit + PRESS_S.times(moved_w / 4)


LOADS: Final = (
    Load(
        RECEIVER,
        _road_w([RECEIVER]),
        NOTHING,
        "[the build](README.md#wiring): from tracking to acquiring",
    ),
    Load(
        "sensors, gauge, clock and idle light",
        _road_w(name for name in PARTS if name != RECEIVER) + IDLE_LIGHT_W,
        NOTHING,
        "the build; a light that is on for a hundredth to a tenth of the time",
    ),
    Load(
        "the agent while it waits",
        Span(AGENT_W.low, AGENT_W.high + 0.03),
        NOTHING,
        f"{AGENT_MS.text(1)} ms of a server's processor each second, without and with a motion "
        f"sensor, measured; {SLOWER:.0f} times as much on a Zero 2 W, at {CORE_W} W for a busy "
        "core; high: also 30 mW for gpsd and the system",
    ),
    Load(
        "lgpio, the GPIO library, which polls the buttons",
        EDGES_W,
        NOTHING,
        f"lg 0.2.2: at most {EDGE_POLLS_PER_S:,} polls a second; assumed: {WAKE_US.text(0)} µs of "
        f"a core for each, at {CORE_W} W for a busy core",
    ),
    Load(
        "light, tone, vibration and lamp of the presses",
        NOTHING,
        _press_j(),
        "the build; one colour for 1.5 s, or all three for 2 s and the lamp at every third press",
    ),
    Load(
        "check, encode, sign and store the photos",
        NOTHING,
        Span(CORE_W, 4 * CORE_W * 5),
        "one core for a second, or four cores for five; limits, not measured",
    ),
    Load(
        "send the photos",
        NOTHING,
        Span(AWAKE_W.low * 2, AWAKE_W.high * 3 + 0.08 * build.RAIL_V * 2),
        "Wi-Fi awake for 2 to 3 s, and in the high estimate 80 mA more for 2 s "
        '(quietsche-entchen, "Power Consumption", a Zero W that sends)',
    ),
)
