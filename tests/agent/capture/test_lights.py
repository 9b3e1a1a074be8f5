"""The idle light, as a table."""

import pytest

from agent.capture import lights
from agent.capture.lights import SHOWN_S, Light
from agent.models import Counts
from hardware.indicator import Signal
from hardware.power import PowerReading
from tests.support.benchtop import SetLight

NOTHING = Counts(0, 0, 0, 0, None)
WAITING = Counts(3, 0, 0, 0, "2026-12-01T09:15:02.000Z")
SUSPECT = Counts(3, 1, 0, 0, "2026-12-01T09:15:02.000Z")
REFUSED = Counts(0, 0, 1, 0, None)
DAMAGED = Counts(0, 0, 0, 1, None)


def power(battery_pct: int | None = 80, *, external: bool | None = False) -> PowerReading:
    return PowerReading(battery_pct, external, None)


@pytest.mark.parametrize(
    ("ready", "supply", "counts", "expected"),
    [
        (True, power(), None, Signal.READY),
        (False, power(), None, Signal.NOT_READY),
        (True, power(15), None, Signal.READY),
        (True, power(14), None, Signal.BATTERY_LOW),
        (False, power(14), None, Signal.NOT_READY),
        (True, power(14, external=None), None, Signal.BATTERY_LOW),
        (True, power(5), None, Signal.BATTERY_LOW),
        (True, power(4), None, Signal.FAULT),
        (False, power(4, external=None), None, Signal.FAULT),
        (True, power(None, external=None), None, Signal.READY),
        (True, power(3, external=True), None, Signal.READY),
        (True, power(3, external=True), WAITING, Signal.SENDING),
        (True, power(external=True), WAITING, Signal.SENDING),
        (True, power(external=True), NOTHING, Signal.ALL_SENT),
        (True, power(external=True), SUSPECT, Signal.ASK_OFFICE),
        (True, power(external=True), REFUSED, Signal.ASK_OFFICE),
        (True, power(external=True), DAMAGED, Signal.ASK_OFFICE),
        (False, power(external=True), NOTHING, Signal.ASK_OFFICE),
        (False, power(external=True), None, Signal.NOT_READY),
        (True, power(), WAITING, Signal.READY),
        (True, power(external=None), WAITING, Signal.READY),
    ],
)
def test_the_idle_light_follows_power_readiness_and_queue(
    *, ready: bool, supply: PowerReading, counts: Counts | None, expected: Signal
) -> None:
    assert lights.idle(ready=ready, bench=False, power=supply, counts=counts) is expected


def test_bench_mode_shows_by_the_idle_light_of_a_ready_device() -> None:
    assert lights.idle(ready=True, bench=True, power=power(), counts=None) is Signal.BENCH
    assert lights.idle(ready=False, bench=True, power=power(), counts=None) is Signal.NOT_READY


def test_a_touch_that_was_none_leaves_the_white_of_the_touch_after_it() -> None:
    indicator = SetLight()
    light = Light(indicator, lambda: 0)
    light.idle(Signal.READY)
    light.touched(1)
    light.touched(2)

    light.give_back(1)
    after_the_first = indicator.shown[-1]
    light.give_back(2)

    assert after_the_first is Signal.HOLD_STILL
    assert indicator.shown[-1] is Signal.READY


def test_every_signal_of_a_press_has_its_time_and_no_idle_one_has() -> None:
    of_a_press = {
        Signal.HOLD_STILL,
        Signal.EXPOSED,
        Signal.SAVED,
        Signal.ONCE_MORE,
        Signal.NO_PHOTO,
        Signal.CODE_ELSEWHERE,
        Signal.READING,
        Signal.LABEL_READ,
        Signal.FAULT,
        Signal.LOCATE,
    }

    assert set(SHOWN_S) == of_a_press
    assert SHOWN_S[Signal.SAVED] == 1.0
