"""What else the backend is asked for now and then: by DocumentFetch, by Renewal."""

from typing import Protocol


class Errand(Protocol):
    """Done by the loop, in its thread, while it does not rest."""

    def turn(self, now_s: float) -> None:
        """Ask when it is time (CLOCK_BOOTTIME); raises nothing for what the backend answers."""

    def hurry(self) -> None:
        """It is time at the next turn."""
