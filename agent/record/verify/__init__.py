"""`doorstep verify`: whether a set of record files is whole, genuine and in sequence.

It needs no network, no queue and no configuration: what it says follows from the files.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from agent.record import signing
from agent.record.sealing import Identity
from agent.record.verify import chain, vouching, words
from agent.record.verify.found import Record, Stranger, Verdict, read, worst
from agent.record.verify.papers import Papers

_NO_PAPERS: Final = Papers()


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, in words.

    Attributes:
        lines: one per record by (chain, seq), one per gap and per file that is no record, then
            the summary; printable text, whatever the files hold.
        problems: how many things do not verify; remarks are none.
        verdict: on all of it, in words.
        document: the same for programs, JSON types.
    """

    lines: list[str]
    problems: int
    verdict: str
    document: dict[str, Any]


def examine(
    paths: Iterable[Path],
    pinned: signing.PublicKey | None,
    identities: Sequence[Identity] = (),
    papers: Papers = _NO_PAPERS,
) -> Report:
    """Check the files at `paths`, one at a time, by themselves, each other, and the `papers`.

    What is sealed is opened by `identities`; what they do not open is told in a remark, and all
    that its label says is checked all the same.

    Every record must be signed by `pinned`; without one, by a key that the fleet's authority
    certified for its device; without that, by the key of the device's earliest record here.
    A chain is one device's. It may begin after 1, since old records are pruned; inside it
    nothing may be missing, and a device's second chain must have its `chain_start`.
    What was removed from the end of a chain cannot be seen.
    """
    found = [read(path, identities, papers.authorities) for path in sorted(paths)]
    records = [each for each in found if isinstance(each, Record)]
    strangers = [each for each in found if isinstance(each, Stranger)]
    records.sort(key=lambda each: (each.label.chain, each.label.seq, each.name))
    certified = vouching.certified(records, papers, is_pinned=pinned is not None)
    keys = chain.check_keys(records, pinned, certified)
    vouching.check_receipts(records, papers)
    gaps = _in_sequence([each for each in records if each.kid in keys[each.label.device_id].kids])
    problems = len(strangers) + len(gaps) + sum(len(each.problems) for each in records)
    verdict = _verdict(records, strangers, gaps, is_vouched=_is_vouched(pinned, papers))
    not_checked = [*_not_checked(records, pinned, papers), *words.counted(records)]
    lines = [
        *words.record_lines(records, gaps),
        *(f"file {each.name}  {each.problem}" for each in strangers),
        *words.summary(records, keys, not_checked),
        words.last_line(verdict, problems),
    ]
    document = {
        "verdict": verdict,
        "records": [words.document(each) for each in records],
        "missing": words.gap_documents(gaps),
        "files": words.file_documents(strangers),
        "not_checked": [words.printable_line(each) for each in not_checked],
    }
    return Report([words.printable_line(line) for line in lines], problems, verdict, document)


def _in_sequence(signed: list[Record]) -> words.Gaps:
    genuine = chain.originals(chain.by_their_owner(signed))
    chain.check_starts(genuine)
    chain.check_forks(genuine)
    chain.check_voids(genuine)
    return chain.check_links(genuine)


def _is_vouched(pinned: signing.PublicKey | None, papers: Papers) -> bool:
    """Whether somebody says whose the keys are, and whose the list is."""
    is_listed = papers.listed is None or papers.listed.is_pinned
    return is_listed and (pinned is not None or bool(papers.authorities))


def _verdict(
    records: Sequence[Record],
    strangers: Sequence[Stranger],
    gaps: words.Gaps,
    *,
    is_vouched: bool,
) -> str:
    """The worst of them; but where some bodies are there, the others are a remark.

    That nobody says whose the keys or the list are is one too.
    """
    found = [each.verdict for each in records]
    found += [Verdict.BROKEN] * bool(strangers) + [Verdict.MISSING] * bool(gaps)
    verdict = worst(found)
    if verdict is Verdict.HOLDS and records and not is_vouched:
        return Verdict.REMARKS
    if verdict not in {Verdict.WITHHELD, Verdict.ERASED}:
        return verdict
    if any(each.has_body for each in records):
        return Verdict.REMARKS
    dates = sorted(each.erased for each in records if each.erased is not None)
    return f"{verdict} on {dates[-1]:%Y-%m-%d}" if verdict is Verdict.ERASED else verdict


def _not_checked(
    records: Sequence[Record], pinned: signing.PublicKey | None, papers: Papers
) -> Iterator[str]:
    """What was not given, and what that leaves open."""
    if not records:
        return
    if pinned is None and not papers.authorities:
        yield "whose the keys are: neither --key nor --ca was given"
    if papers.certificates and not papers.authorities:
        yield "who made the certificates: no --ca"
    if papers.listed is None:
        yield "which keys are revoked, and the dates of receipts: no --revoked"
    else:
        if not papers.listed.is_pinned:
            yield "who signed the list of revoked keys: no --fleet-key; it was taken at its word"
        if not papers.listed.keys:
            yield "receipts: the list of revoked keys names none that sign them"
        elif papers.receipts is None:
            yield "when records were received: no --receipts"
    yield from (f"file {each}" for each in papers.unusable)
    yield "whether records are missing at the end of a chain: no folder can show that"
