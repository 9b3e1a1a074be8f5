"""The tables of hardware/energy.md, as rows of cells."""

from collections.abc import Iterator
from typing import Final

from tests.bench.energy import first_hour, hours
from tests.bench.energy.boards import BOARDS, STREAMINGS, TUNED
from tests.bench.energy.hours import BEFORE_PRESS_S, LASTS_S, Case
from tests.bench.energy.loads import AWAKE_W, FRAMES_W, HDMI_W, LOADS
from tests.bench.energy.pack import NEW, PACKS
from tests.bench.energy.shift import PRESSES, SHIFT_H, Shift
from tests.bench.energy.span import NOTHING, Span

Rows = Iterator[tuple[str, ...]]

LINGER_S, FORMER_LINGER_S = hours.LINGERS_S

FOUND: Final = hours.load()


def streaming_h(area: str, linger_s: float = LINGER_S, *, has_sensor: bool = False) -> Span:
    """Return the hours in which the camera streams; with a sensor, over all times of a lift."""
    found = [
        one
        for case, one in FOUND.items()
        if (case.area, case.linger_s, case.lasts_s is not None) == (area, linger_s, has_sensor)
    ]
    return Span(min(one.low_h for one in found), max(one.high_h for one in found))


WAYS: Final = {
    "suburb": streaming_h("suburb"),
    "suburb, with a motion sensor": streaming_h("suburb", has_sensor=True),
    "city": streaming_h("city"),
    "city, with a motion sensor": streaming_h("city", has_sensor=True),
    "only waiting": NOTHING,
}
"""Hours of streaming of each kind of shift."""


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
    """Yield a row for each length of a lift: hours of streaming in the suburb, and the power."""
    yield "a lift lasts", "streams, h", "mean power, W"
    for lasts_s in LASTS_S:
        found = [FOUND[Case("suburb", LINGER_S, lasts_s, one)] for one in BEFORE_PRESS_S]
        streams_h = Span(min(one.low_h for one in found), max(one.high_h for one in found))
        yield f"{lasts_s:.0f} s", streams_h.text(1), Shift(TUNED, streams_h).mean_w.text(2)


def warmth() -> Rows:
    """Yield a row for each time from lift to press: warm presses in the suburb, and their wait."""
    yield "the press comes after", "warm", "mean wait for the exposure, s"
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
    """Yield rows about the pack: for how long it lasts, by its state, and how long it charges."""
    ways = {way: Shift(TUNED, streams_h) for way, streams_h in WAYS.items()}
    yield "Zero 2 W, tuned", *ways
    yield "mean power, W", *(one.mean_w.text(2) for one in ways.values())
    for pack in PACKS:
        lasts = (one.lasts_h(pack).text(1) for one in ways.values())
        yield f"{pack.usable_wh:.1f} Wh ({pack.state}) last, h", *lasts
    yield "charges after the shift, h", *(one.charges_h.text(1) for one in ways.values())


def others() -> Rows:
    """Yield a row for each board: how long the new pack lasts in the suburb, and the cradle."""
    yield "suburb", "mean power, W", "the new pack lasts, h", "cradle during the shift, h"
    for board in BOARDS:
        one = Shift(board, WAYS["suburb"])
        lasts, cradle = one.lasts_h(NEW).text(1), one.cradle_h(NEW).text(1)
        yield board.name, one.mean_w.text(2), lasts, cradle


def levers() -> Rows:
    """Yield a row for each lever: what it saves in a shift in the suburb."""
    yield "lever", "saves, Wh", "default"
    now, tuned = WAYS["suburb"], TUNED.streaming.adds_w
    former_h = streaming_h("suburb", FORMER_LINGER_S)
    sensor_h = WAYS["suburb, with a motion sensor"]
    yield (
        f"`camera.linger_s`: {LINGER_S:.0f} s in place of {FORMER_LINGER_S:.0f} s",
        _saved(former_h, now, tuned),
        f"{LINGER_S:.0f} s",
    )
    yield "`motion.kind`: stream while lifted", _saved(now, sensor_h, tuned), "no sensor"
    yield (
        "HDMI off, with the lines of the hardware page",
        HDMI_W.times(SHIFT_H).text(1),
        "provisioned",
    )
    yield "no work of the agent per frame", now.by(FRAMES_W).text(2), "always"
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
