"""The simulated pins that gpiozero ships for tests."""

from typing import Any

from gpiozero.pins.mock import MockFactory, MockPWMPin  # noqa: TID251 - the pins of the tests


class HeardPin(MockPWMPin):  # type: ignore[misc] # gpiozero ships no types
    """A pin that remembers its frequencies, and keeps its level when it is let go."""

    def __init__(self, factory: Any, info: Any) -> None:
        self.tones_hz: list[float] = []
        super().__init__(factory, info)

    def close(self) -> None:
        self.when_changed = None

    def _set_frequency(self, value: float | None) -> None:
        super()._set_frequency(value)
        if value is not None:
            self.tones_hz.append(value)


def pin_factory() -> MockFactory:
    """Simulate a board's pins, all at rest."""
    return MockFactory(pin_class=HeardPin)
