"""Boards: what they take while they wait, and what streaming adds, each with its source.

All watts are in the 5 V lead of the board, where the current sensor is. Nothing was measured on a
device of ours.
"""

from dataclasses import dataclass
from typing import Final

from tests.bench.energy.span import Span

CORE_W: Final = 0.45
"""Power of one busy core of a Zero 2 W: four take 350 mA more than an idle board.

Source: andrejacobs.org, "Raspberry Pi Zero 2 W temperature and power consumption", under full load
270 mA more than a Zero W; blog.gc2.at, "Raspberry Pi Zero W Stromaufnahme", 80 mA for a full load.
"""


@dataclass(frozen=True, slots=True)
class Streaming:
    """The power that streaming adds.

    Attributes:
        adds_w: how much more a board takes while the camera streams, the camera included.
    """

    boards: str
    adds_w: Span
    source: str


@dataclass(frozen=True, slots=True)
class Board:
    """A board.

    Attributes:
        waits_w: Linux without a monitor, connected to Wi-Fi, the camera stopped, no other part.
        source: of `waits_w`.
    """

    name: str
    waits_w: Span
    streaming: Streaming
    source: str


STREAMING_ZERO: Final = Streaming(
    "Zero 2 W",
    Span(0.5, 1.2),
    "low: 0.5 W when a Zero 1.3 shoots 1080p, on the older camera stack (RasPi.TV); high: 0.75 W, "
    f"the most of the same series, and a core that is always busy with frames, {CORE_W} W",
)
STREAMING_4: Final = Streaming(
    "Pi 4, CM4",
    Span(0.5, 1.5),
    "low: 0.5 W when a Pi 4 shoots 1080p, on the older camera stack (RasPi.TV); high: 1 W more, as "
    "a user of picamera2 found (raspberrypi/picamera2 issue #489: the whole system takes 3 W, and "
    "2 W on the older stack)",
)
STREAMINGS: Final = (STREAMING_ZERO, STREAMING_4)

TUNED: Final = Board(
    "Zero 2 W, tuned",
    Span(0.45, 0.65),
    STREAMING_ZERO,
    "OpenTrafficCam/OTCamera issue #70, HDMI off: 0.09 A at 5.3 V with Wi-Fi's power save, 0.12 A "
    "without; the meter shows 0.01 A",
)
STOCK: Final = Board(
    "Zero 2 W, as installed",
    Span(0.60, 0.85),
    STREAMING_ZERO,
    'CNX Software, "Raspberry Pi Zero 2 W power consumption": 120 mA at 5 V; high: OTCamera issue '
    "#70, 0.13 A at 5.3 V, and 0.03 A without Wi-Fi's power save",
)
CM4: Final = Board(
    "CM4",
    Span(1.9, 2.3),
    STREAMING_4,
    "SuSonicTH/uConsole, power/README.md: 1.94 W for a whole handheld computer, its display off; "
    "high: an idle Pi 4, which also has a USB hub and Ethernet",
)
PI_4: Final = Board(
    "Pi 4",
    Span(2.2, 2.7),
    STREAMING_4,
    'chipwired, "Raspberry Pi power use", "Idle load": 2.2 to 2.3 W; high: pidramble.com, "Power '
    'consumption benchmarks"',
)
BOARDS: Final = (TUNED, STOCK, CM4, PI_4)
