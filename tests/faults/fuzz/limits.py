"""Measures one input: processor time, memory, and an exception that the parser does not document.

The kernel ends a process whose parser takes far too long: Python's own signal handlers do not run
while machine code holds the interpreter.
"""

import ctypes
import gc
import re
import resource
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TIME_LIMIT_S: Final = 0.5
"""Most processor time of one input: a press waits no longer than it would for a slow card."""

MEMORY_LIMIT_MB: Final = 50.0
"""Most memory of an input without its decoded picture: the units can spare at least 200 MB."""

KILLED_AFTER_S: Final = 4.0
"""Processor time after which the kernel ends the process."""

STUCK_AFTER_S: Final = 60
"""Elapsed time after which the kernel ends the process: the parser waits for something."""

_ROOM_MB: Final = 450
"""Memory that a parser may take before its allocations fail; more than the limit, to measure it."""

_SETTLED_MB: Final = 4.0
"""Memory below which a parser is not measured again."""

_LONG_BYTES: Final = 500_000
"""Length from which an input's own memory would be measured too."""

_MAPPED: Final = re.compile(rb"Vm(?:HWM|RSS|Data):\s+(\d+) kB")


@dataclass(frozen=True, slots=True)
class Measured:
    """The measurement of one input.

    Attributes:
        ms: processor time.
        mb: most memory above what the process has without an input.
        fault: what is wrong; empty if nothing is.
        place: the function in which it was raised; empty of another fault.
    """

    ms: float
    mb: float
    fault: str = ""
    place: str = ""


def arm(processor_s: float, passing_s: int) -> None:
    """Have the kernel end this process after so much time; 0 and 0 cancel that."""
    signal.setitimer(signal.ITIMER_PROF, processor_s)
    signal.alarm(passing_s)


class Limits:
    """Measures inputs in this process, which has no other work."""

    def __init__(self) -> None:
        self._status = Path("/proc/self/status")
        self._peak = Path("/proc/self/clear_refs")
        self._trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        self._settle()

    def measure(
        self,
        parse: Callable[[bytes], object],
        documented: tuple[type[Exception], ...],
        content: bytes,
        picture: tuple[float, float] = (0.0, 0.0),
    ) -> Measured:
        """Parse `content`; if that took too much, parse it again, and count the smaller figure.

        `picture` is what decoding a picture may take besides: seconds and megabytes.
        """
        extra_s, extra_mb = picture
        if len(content) > _LONG_BYTES:
            self._settle()  # what it took to make the input is no cost of the parser
        found = self._once(parse, documented, content, extra_s)
        if found.ms > 1000 * (TIME_LIMIT_S + extra_s):
            again = self._once(parse, documented, content, extra_s)
            found = min(found, again, key=lambda one: one.ms)
        if found.mb > MEMORY_LIMIT_MB + extra_mb:  # making the input may have taken it
            again = self._once(parse, documented, content, extra_s)
            found = min(found, again, key=lambda one: one.mb)
        if found.fault:
            return found
        if found.ms > 1000 * (TIME_LIMIT_S + extra_s):
            return Measured(found.ms, found.mb, f"took {found.ms:.0f} ms")
        if found.mb > MEMORY_LIMIT_MB + extra_mb:
            return Measured(found.ms, found.mb, f"took {found.mb:.0f} MB")
        return found

    def _once(
        self,
        parse: Callable[[bytes], object],
        documented: tuple[type[Exception], ...],
        content: bytes,
        extra_s: float,
    ) -> Measured:
        fault = place = ""
        arm(KILLED_AFTER_S + 2 * extra_s, STUCK_AFTER_S)
        began_s = time.process_time()
        try:
            parse(content)
        except documented:
            pass
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the finding
            fault = f"{type(error).__name__}: {str(error)[:120]}"
            place = _place(error)
        took_s = time.process_time() - began_s
        arm(0, 0)
        return Measured(1000 * took_s, self._taken_mb(), fault, place)

    def _taken_mb(self) -> float:
        peak_mb, *_ = self._mapped_mb()
        taken_mb = max(peak_mb - self._base_mb, 0.0)
        if taken_mb > _SETTLED_MB:
            self._settle()
        return taken_mb

    def _settle(self) -> None:
        """Give free memory back, and measure from there."""
        gc.collect()
        self._trim(0)
        self._peak.write_text("5")  # resets VmHWM; proc(5), clear_refs
        _, self._base_mb, written_mb = self._mapped_mb()
        room = int((written_mb + _ROOM_MB) * 1_000_000)
        resource.setrlimit(resource.RLIMIT_DATA, (room, resource.RLIM_INFINITY))

    def _mapped_mb(self) -> tuple[float, float, float]:
        """Return peak, resident and writable memory."""
        peak, now, written = _MAPPED.findall(self._status.read_bytes())
        return int(peak) / 1000, int(now) / 1000, int(written) / 1000


def _place(error: BaseException) -> str:
    """Return the innermost function of this repository."""
    frames = [one for one in traceback.extract_tb(error.__traceback__) if _is_ours(one.filename)]
    return f"{Path(frames[-1].filename).name}:{frames[-1].name}" if frames else ""


def _is_ours(name: str) -> bool:
    return "/site-packages/" not in name and any(f"/{one}/" in name for one in ("agent", "tests"))
