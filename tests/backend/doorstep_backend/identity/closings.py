"""The last record of each chain of a device that ended, and the answer to a retirement. Pure."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Any, Final

from agent.models import from_rfc3339, rfc3339
from doorstep_backend.engines.sql import Row
from hardware.foreign import read_json

MOST_GAPS: Final = 100
"""Gaps of one chain that are named: an answer is 4 KB then, and a device reads 64."""

THE_OFFICE: Final = "the office"
ITSELF: Final = "the device itself"
A_TECHNICIAN: Final = "a technician"
"""Name in place of a technician's name that is no longer kept."""


class EndKind(StrEnum):
    """GONE: it will not come back. RETIRED: somebody had it in hand, and took it out of use."""

    GONE = "gone"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """The records that were received of one chain.

    Attributes:
        last_seq: the highest number.
        received: how many records, of 1 to `last_seq`.
        gaps: numbers below the last that are missing, first and last of each run; MOST_GAPS.
    """

    chain: str
    last_seq: int
    received: int
    gaps: tuple[tuple[int, int], ...]

    @property
    def missing(self) -> int:
        """Number of records from 1 to `last_seq` that were not received."""
        return self.last_seq - self.received


@dataclass(frozen=True, slots=True)
class DeviceEnd:
    """The end of a device, as it was written down.

    Attributes:
        by: THE_OFFICE, ITSELF, or a technician's name.
    """

    device_id: str
    at: datetime
    how: EndKind
    by: str
    chains: tuple[ChainEnd, ...]

    def text(self) -> str:
        """Return its chains as JSON."""
        return json.dumps([_members(one) for one in self.chains])

    def answer(self) -> dict[str, Any]:
        """Return the members of the answer to POST /retire."""
        at = rfc3339(self.at)
        chains = [_members(one) for one in self.chains]
        return {"device_id": self.device_id, "retired_at": at, "chains": chains}


def summary(ended: DeviceEnd) -> str:
    """Describe when it ended and by whom."""
    return f"{ended.how} since {ended.at:%Y-%m-%d %H:%M} UTC, by {ended.by}"


def chain_end_lines(ended: DeviceEnd, now: Iterable[ChainEnd]) -> list[str]:
    """Return a line for each chain: where it ended, and how many records came since."""
    before = {one.chain: one for one in ended.chains}
    lines = []
    for one in now:
        closed_at = before.get(one.chain)
        since = one.received - (closed_at.received if closed_at else 0)
        words = f"closed at seq {closed_at.last_seq}" if closed_at else "not known when it closed"
        last = f"last record seen: chain {one.chain}, seq {one.last_seq}"
        later = f"; {since} came since" if since else ""
        lines.append(f"{last}; {one.missing} missing below; {words}{later}")
    return lines or ["no record of it was seen"]


def device_end(row: Row) -> DeviceEnd:
    """Make the end of a device from a row of `closings`."""
    chains = tuple(
        ChainEnd(one["chain"], one["last_seq"], one["received"], tuple(map(tuple, one["gaps"])))
        for one in read_json(row["chains"])
    )
    return DeviceEnd(
        row["device_id"], from_rfc3339(row["at"]), EndKind(row["how"]), row["by"], chains
    )


def chain_ends(records: Iterable[tuple[str, int]]) -> tuple[ChainEnd, ...]:
    """Return the end of each chain of (chain, number) pairs, in the order of the chains."""
    seen: dict[str, set[int]] = defaultdict(set)
    for chain, seq in records:
        seen[chain].add(seq)
    return tuple(_end(chain, seqs) for chain, seqs in seen.items())


def _end(chain: str, seqs: set[int]) -> ChainEnd:
    around = pairwise([0, *sorted(seqs)])
    gaps = [(one + 1, other - 1) for one, other in around if other - one > 1]
    return ChainEnd(chain, max(seqs), len(seqs), tuple(gaps[:MOST_GAPS]))


def _members(one: ChainEnd) -> dict[str, Any]:
    return asdict(one) | {"missing": one.missing}
