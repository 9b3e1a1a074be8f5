"""A simulated motion sensor, as the script has it."""

import threading
import time
from collections.abc import Callable
from typing import Final

from hardware.driver import Driver
from hardware.simulated.world import World

POLL_S: Final = 0.05
"""Time between two looks at the world: half of what a lift may take to be noticed."""


class SimulatedMotion:
    """The sensor; a thread looks at the world from `listen` on."""

    def __init__(self, world: World) -> None:
        self._world: Final = world
        self._closed: Final = threading.Event()
        self._thread: threading.Thread | None = None

    def lifted(self) -> bool:
        """Read the world now."""
        return self._world.state(time.monotonic_ns()).lifted

    def listen(self, on_lift: Callable[[], None]) -> None:
        """Watch for lifts from now on."""
        self._thread = threading.Thread(
            target=self._watch, args=[on_lift, self.lifted()], name="motion", daemon=True
        )
        self._thread.start()

    def trouble(self) -> None:
        """Return None: the world always answers."""

    def close(self) -> None:
        """End the thread; safe to call twice."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self, on_lift: Callable[[], None], was_lifted: bool) -> None:
        while not self._closed.wait(POLL_S):
            is_lifted = self.lifted()
            if is_lifted and not was_lifted:
                on_lift()
            was_lifted = is_lifted


DRIVER: Final = Driver(open=lambda _settings, world: SimulatedMotion(world()), device_files=None)
