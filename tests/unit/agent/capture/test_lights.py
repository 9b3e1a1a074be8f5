"""The idle light, as tables."""

from collections.abc import Callable

import pytest

from agent.capture import lights
from agent.capture.battery import Charge
from agent.capture.lights import Light
from agent.models import QueueCounts
from hardware.indicator import Signal
from tests.support.benchtop import SetLight

NOTHING = QueueCounts(0, 0, 0, 0, None)
WAITING = QueueCounts(3, 0, 0, 0, "2026-12-01T09:15:02.000Z")
SUSPECT = QueueCounts(3, 1, 0, 0, "2026-12-01T09:15:02.000Z")
REFUSED = QueueCounts(0, 0, 1, 0, None)
DAMAGED = QueueCounts(0, 0, 0, 1, None)


def _not_asked() -> bool:
    """Fail: the question looks through all waiting rows, so only a light that needs it asks."""
    raise AssertionError("the queue was asked whether the device is shut out")


def idle(
    *,
    ready: bool = True,
    bench: bool = False,
    external: bool = False,
    charge: Charge = Charge.ENOUGH,
    counts: QueueCounts | None = None,
    shut_out: Callable[[], bool] = _not_asked,
) -> Signal:
    return lights.idle(
        ready=ready,
        bench=bench,
        external=external,
        charge=charge,
        counts=counts,
        shut_out=shut_out,
    )


@pytest.mark.parametrize(
    ("ready", "charge", "expected"),
    [
        (True, Charge.ENOUGH, Signal.READY),
        (False, Charge.ENOUGH, Signal.NOT_READY),
        (True, Charge.LOW, Signal.BATTERY_LOW),
        (False, Charge.LOW, Signal.NOT_READY),
        (True, Charge.EMPTY, Signal.FAULT),
        (False, Charge.EMPTY, Signal.FAULT),
    ],
)
def test_idle_light_follows_readiness_and_battery_on_the_road(
    *, ready: bool, charge: Charge, expected: Signal
) -> None:
    for counts in (None, WAITING):
        assert idle(ready=ready, charge=charge, counts=counts) is expected


@pytest.mark.parametrize(
    ("ready", "counts", "expected"),
    [
        (True, WAITING, Signal.SENDING),
        (True, NOTHING, Signal.ALL_SENT),
        (True, SUSPECT, Signal.ASK_OFFICE),
        (True, REFUSED, Signal.ASK_OFFICE),
        (True, DAMAGED, Signal.ASK_OFFICE),
        (False, NOTHING, Signal.ASK_OFFICE),
        (False, WAITING, Signal.ASK_OFFICE),
        (True, None, Signal.NOT_READY),
        (False, None, Signal.NOT_READY),
    ],
)
def test_cradle_light_follows_the_queue_and_is_green_if_nothing_waits(
    *, ready: bool, counts: QueueCounts | None, expected: Signal
) -> None:
    asked = (lambda: False) if expected is Signal.SENDING else _not_asked
    for bench in (False, True):
        shown = idle(ready=ready, bench=bench, external=True, counts=counts, shut_out=asked)

        assert shown is expected


def test_idle_light_asks_for_the_office_if_shut_out() -> None:
    assert idle(external=True, counts=WAITING, shut_out=lambda: True) is Signal.ASK_OFFICE


def test_bench_mode_shows_by_the_idle_light_of_a_ready_device() -> None:
    assert idle(bench=True) is Signal.BENCH
    assert idle(bench=True, ready=False) is Signal.NOT_READY


def test_a_touch_that_was_none_leaves_the_white_of_the_touch_after_it() -> None:
    indicator = SetLight()
    light = Light(indicator, lambda: 0)
    light.idle(Signal.READY)
    light.touched(1)
    light.touched(2)

    light.restore(1)
    after_the_first = indicator.shown[-1]
    light.restore(2)

    assert after_the_first is Signal.HOLD_STILL
    assert indicator.shown[-1] is Signal.READY
