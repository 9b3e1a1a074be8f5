"""`python -m tests.unit.documents.energy`: print the energy of a shift, part by part."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

SUPPLY_V: Final = 5.1
"""At the board; all currents are reckoned at it."""

SHIFT_H: Final = 9.0

PRESSES: Final = 150

BATTERY_WH: Final = 19.5
"""Two cells, down to 5 %, through the converter. Source: hardware/README.md, above the table."""

CHARGING_W: Final = 8.2 * 0.85
"""Into the battery in the cradle, as it comes out again. Source: the same place."""

STREAMS_H: Final = {"suburb": 5.5, "city": 3.4, "only at presses": PRESSES * 6.0 / 3600}
"""Hours of a shift: the larger figure of `python -m tests.bench.policy`, and 6 s for each press."""

LINGERS_H: Final = (0.9, 1.9)
"""Of the suburb's hours, those only for the minute after a press. Source: the same command."""

IDLE_MA: Final = 430
"""Pi 4 without a display, joined to a Wi-Fi: 2.2 W. Source: chipwired, "Raspberry Pi power use"."""

STREAMING_MA: Final = 850
"""Board at video. Source: Raspberry Pi documentation, "Power supply"."""

CAMERA_MA: Final = 250
"""The same page, of all camera modules; stopped, the kernel switches the sensor off."""


@dataclass(frozen=True, slots=True)
class Load:
    """One part, and for how long of a shift that streams `hours` it takes how much."""

    name: str
    current_ma: float
    hours: float

    @property
    def energy_wh(self) -> float:
        return self.current_ma / 1000 * SUPPLY_V * self.hours


def loads(streams_h: float) -> list[Load]:
    """Of one shift."""
    return [
        Load("board, the camera stopped", IDLE_MA, SHIFT_H - streams_h),
        Load("board, the camera streaming", STREAMING_MA, streams_h),
        Load("camera", CAMERA_MA, streams_h),
        Load("GNSS receiver", 29, SHIFT_H),
        Load("gauge, clock, idle light", 3, SHIFT_H),
        Load("white and coloured light, 5 s for each press", 52, PRESSES * 5 / 3600),
        Load("lamp, 3 s for every third press", 84, PRESSES / 3 * 3 / 3600),
        Load("buzzer, 0.2 s for each press", 40, PRESSES * 0.2 / 3600),
        Load("Wi-Fi sending 65 MB, ten times as long as it takes", 80, 10 * 65 / 2.5 / 3600),
    ]


def total_wh(streams_h: float) -> float:
    """Of one shift."""
    return sum(load.energy_wh for load in loads(streams_h))


def lasts_h(streams_h: float) -> float:
    """How long the battery lasts at the mean of that shift."""
    return BATTERY_WH / total_wh(streams_h) * SHIFT_H


def cradle_h(streams_h: float) -> float:
    """How much of the shift it must lie in the cradle, so that the battery lasts to its end."""
    mean_w = total_wh(streams_h) / SHIFT_H
    return max(0.0, (mean_w * SHIFT_H - BATTERY_WH) / (mean_w + CHARGING_W))


def hour_wh() -> float:
    """What an hour of streaming takes more than one without."""
    return (STREAMING_MA + CAMERA_MA - IDLE_MA) / 1000 * SUPPLY_V


def table() -> Iterator[str]:
    """The rows of hardware/README.md."""
    by_shift = {name: loads(hours) for name, hours in STREAMS_H.items()}
    yield "| at 5.1 V, 9 hours | current | " + " | ".join(by_shift) + " |"
    yield "| --- | --- |" + " --- |" * len(by_shift)
    for row in zip(*by_shift.values(), strict=True):
        cells = " | ".join(f"{one.hours:.2f} h, {one.energy_wh:.1f} Wh" for one in row)
        yield f"| {row[0].name} | {row[0].current_ma} mA | {cells} |"
    for name, figure, unit in (
        ("**all**", total_wh, "Wh"),
        ("19.5 Wh last", lasts_h, "h"),
        ("so long in the cradle, for 9 hours", cradle_h, "h"),
    ):
        cells = " | ".join(f"**{figure(hours):.1f} {unit}**" for hours in STREAMS_H.values())
        yield f"| {name} | | {cells} |"


if __name__ == "__main__":
    print("\n".join(table()))  # noqa: T201 - a command prints
