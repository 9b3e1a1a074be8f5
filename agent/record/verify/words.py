"""What was found, in lines of words."""

from collections.abc import Iterator
from typing import Final

from agent.record import signing
from agent.record.verify.found import Record

_LINE_LIMIT: Final = 300
"""Longest line of a report in characters; what a hostile file says of itself is cut there."""

_CHAIN_SHOWN: Final = 8
"""Characters of a chain's id in a line; the id is random."""


def record_lines(records: list[Record], gaps: dict[tuple[str, int], str]) -> Iterator[str]:
    """A line per record and per gap, in their order."""
    chain_before, seq_before = "", 0
    for each in records:
        label = each.label
        chain = f"chain {_short(label.chain)}"
        if label.chain != chain_before and label.seq > 1:
            yield f"{chain}  begins at #{label.seq} (earlier ones are not in this folder)"
        if (label.chain, label.seq) != (chain_before, seq_before):
            gap = gaps.get((label.chain, label.seq))
            yield from [f"{chain}  {gap}"] if gap else []
        chain_before, seq_before = label.chain, label.seq
        facts = f"#{label.seq:<5} {label.kind:<11} {label.utc} {label.clock:<8}"
        yield f"{chain}  {facts} {_verdict(each)}"


def _verdict(each: Record) -> str:
    words = "; ".join([*(each.problems or ["ok"]), *each.notes])
    return f"{words} ({each.name})" if each.problems else words


def _short(chain: str) -> str:
    return chain if len(chain) <= _CHAIN_SHOWN else f"{chain[:_CHAIN_SHOWN]}..."


def summary(
    records: list[Record],
    keys: dict[str, str],
    pinned: signing.PublicKey | None,
    problems: int,
) -> Iterator[str]:
    """The keys, and how many of everything."""
    for device_id, kid in sorted(keys.items()):
        how = "as given" if pinned else "first seen here; --key pins it"
        yield f"key of {device_id}: {kid} ({how})"
    chains = len({each.label.chain for each in records})
    bad = sum(bool(each.problems) for each in records)
    yield f"records: {len(records)}, chains: {chains}, with a problem: {bad}"
    found = "1 problem" if problems == 1 else f"{problems} problems"
    yield f"{found}: not everything verifies" if problems else "everything verifies"


def printable_line(line: str) -> str:
    """The line as a terminal may show it."""
    text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)
    return text if len(text) <= _LINE_LIMIT else f"{text[:_LINE_LIMIT]}..."
