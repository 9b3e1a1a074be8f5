"""`doorstep verify`: whether a set of record files is whole, genuine and in sequence.

It needs no network, no queue and no configuration: what it says follows from the files.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from agent.models import rfc3339
from agent.record import signing
from agent.record.sealing import AgeIdentity
from agent.record.verify import chain, vouching, words
from agent.record.verify.findings import Record, RecordVerdict, Stranger, UnreadFile, read, worst
from agent.record.verify.supporting_files import SupportingFiles

_NO_SUPPORTING_FILES: Final = SupportingFiles()

_NO_RECORD: Final = "any record: the folder has no file (*.rec) that could be read as one"

_END: Final = "whether records are missing at the end of a chain: no folder can show that"


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The findings, for people and programs.

    Attributes:
        lines: one per record by (chain, seq), one per gap and per file that is no record, then
            the summary; printable text, whatever the files hold.
        problems: number of failed checks, without remarks. At least 1 without any record.
        verdict: on all of it.
        document: the same for programs, JSON types.
    """

    lines: list[str]
    problems: int
    verdict: RecordVerdict
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Seen:
    """The files of a folder, judged by themselves and as chains."""

    records: list[Record]
    strangers: list[Stranger]
    unread: list[UnreadFile]
    keys: Mapping[str, chain.Keys]
    gaps: words.Gaps


def examine(
    paths: Iterable[Path],
    pinned: signing.PublicKey | None,
    identities: Sequence[AgeIdentity] = (),
    supporting: SupportingFiles = _NO_SUPPORTING_FILES,
) -> VerifyReport:
    """Check the files at `paths`, one at a time, by themselves, each other, and the `supporting`.

    `identities` open sealed bodies. A body that they do not open gets a remark, and its label is
    checked all the same. A body is opened only if its record's key is the given or a certified one,
    as far as that can be judged.

    Every record must be signed by `pinned`; without one, by a key that the fleet's authority
    certified for its device; without that, by the key of the device's earliest record here.
    A chain is one device's. It may begin after 1, since old records are pruned; inside it
    nothing may be missing, and each of a device's chains must have its `chain_start` as number 1,
    except the earliest one if that does not begin at 1.
    Records that were removed from the end of a chain cannot be noticed.
    If no record could be read, nothing was verified: that is a problem, not a remark.
    """
    seen = _look(paths, pinned, identities, supporting)
    verdict = _verdict(seen, is_doubted=_is_doubted(seen, pinned, supporting))
    not_checked = [*_not_checked(seen, pinned, supporting), *words.counted(seen.records)]
    return _report(seen, verdict, not_checked)


def _report(seen: _Seen, verdict: RecordVerdict, not_checked: list[str]) -> VerifyReport:
    problems = len(seen.strangers) + len(seen.gaps) + sum(len(one.problems) for one in seen.records)
    if not seen.records:
        problems = max(problems, 1)
    dates = [each.erased for each in seen.records if each.erased is not None]
    erased = max(dates) if verdict is RecordVerdict.ERASED else None
    open_count = sum(each != _END for each in not_checked)
    lines = [
        *words.record_lines(seen.records, seen.gaps),
        *(f"file {each.name}  {each.problem}" for each in seen.strangers),
        *words.summary(seen.records, seen.keys, not_checked),
        words.last_line(words.dated(verdict, erased), problems, open_count)
        if seen.records
        else words.nothing_read(verdict),
    ]
    document = {
        "verdict": verdict,
        "erased_at": None if erased is None else rfc3339(erased),
        "records": [words.document(each) for each in seen.records],
        "missing": words.gap_documents(seen.gaps),
        "files": words.file_documents(seen.strangers),
        "not_checked": [words.printable_line(each) for each in not_checked],
    }
    return VerifyReport([words.printable_line(line) for line in lines], problems, verdict, document)


def _look(
    paths: Iterable[Path],
    pinned: signing.PublicKey | None,
    identities: Sequence[AgeIdentity],
    supporting: SupportingFiles,
) -> _Seen:
    believed: dict[vouching.Owner, bool] = {}

    def is_believed(record: Record) -> bool:
        owner = record.label.device_id, record.kid
        if owner not in believed:
            believed[owner] = vouching.is_believed(record, supporting, pinned)
        return believed[owner]

    found = [read(path, identities, supporting.authorities, is_believed) for path in sorted(paths)]
    records = [each for each in found if isinstance(each, Record)]
    records.sort(key=lambda each: (each.label.chain, each.label.seq, each.name))
    certified = vouching.certified_keys(records, supporting, is_pinned=pinned is not None)
    keys = chain.check_keys(records, pinned, certified)
    vouching.check_receipts(records, supporting)
    return _Seen(
        records,
        [each for each in found if isinstance(each, Stranger)],
        [each for each in found if isinstance(each, UnreadFile)],
        keys,
        _in_sequence([each for each in records if each.kid in keys[each.label.device_id].kids]),
    )


def _in_sequence(signed: list[Record]) -> words.Gaps:
    genuine = chain.originals(chain.by_their_owner(signed))
    chain.check_starts(genuine)
    chain.check_forks(genuine)
    chain.check_voids(genuine)
    return chain.check_links(genuine)


def _is_doubted(seen: _Seen, pinned: signing.PublicKey | None, supporting: SupportingFiles) -> bool:
    """Return True if nothing confirms the keys or the list, or something was unreadable."""
    is_anchored = pinned is not None or bool(supporting.authorities)
    is_listed = supporting.listed is None or supporting.listed.is_pinned
    is_open = bool(seen.records) and not (is_anchored and is_listed)
    return is_open or bool(seen.unread) or bool(supporting.unusable)


def _verdict(seen: _Seen, *, is_doubted: bool) -> RecordVerdict:
    """Return the worst verdict; if some bodies are present, missing ones are a remark."""
    found = [each.verdict for each in seen.records]
    is_missing = bool(seen.gaps) or not seen.records
    found += [RecordVerdict.BROKEN] * bool(seen.strangers) + [RecordVerdict.MISSING] * is_missing
    verdict = worst(found)
    if verdict is RecordVerdict.HOLDS:
        return RecordVerdict.REMARKS if is_doubted else verdict
    if verdict in {RecordVerdict.WITHHELD, RecordVerdict.ERASED} and any(
        one.has_body for one in seen.records
    ):
        return RecordVerdict.REMARKS
    return verdict


def _not_checked(
    seen: _Seen, pinned: signing.PublicKey | None, supporting: SupportingFiles
) -> Iterator[str]:
    """Yield the inputs that were not given, and what that leaves open."""
    yield from (f"file {each.name}: {each.why}" for each in seen.unread)
    if not seen.records:
        yield _NO_RECORD
        return
    if pinned is None and not supporting.authorities:
        yield "whose the keys are: neither --key nor --ca was given"
    if supporting.certificates and not supporting.authorities:
        yield "who made the certificates: no --ca"
    if supporting.listed is None:
        yield "which keys are revoked, and the dates of receipts: no list of them (--revoked)"
    else:
        if not supporting.listed.is_pinned:
            yield "who signed the list of revoked keys: no --fleet-key; it was taken at its word"
        if not supporting.listed.keys:
            yield "receipts: the list of revoked keys names none that sign them"
        elif supporting.receipts is None:
            yield "when records were received: no --receipts"
    yield from (f"file {each}" for each in supporting.unusable)
    if supporting.passed_over:
        names = ", ".join(supporting.passed_over)
        yield f"{names}: not signed, or not needed"
    yield _END
