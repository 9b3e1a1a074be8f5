"""The signals for the driver, as data."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Signal(StrEnum):
    """A signal to the driver."""

    HOLD_STILL = "hold_still"
    EXPOSED = "exposed"  # the last frame is exposed, the record not yet durable: dark
    SAVED = "saved"
    HANDED_OVER = "handed_over"  # the parcel went into somebody's hands; no photo
    ONCE_MORE = "once_more"
    NO_PHOTO = "no_photo"
    CODE_ELSEWHERE = "code_elsewhere"  # the label held up is of another place
    READING = "reading"  # the scan window is open: hold the label up
    LABEL_READ = "label_read"  # press now
    FAULT = "fault"
    READY = "ready"
    BENCH = "bench"
    NOT_READY = "not_ready"
    BATTERY_LOW = "battery_low"
    SENDING = "sending"
    ALL_SENT = "all_sent"
    ASK_OFFICE = "ask_office"
    LOCATE = "locate"  # a technician looks for this device among others


class Indicator(Protocol):
    """A light, a sounder, and a vibration motor where fitted."""

    def show(self, signal: Signal, *, silent: bool = False) -> None:
        """Show `signal` from now on, in place of the one before; returns at once.

        Sound and vibration are given once, the light until its pattern ends or the next signal.
        A `silent` signal answers no press, and has only its light.
        """

    def close(self) -> None:
        """Turn dark and silent; safe to call twice."""


class Lamp(Protocol):
    """The white lamp beside the lens."""

    def on(self) -> None:
        """Light it."""

    def off(self) -> None:
        """Put it out."""

    def close(self) -> None:
        """Put it out and release the line; safe to call twice."""


@dataclass(frozen=True, slots=True)
class Colour:
    """Light intensities, each 0.0 to 1.0."""

    red: float
    green: float
    blue: float
