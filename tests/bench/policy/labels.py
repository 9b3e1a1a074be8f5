"""Photos that a label files under the order of another parcel, by how long a label speaks."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from agent.capture.press import RETAKE_WINDOW_S
from agent.models import BoundBy, Stop
from agent.rule.manifest import Manifest, PhotoRule
from agent.rule.policy import Allowed, decide
from agent.rule.reach import Circle
from agent.rule.scanning import WAITS_S, WITHIN_M, Code, LastCode
from tests.bench.policy import walk
from tests.bench.policy.area import Area
from tests.bench.policy.lasting import Lasting
from tests.bench.policy.parcels import Parcel, parcels
from tests.bench.policy.rules import circle_of, is_confirmed
from tests.bench.policy.tally import Column, Rows, empty_rows
from tests.bench.policy.walk import Press

SERVED_S: Final = 1.0
"""From a press to its light. Made up, and longer than on a device."""

HELD_UP_S: Final = 8.0
"""From a refusal to the next press, with the label that was held up. Made up."""


class Memory(Protocol):
    """A memory of the last label that was read; all times are CLOCK_MONOTONIC."""

    def bind(self, code: str, now_ns: int, here: Circle | None) -> None:
        """Keep a code that was read."""

    def code(self, at_ns: int, here: Circle | None) -> Code | None:
        """Return the code that speaks."""

    def served(
        self, at_ns: int, here: Circle | None, stop: Stop | None, again_until_ns: int | None
    ) -> None:
        """Take note of a press; `stop` is None if it left no photo."""


class Once:
    """The product's own memory, which hears of presses as `CameraGate` tells it."""

    def __init__(self, waits_s: float = WAITS_S, within_m: float = WITHIN_M) -> None:
        self._scan = LastCode(waits_s, within_m)
        self.bind, self.code = self._scan.bind, self._scan.code

    def served(
        self, _at_ns: int, _here: Circle | None, stop: Stop | None, again_until_ns: int | None
    ) -> None:
        """Take note of a press."""
        is_by_code = stop is not None and stop.bound_by is BoundBy.CODE
        self._scan.served(again_until_ns if is_by_code else None)


BEFORE: Final = "until 2026.11.7"
OURS: Final = "ours"

ANYWHERE_M: Final = 1e9

MEMORIES: Final[Mapping[str, Callable[[], Memory]]] = {
    BEFORE: Lasting,
    OURS: Once,
    "ours, waits 2 minutes": lambda: Once(120.0),
    "ours, within 25 m": lambda: Once(within_m=25.0),
    "ours, anywhere": lambda: Once(within_m=ANYWHERE_M),
}
"""Memories of a label; `ours` is as the product has it, the others differ in one thing."""

COLUMNS: Final[tuple[Column, ...]] = (
    ("shown", lambda row: f"{row.per_1000('shown'):.1f}"),
    ("used", lambda row: f"{row.per_1000('used'):.1f}"),
    ("waiting", lambda row: f"{row.per_1000('waiting'):.1f}"),
    ("refused", lambda row: f"{row.pct('refused', 'first'):.1f} %"),
    ("waits", lambda row: f"{row.pct('waits', 'photos'):.1f} %"),
    ("second", lambda row: f"{row.pct('second waits', 'second'):.0f} %"),
    ("late", lambda row: f"{row.pct('late', 'read'):.1f} %"),
    ("forbidden", lambda row: f"{row.forbidden_pct:.1f}"),
)


def rows(areas: Sequence[Area], rounds: int, seed: int) -> Rows:
    """Walk `rounds` rounds in each area; every memory sees the same parcels."""
    found = empty_rows(areas, MEMORIES, rounds)
    for one in walk.rounds(areas, rounds, seed, "/parcels"):
        day = list(parcels(one.area, one.doors, one.rng))
        for name, memory in MEMORIES.items():
            counts = found[one.area.name, name].counts
            device = _Device(walk.manifest(one.doors), memory(), counts)
            for parcel in day:
                device.deliver(parcel)
    return found


@dataclass(slots=True)
class _Device:
    """A device on one round, and what is counted of it.

    `is_used` says whether the label in memory has bound the photo of its own parcel.
    """

    manifest: Manifest
    memory: Memory
    counts: Counter[str]
    is_used: bool = False

    def deliver(self, parcel: Parcel) -> None:
        """Read its label, press, hold the label up after a refusal, press again if asked to."""
        if parcel.read is not None:
            self._bind(parcel.read)
        if parcel.press is None:
            return
        has_photo = self._first(parcel, parcel.press)
        if parcel.door.stop.photo is PhotoRule.NO_PHOTO:
            return
        if not has_photo and parcel.is_readable:
            held_ns = parcel.press.now_ns + round(HELD_UP_S * 1e9)
            held = Press(parcel.door, parcel.press.fix, held_ns)
            self._bind(held)
            has_photo = self._press(held, is_blurred=parcel.is_blurred) is not None
        if has_photo and parcel.retake is not None:
            self._press(parcel.retake, is_blurred=False)

    def _bind(self, at: Press) -> None:
        self.memory.bind(at.door.stop.codes[0], at.now_ns, circle_of(at))
        self.is_used = False

    def _first(self, parcel: Parcel, press: Press) -> bool:
        """Press for the first time; return whether it left a photo."""
        is_read = parcel.read is not None
        if is_read:
            code = self.memory.code(press.now_ns, circle_of(press))
            self.counts["read"] += 1
            self.counts["late"] += code is None or code.text != press.door.stop.codes[0]
        stop = self._press(press, is_blurred=parcel.is_blurred)
        if press.door.stop.photo is PhotoRule.NO_PHOTO:
            self.counts["forbidden"] += 1
            self.counts["forbidden photos"] += stop is not None
            return stop is not None
        self.counts["first"] += 1
        self.counts["refused"] += stop is None
        if stop is not None and parcel.is_second and not is_read:
            self.counts["second"] += 1
            self.counts["second waits"] += not _is_shown(stop)
        return stop is not None

    def _press(self, press: Press, *, is_blurred: bool) -> Stop | None:
        """Press; return the stop of the photo, None without one."""
        circle = circle_of(press)
        answer = decide(self.manifest, circle, self.memory.code(press.now_ns, circle))
        stop = answer.stop if isinstance(answer, Allowed) else None
        again_ns = None
        if stop and is_blurred:
            again_ns = press.now_ns + round((SERVED_S + RETAKE_WINDOW_S) * 1e9)
        if press.door.stop.photo is not PhotoRule.NO_PHOTO:
            self._count(press, stop)
        self.memory.served(press.now_ns, circle, stop, again_ns)
        return stop

    def _count(self, press: Press, stop: Stop | None) -> None:
        self.counts["presses"] += 1
        if stop is None:
            return
        is_shown = _is_shown(stop)
        self.counts["photos"] += 1
        self.counts["waits"] += not is_shown
        if stop.bound_by is not BoundBy.CODE:
            return
        if stop.id == press.door.stop.id:
            self.is_used = True
            return
        self.counts["shown" if is_shown else "waiting"] += 1
        self.counts["used"] += is_shown and self.is_used


def _is_shown(stop: Stop) -> bool:
    """Return True if the reference backend shows a photo before dispatch has looked at it."""
    return stop.bound_by is BoundBy.PLACE or (stop.bound_by is BoundBy.CODE and is_confirmed(stop))
