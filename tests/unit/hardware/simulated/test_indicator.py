"""A simulated light."""

import logging

import pytest

from hardware.indicator import Signal
from hardware.simulated.indicator import SimulatedIndicator


def test_the_log_tells_the_light_once_per_change(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    indicator = SimulatedIndicator()

    for signal in (Signal.READY, Signal.HOLD_STILL, Signal.HOLD_STILL, Signal.SAVED):
        indicator.show(signal)

    assert [signal for signal, _ in indicator.shown] == ["ready", *["hold_still"] * 2, "saved"]
    assert caplog.messages == [
        "event=light signal=ready",
        "event=light signal=hold_still",
        "event=light signal=saved",
    ]


def test_the_log_tells_an_answer_that_comes_again(caplog: pytest.LogCaptureFixture) -> None:
    """A second scan sounds as the first did; the same light without a sound is no change."""
    caplog.set_level(logging.INFO)
    indicator = SimulatedIndicator()

    for silent in (False, False, True):
        indicator.show(Signal.READING, silent=silent)

    assert caplog.messages == ["event=light signal=reading"] * 2


def test_log_says_which_fault_was_only_seen(caplog: pytest.LogCaptureFixture) -> None:
    """A signal that answers a press sounds; a light that never sounds needs no word about it."""
    caplog.set_level(logging.INFO)
    indicator = SimulatedIndicator()

    indicator.show(Signal.FAULT, silent=True)
    indicator.show(Signal.READY, silent=True)
    indicator.show(Signal.FAULT)

    assert caplog.messages == [
        "event=light signal=fault silent=true",
        "event=light signal=ready",
        "event=light signal=fault",
    ]
