"""The tables of hardware/energy.md, as rows of cells."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from tests.bench.energy import first_hour, hours
from tests.bench.energy.boards import BOARDS, STREAMINGS, TUNED
from tests.bench.energy.hours import BEFORE_PRESS_S, LASTS_S, Case
from tests.bench.energy.loads import AWAKE_W, BATCHES_WH, FRAMES_W, HDMI_W, LOADS, PWM_W
from tests.bench.energy.pack import NEW, PACKS
from tests.bench.energy.shift import PRESSES, SHIFT_H, Shift
from tests.bench.energy.span import NOTHING, Span

Rows = Iterator[tuple[str, ...]]

LINGER_S, FORMER_LINGER_S = hours.LINGERS_S

FOUND: Final = hours.load()


class Sensor(StrEnum):
    """The lifts that a motion sensor feels on a round."""

    NONE = "no motion sensor"
    CARRIED = "motion sensor, carried"
    PUT_DOWN = "motion sensor, put down"


def streaming_h(area: str, sensor: Sensor, linger_s: float = LINGER_S) -> Span:
    """Return the hours in which the camera streams, over all times of a lift."""
    wanted = area, linger_s, sensor
    found = [one for case, one in FOUND.items() if _kind(case) == wanted]
    return Span(min(one.low_h for one in found), max(one.high_h for one in found))


def _kind(case: Case) -> tuple[str, float, Sensor]:
    is_lifted = Sensor.CARRIED if case.is_carried else Sensor.PUT_DOWN
    return case.area, case.linger_s, Sensor.NONE if case.lasts_s is None else is_lifted


WAYS: Final = {
    **{f"suburb, {sensor}": streaming_h("suburb", sensor) for sensor in Sensor},
    **{f"city, {sensor}": streaming_h("city", sensor) for sensor in Sensor},
    "only waiting": NOTHING,
}
"""Hours of streaming of each kind of shift."""

SUBURB: Final = f"suburb, {Sensor.NONE}"


def boards() -> Rows:
    """Yield a row for each board: what it takes, and who published that."""
    yield "board", "waits, W", "source"
    for one in BOARDS:
        yield one.name, one.waits_w.text(2), one.source


def camera() -> Rows:
    """Yield a row for each kind of board: what streaming adds, and who published that."""
    yield "board", "streaming adds, W", "source"
    for one in STREAMINGS:
        yield one.boards, one.adds_w.text(1), one.source


def loads() -> Rows:
    """Yield a row for each other load."""
    yield "what", "mean of a shift, mW", "source"
    for one in LOADS:
        mean_w = Shift(TUNED, NOTHING, (one,)).loads_w
        yield one.name, mean_w.times(1000).text(0), one.source
    yield "**all**", f"**{Shift(TUNED, NOTHING).loads_w.times(1000).text(0)}**", ""


def streaming() -> Rows:
    """Yield a row for each area and linger: hours of streaming, and presses that find it warm."""
    yield "area, hours of a round", "motion sensor", "streams after a photo", "streams, h", "warm"
    for case, one in FOUND.items():
        if case.lasts_s is None:
            yield (
                f"{case.area}, {one.round_h:g}",
                "none",
                f"{case.linger_s:.0f} s",
                one.streaming_h.text(1),
                _percent(one.warm),
            )


def lifts() -> Rows:
    """Yield a row for each way to lift a device in the suburb: streaming, power, warm presses."""
    yield "at a door, a lift lasts", "on the way", "streams, h", "mean power, W", "warm"
    before_s = hours.CARRIED_S[1]
    for case, one in FOUND.items():
        if (case.area, case.before_press_s) == ("suburb", before_s):
            ways = [name for name, does in (("walks", case.walks), ("drives", case.drives)) if does]
            yield (
                f"{case.lasts_s:.0f} s",
                f"carried by a driver who {' and '.join(ways)}" if ways else "put down",
                one.streaming_h.text(1),
                Shift(TUNED, one.streaming_h).mean_w.text(2),
                _percent(one.warm),
            )


def warmth() -> Rows:
    """Yield a row for each time from lift to press, if the device was put down on the way."""
    yield "from lift to press", "warm", "mean wait for the exposure, s"
    for before_s in BEFORE_PRESS_S:
        found = [FOUND[Case("suburb", LINGER_S, one, before_s)] for one in LASTS_S]
        warm, wait_s = min(one.warm for one in found), max(one.wait_s for one in found)
        yield f"{before_s:g} s", _percent(warm), f"{wait_s:.2f}"


def shifts() -> Rows:
    """Yield a row for each kind of shift: its energy on each board."""
    yield f"{SHIFT_H:.0f} hours, {PRESSES} presses", *(f"{one.name}, Wh" for one in BOARDS)
    for way, streams_h in WAYS.items():
        costs = (Shift(one, streams_h).energy_wh.text(1) for one in BOARDS)
        hours_text = f", {streams_h.text(1)} h of streaming" if streams_h != NOTHING else ""
        yield way + hours_text, *costs


def packs() -> Rows:
    """Yield a row for each kind of shift: how long a pack lasts, and how long it charges."""
    yield (
        "Zero 2 W, tuned",
        "mean power, W",
        *(f"{pack.usable_wh:.1f} Wh ({pack.state}) last, h" for pack in PACKS),
        "charges after the shift, h",
    )
    for way, streams_h in WAYS.items():
        one = Shift(TUNED, streams_h)
        lasts = (one.lasts_h(pack).text(1) for pack in PACKS)
        yield way, one.mean_w.text(2), *lasts, one.charges_h.text(1)


def others() -> Rows:
    """Yield a row for each board: how long the new pack lasts in the suburb, and the cradle."""
    yield "suburb", "mean power, W", "the new pack lasts, h", "cradle during the shift, h"
    for board in BOARDS:
        one = Shift(board, WAYS[SUBURB])
        lasts, cradle = one.lasts_h(NEW).text(1), one.cradle_h(NEW).text(1)
        yield board.name, one.mean_w.text(2), lasts, cradle


def levers() -> Rows:
    """Yield a row for each lever: what it saves in a shift in the suburb."""
    yield "lever", "saves, Wh", "default"
    now, tuned = WAYS[SUBURB], TUNED.streaming.adds_w
    former_h = streaming_h("suburb", Sensor.NONE, FORMER_LINGER_S)
    yield (
        f"`camera.linger_s`: {LINGER_S:.0f} s in place of {FORMER_LINGER_S:.0f} s",
        _saved(former_h, now, tuned),
        f"{LINGER_S:.0f} s",
    )
    for sensor in (Sensor.CARRIED, Sensor.PUT_DOWN):
        sensor_h = streaming_h("suburb", sensor)
        yield f"`motion.kind`: a {sensor} between doors", _saved(now, sensor_h, tuned), "no sensor"
    yield "HDMI off", HDMI_W.times(SHIFT_H).text(1), "provisioned"
    yield "`sync.batch_minutes`: 15 in place of 0", BATCHES_WH.text(2), "0"
    yield "no work of the agent per frame", now.by(FRAMES_W).text(2), "always"
    yield (
        "the PWM of the silent sounder at 50 Hz, not 2,700",
        PWM_W.times(SHIFT_H).text(1),
        "always",
    )
    yield "Wi-Fi's power save", AWAKE_W.times(SHIFT_H).text(1), "provisioned"


def _saved(before_h: Span, after_h: Span, streams_w: Span) -> str:
    """Return what fewer hours of streaming save, each estimate with its own hours."""
    saved_h = (before_h.low - after_h.low, before_h.high - after_h.high)
    saved = Span(*saved_h).by(streams_w)
    return Span(*sorted((saved.low, saved.high))).text(1)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


TABLES: Final = (
    *(boards, camera, loads, streaming, lifts, warmth),
    *(shifts, packs, others, levers, first_hour.hour),
)
