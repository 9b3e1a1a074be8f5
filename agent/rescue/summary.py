"""All that was found on a card, chain by chain, and in words; pure."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from agent.models import RecordKind, RecordLabel, printable
from agent.record.file import BODY_TYPE
from agent.rescue.card_files import CardFile, Torn, Unfinished, Unread, Whole
from agent.rescue.owner import FleetMatch, Owner
from agent.rescue.rows import QueueRow

SHOWN_MOST: Final = 20
"""Lines of one kind: a card may hold a great many."""

_LINE_CHARS: Final = 300
"""Longest line: a name on a card may have 255 bytes, and contain anything."""


@dataclass(slots=True)
class Tally:
    """The findings so far, without any content."""

    whole: list[RecordLabel] = field(default_factory=list)
    torn: list[Torn] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    unfinished: int = 0

    def add(self, one: CardFile) -> None:
        """Count a file, and keep no content."""
        match one:
            case Whole():
                self.whole.append(one.label)
            case Torn():
                self.torn.append(Torn(one.name, one.why, one.label))
            case Unread():
                self.unread.append(one)
            case Unfinished():
                self.unfinished += 1


@dataclass(frozen=True, slots=True)
class ChainFound:
    """A chain of a device.

    Attributes:
        first, last: lowest and highest number in a file or row.
        delivered: whole here, and the backend has it by the queue's word.
        missing: numbers in between that are not here, and that no row calls delivered.
    """

    device_id: str
    chain: str
    first: int
    last: int
    whole: int
    delivered: int
    missing: list[range]


def chains(tally: Tally, rows: Sequence[QueueRow]) -> list[ChainFound]:
    """Return each chain that a label names, the longest first."""
    labels: dict[tuple[str, str], list[RecordLabel]] = defaultdict(list)
    torn: dict[tuple[str, str], list[int]] = defaultdict(list)
    told: dict[str, list[QueueRow]] = defaultdict(list)
    for label in tally.whole:
        labels[label.device_id, label.chain].append(label)
    for label in (one.label for one in tally.torn if one.label is not None):
        torn[label.device_id, label.chain].append(label.seq)
    for row in rows:
        told[row.chain].append(row)
    keys = labels.keys() | torn.keys()
    found = [_chain(key, labels[key], torn[key], told[key[1]]) for key in keys]
    return sorted(found, key=lambda one: (-one.whole, one.device_id, one.chain))


def _chain(
    key: tuple[str, str], labels: list[RecordLabel], torn: list[int], rows: list[QueueRow]
) -> ChainFound:
    here = {one.seq for one in labels} | set(torn)
    known = here | {one.seq for one in rows}
    sent = {one.capture_id for one in rows if one.is_delivered}
    whole = {one.capture_id for one in labels}
    there = here | {one.seq for one in rows if one.is_delivered}
    missing = list(_runs_without(there, min(known), max(known)))
    return ChainFound(*key, min(known), max(known), len(whole), len(whole & sent), missing)


def _runs_without(there: set[int], first: int, last: int) -> Iterator[range]:
    """Yield the numbers from `first` to `last` that are not `there`, quickly for any `last`."""
    inside = sorted(one for one in there if first <= one <= last)
    for before, after in zip([first - 1, *inside], [*inside, last + 1], strict=True):
        if after - before > 1:
            yield range(before + 1, after)


def is_all_whole(tally: Tally, found: Sequence[ChainFound]) -> bool:
    """Return True if nothing is torn, unreadable or missing."""
    return not (tally.torn or tally.unread or any(one.missing for one in found))


def lines(
    where: str, owner: Owner, tally: Tally, rows: Sequence[QueueRow] | None, also: Sequence[str]
) -> Iterator[str]:
    """Yield the report for a person; printable, whatever the card holds."""
    told = [("card", where), *_whose(owner, tally), *_chains(tally, rows), *_bodies(tally)]
    told += [("torn", f"{one.name}: {one.why}") for one in tally.torn[:SHOWN_MOST]]
    told += [("unreadable", f"{one.name}: {one.why}") for one in tally.unread[:SHOWN_MOST]]
    for kind, count in (("torn", len(tally.torn)), ("unreadable", len(tally.unread))):
        if count > SHOWN_MOST:
            told.append((kind, f"and {count - SHOWN_MOST} more"))
    if tally.unfinished:
        words = f"{counted(tally.unfinished, 'file')}: no press was green for such a one"
        told.append(("unfinished", words))
    told += [("also", words) for words in also]
    yield from (line(name, words) for name, words in told)


def line(name: str, words: str) -> str:
    """Return a line as a terminal may show it."""
    return printable(f"{name:<10}  {words}")[:_LINE_CHARS]


def counted(number: int, what: str) -> str:
    """Count things: `1 record`, `2 records`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _whose(owner: Owner, tally: Tally) -> Iterator[tuple[str, str]]:
    ids = sorted({label.device_id for label in tally.whole})
    by_label = f"{', '.join(ids[:3])} by its records" if ids else "nothing says which"
    yield "device", owner.device_id or by_label
    match owner.fleet:
        case FleetMatch.OURS:
            yield "fleet", f"ours: its certificate is by {owner.issuer}"
        case FleetMatch.ANOTHERS:
            yield "fleet", f"another's: its certificate is by {owner.issuer}, and not by --ca"
        case FleetMatch.NOT_COMPARED:
            yield "fleet", f"its certificate is by {owner.issuer}; --ca FILE compares it with ours"
        case FleetMatch.UNKNOWN:
            yield "fleet", "nothing says which: no evidence certificate that can be read"


def _chains(tally: Tally, rows: Sequence[QueueRow] | None) -> Iterator[tuple[str, str]]:
    if rows is None:
        yield "queue", "gone, broken or of another release: nothing says what was delivered"
    found = chains(tally, rows or ())
    for one in found[:SHOWN_MOST]:
        words = f"{one.chain}, #{one.first} to #{one.last}: {counted(one.whole, 'whole record')}"
        if rows is not None:
            words += f", {one.whole - one.delivered} of them waiting"
        gaps = [f"#{gap[0]}" + (f" to #{gap[-1]}" if len(gap) > 1 else "") for gap in one.missing]
        if gaps:
            words += f"; missing: {', '.join(gaps[:SHOWN_MOST])}"
        yield "chain", words
    if not found:
        yield "records", "none"
    if len(found) > SHOWN_MOST:
        yield "chain", f"and {len(found) - SHOWN_MOST} more"


def _bodies(tally: Tally) -> Iterator[tuple[str, str]]:
    photos = [one for one in tally.whole if one.kind == RecordKind.PHOTO]
    plain = sum(one.body.type == BODY_TYPE for one in photos)
    if plain:
        yield "photos", f"{plain} of {len(photos)} are readable by everybody who has the card"
    elif photos:
        yield "photos", f"all {len(photos)} are sealed: only the office opens them"
