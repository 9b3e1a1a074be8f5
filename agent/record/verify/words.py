"""The findings as lines of text and as JSON."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from agent.models import rfc3339
from agent.record.verify.chain import Keys
from agent.record.verify.findings import Record, RecordVerdict, Stranger

_LINE_LIMIT: Final = 600
"""Longest line of a report in characters; the text of a hostile file is cut there."""

_CHAIN_SHOWN: Final = 8
"""Characters of a chain's id in a line; the id is random."""

Gaps = Mapping[tuple[str, int], range]
"""The numbers that are missing, by chain and number of the record that follows."""


def record_lines(records: Sequence[Record], gaps: Gaps) -> Iterator[str]:
    """Yield a line per record and per gap, in their order."""
    chain_before, seq_before = "", 0
    places = [(each.label.chain, each.label.seq) for each in records]
    for each in records:
        label = each.label
        chain = f"chain {_short(label.chain)}"
        if label.chain != chain_before and label.seq > 1:
            yield f"{chain}  begins at #{label.seq} (earlier ones are not in this folder)"
        gap = gaps.get((label.chain, label.seq))
        if gap and (label.chain, label.seq) != (chain_before, seq_before):
            upto = f" to #{gap[-1]}" if len(gap) > 1 else ""
            at = bisect_left(places, (label.chain, gap[0]))
            rest = (
                ", except files that do not verify"
                if places[at] != (label.chain, label.seq)
                else ""
            )
            yield f"{chain}  #{gap[0]}{upto}  MISSING: not in this folder{rest}"
        chain_before, seq_before = label.chain, label.seq
        facts = f"#{label.seq:<5} {label.kind:<11} {label.utc} {label.clock:<8}"
        yield f"{chain}  {facts} {_findings(each)}"


def _findings(each: Record) -> str:
    others = [*each.remarks, *each.facts]
    if each.problems:
        return f"{'; '.join([*map(str, each.problems), *others])} ({each.name})"
    if each.verdict is RecordVerdict.HOLDS:
        return "; ".join([each.verdict, *others])
    return f"{dated(each.verdict, each.erased)}: {'; '.join(others)}"


def dated(verdict: RecordVerdict, erased: datetime | None) -> str:
    """Return the verdict, with the day if a body was erased."""
    is_dated = verdict is RecordVerdict.ERASED and erased is not None
    return f"{verdict} on {erased:%Y-%m-%d}" if is_dated else verdict


def _short(chain: str) -> str:
    return chain if len(chain) <= _CHAIN_SHOWN else f"{chain[:_CHAIN_SHOWN]}..."


def summary(
    records: Sequence[Record], keys: Mapping[str, Keys], not_checked: Sequence[str]
) -> Iterator[str]:
    """Yield the keys, the unchecked things, and the totals."""
    for device_id, found in sorted(keys.items()):
        for kid in sorted(found.kids):
            yield f"key of {device_id}: {kid} ({found.why})"
    yield from (f"not checked: {words}" for words in not_checked)
    chains = len({each.label.chain for each in records})
    bad = sum(bool(each.problems) for each in records)
    yield f"records: {len(records)}, chains: {chains}, with a problem: {bad}"


def last_line(verdict: str, problems: int, unchecked: int) -> str:
    """Return the verdict on all of it; `unchecked` are things, apart from the end of chains."""
    if problems:
        found = "1 problem" if problems == 1 else f"{problems} problems"
        return f"{verdict}: {found}, not everything verifies"
    if verdict == RecordVerdict.HOLDS and not unchecked:
        return f"{verdict}: everything verifies"
    things = "1 thing was" if unchecked == 1 else f"{unchecked} things were"
    rest = f"; {things} not checked" if unchecked else ""
    return f"{verdict}: nothing that was checked contradicts it{rest}"


def nothing_read(verdict: str) -> str:
    """Return the last line of a report on no record at all."""
    return f"{verdict}: not one record could be read, so nothing was verified"


def counted(records: Sequence[Record]) -> list[str]:
    """Return what could not be checked, each reason once."""
    found = Counter(words for each in records for words in each.unchecked)
    return [f"{words} ({_records(number)})" for words, number in sorted(found.items())]


def _records(number: int) -> str:
    return "1 record" if number == 1 else f"{number} records"


def document(each: Record) -> dict[str, Any]:
    """Return a record for programs; text of a hostile file is made printable."""
    label = each.label
    said = [*(one.words for one in each.problems), *each.remarks, *each.facts]
    return {
        "file": printable_line(each.name),
        "verdict": each.verdict,
        "words": [printable_line(words) for words in said],
        "erased_at": None if each.erased is None else rfc3339(each.erased),
        "capture_id": label.capture_id,
        "device_id": label.device_id,
        "chain": label.chain,
        "seq": label.seq,
        "kind": label.kind,
        "utc": label.utc,
        "clock": label.clock,
    }


def gap_documents(gaps: Gaps) -> list[dict[str, Any]]:
    """Return the missing numbers, for programs."""
    return [
        {"chain": chain, "from_seq": gap[0], "to_seq": gap[-1], "verdict": RecordVerdict.MISSING}
        for (chain, _), gap in sorted(gaps.items())
    ]


def file_documents(strangers: Sequence[Stranger]) -> list[dict[str, Any]]:
    """Return the files that are no records, for programs."""
    return [
        {
            "file": printable_line(each.name),
            "verdict": RecordVerdict.BROKEN,
            "words": [printable_line(each.problem)],
        }
        for each in strangers
    ]


def printable_line(line: str) -> str:
    """Return the line as a terminal may show it."""
    text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)
    return text if len(text) <= _LINE_LIMIT else f"{text[:_LINE_LIMIT]}..."
