"""`doorstep verify`: whether a set of record files is whole, genuine and in sequence.

It needs no network, no queue and no configuration: what it says follows from the files.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

from agent.errors import RecordDamaged
from agent.models import LARGEST_RECORD_BYTES, CaptureId, Kind, Label
from agent.record import file as recordfile
from agent.record import signing
from agent.record.sealing import Identity, Unopened
from hardware.clock import ClockSource

_LINE_LIMIT: Final = 300
"""Longest line of a report in characters; what a hostile file says of itself is cut there."""

_CHAIN_SHOWN: Final = 8
"""Characters of a chain's id in a line; the id is random."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, in words.

    Attributes:
        lines: one per record by (chain, seq), one per gap and per file that is no record, then
            the summary; printable text, whatever the files hold.
        problems: how many things do not verify; notes are none.
    """

    lines: list[str]
    problems: int


@dataclass(frozen=True, slots=True)
class _Record:
    """A file whose label verifies against the key that it carries.

    Its signature could stand there as another one, which verifies too (`respelled_sha256`).
    """

    name: str
    label: Label
    label_sha256: str
    respelled_sha256: str
    kid: str
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def spellings(self) -> frozenset[str]:
        """What the next record's `prev` may be; the same for a copy in either spelling."""
        return frozenset({self.label_sha256, self.respelled_sha256})


@dataclass(frozen=True, slots=True)
class _Stranger:
    """A file that is no record, or whose label says nothing that can be believed."""

    name: str
    problem: str


def examine(
    paths: Iterable[Path],
    pinned: signing.PublicKey | None,
    identities: Sequence[Identity] = (),
) -> Report:
    """Check signatures, digests, links, gaps and forks of the files at `paths`, one at a time.

    What is sealed is opened by `identities`; what they do not open is told in a note, and all that
    its label says is checked all the same.

    Every record must be signed by `pinned`; without one, by the key of the device's earliest record
    here. A chain is one device's. It may begin after 1, since old records are pruned; inside it
    nothing may be missing, and a device's second chain must have its `chain_start`.
    What was removed from the end of a chain cannot be seen.
    """
    found = [_read(path, identities) for path in sorted(paths)]
    records = [each for each in found if isinstance(each, _Record)]
    strangers = [each for each in found if isinstance(each, _Stranger)]
    records.sort(key=lambda each: (each.label.chain, each.label.seq, each.name))
    keys = _check_keys(records, pinned)
    signed = [each for each in records if each.kid == keys[each.label.device_id]]
    genuine = _originals(_by_their_owner(signed))
    _check_starts(genuine)
    _check_forks(genuine)
    _check_voids(genuine)
    gaps = _check_links(genuine)
    problems = len(strangers) + len(gaps) + sum(len(each.problems) for each in records)
    lines = [
        *_record_lines(records, gaps),
        *(f"file {each.name}  {each.problem}" for each in strangers),
        *_summary(records, keys, pinned, problems),
    ]
    return Report([_printable(line) for line in lines], problems)


def _read(path: Path, identities: Sequence[Identity]) -> _Record | _Stranger:
    try:
        if not path.is_file():
            return _Stranger(path.name, "NOT A RECORD: not a plain file")
        if path.stat().st_size > LARGEST_RECORD_BYTES:
            return _Stranger(path.name, "NOT A RECORD: too big to be one")
        content = path.read_bytes()
    except OSError as error:
        return _Stranger(path.name, f"UNREADABLE: {error.strerror or error}")
    line, newline, body = content.partition(b"\n")
    try:
        if not newline or len(line) > recordfile.LABEL_LIMIT_BYTES:
            raise RecordDamaged("it does not begin with a label line")  # noqa: TRY301 - one way out
        label, key = recordfile.open_label(line)
    except RecordDamaged as error:
        return _Stranger(path.name, f"NOT A RECORD: {error}")
    digests = recordfile.label_digest(content), recordfile.respelled_digest(content)
    record = _Record(path.name, label, *digests, signing.thumbprint(key))
    if body:
        try:
            record.problems.extend(_check_body(label, content, identities))
        except Unopened as error:
            record.notes.append(str(error))
    else:  # which the label allows: the chain still verifies
        record.notes.append("only the label is left, its body was erased or withheld")
    if path.stem != label.capture_id:
        record.notes.append(f"its own name is {label.capture_id}")
    return record


def _check_body(label: Label, content: bytes, identities: Sequence[Identity]) -> Iterator[str]:
    """Raises Unopened."""
    try:
        opened = recordfile.unpack(content, identities)
    except RecordDamaged as error:
        yield f"DAMAGED: {error}"
        return
    if label.kind == Kind.PHOTO and opened.photo is None:
        yield "DAMAGED: a photo record without photo.jpg"
    told = opened.record.get("photo")
    if opened.photo is None or not isinstance(told, dict) or "sha256" not in told:
        return
    if told["sha256"] != hashlib.sha256(opened.photo).hexdigest():
        yield "DAMAGED: photo.jpg is not the photo that record.json describes"


def _check_keys(records: list[_Record], pinned: signing.PublicKey | None) -> dict[str, str]:
    """The key that each device must use, by thumbprint."""
    given = None if pinned is None else signing.thumbprint(pinned)
    keys: dict[str, str] = {}
    for each in sorted(records, key=lambda each: each.label.utc):  # chains have no order
        if each.kid != keys.setdefault(each.label.device_id, given or each.kid):
            whose = "the given one" if given else f"the first one of {each.label.device_id}"
            each.problems.append(f"NOT GENUINE: signed by another key than {whose}")
    return keys


def _by_their_owner(records: list[_Record]) -> list[_Record]:
    """Those made by the device that made the first one of their chain here."""
    owners: dict[str, str] = {}
    for each in records:
        owner = owners.setdefault(each.label.chain, each.label.device_id)
        if each.label.device_id != owner:
            each.problems.append(f"NOT GENUINE: of {each.label.device_id}, in a chain of {owner}")
    return [each for each in records if each.label.device_id == owners[each.label.chain]]


def _originals(records: list[_Record]) -> list[_Record]:
    """Each label once; a second file with the same label is a copy, not a fork."""
    first: dict[frozenset[str], _Record] = {}
    for each in records:
        original = first.setdefault(each.spellings, each)
        if original is not each:
            is_same = original.label_sha256 == each.label_sha256
            how = "" if is_same else ", with the other spelling of its signature"
            each.notes.append(f"a copy of {original.name}{how}")
    return list(first.values())


def _check_starts(records: list[_Record]) -> None:
    """Only a device's earliest chain may be there without its beginning."""
    chains: dict[str, list[_Record]] = defaultdict(list)
    for each in records:
        chains[each.label.chain].append(each)
    devices: set[str] = set()
    for chain in sorted(chains.values(), key=_began):
        first = chain[0].label
        if first.device_id in devices and (first.seq, first.kind) != (1, Kind.CHAIN_START):
            words = f"MISSING: the chain_start of this second chain of {first.device_id}"
            chain[0].problems.append(words)
        devices.add(first.device_id)


def _began(chain: list[_Record]) -> tuple[int, str, bool]:
    """Chains in order; where no clock knew, pruned ones first, and last those that begin here.

    Among these what lacks its chain_start comes behind: no device made it first.
    """
    utc = [each.label.utc for each in chain if each.label.clock != ClockSource.UNSYNCED]
    first = chain[0].label
    turn = 1 if utc else 0 if first.seq > 1 else 2
    return turn, min(utc, default=""), first.kind != Kind.CHAIN_START


def _check_forks(records: list[_Record]) -> None:
    by_number, by_prev, by_id = defaultdict(list), defaultdict(list), defaultdict(list)
    one_of = {digest: min(each.spellings) for each in records for digest in each.spellings}
    for each in records:
        by_number[each.label.chain, each.label.seq].append(each)
        by_id[each.label.capture_id].append(each)
        if each.label.prev is not None:
            by_prev[one_of.get(each.label.prev, each.label.prev)].append(each)
    for group in _several(by_number.values()):
        for each in group:
            each.problems.append(f"FORK: {len(group)} records have this number")
    for group in _several(by_prev.values()):
        if len({(each.label.chain, each.label.seq) for each in group}) > 1:
            for each in group:
                each.problems.append(f"FORK: {len(group)} records follow the same one")
    for group in _several(by_id.values()):
        for each in group:
            each.problems.append(f"FORK: {len(group)} records have this id")


def _several(groups: Iterable[list[_Record]]) -> Iterator[list[_Record]]:
    return (group for group in groups if len(group) > 1)


def _check_voids(records: list[_Record]) -> None:
    by_id = {each.label.capture_id: each for each in records}
    for each in records:
        about = each.label.about
        if about is None:
            continue
        taken_back = by_id.get(CaptureId(about))
        if taken_back is None:
            each.notes.append(f"takes back {about}, which is not in this folder")
        elif taken_back.label.device_id != each.label.device_id:
            each.problems.append(f"NOT GENUINE: takes back {about} of another device")
        else:
            each.notes.append(f"takes back #{taken_back.label.seq}")


def _check_links(records: list[_Record]) -> dict[tuple[str, int], str]:
    """Check every `prev`; the gaps, by the chain and number of the record that follows."""
    digests: dict[tuple[str, int], set[str]] = defaultdict(set)
    respelled = {each.respelled_sha256 for each in records}
    for each in records:
        digests[each.label.chain, each.label.seq] |= each.spellings
    for each in records:
        last = each.label.seq - 1
        before = digests.get((each.label.chain, last))
        if before and each.label.prev not in before:
            each.problems.append(f"BROKEN: it does not follow the #{last} here")
        elif before and each.label.prev in respelled:
            each.notes.append(f"it follows #{last} by the other spelling of its signature")
    gaps = {}
    for (chain, before_seq), (other, seq) in pairwise(sorted(digests)):
        if chain == other and seq - before_seq > 1:
            upto = f" to #{seq - 1}" if seq - before_seq > 2 else ""
            gaps[chain, seq] = f"#{before_seq + 1}{upto}  MISSING: not in this folder"
    return gaps


def _record_lines(records: list[_Record], gaps: dict[tuple[str, int], str]) -> Iterator[str]:
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


def _verdict(each: _Record) -> str:
    words = "; ".join([*(each.problems or ["ok"]), *each.notes])
    return f"{words} ({each.name})" if each.problems else words


def _short(chain: str) -> str:
    return chain if len(chain) <= _CHAIN_SHOWN else f"{chain[:_CHAIN_SHOWN]}..."


def _summary(
    records: list[_Record],
    keys: dict[str, str],
    pinned: signing.PublicKey | None,
    problems: int,
) -> Iterator[str]:
    for device_id, kid in sorted(keys.items()):
        how = "as given" if pinned else "first seen here; --key pins it"
        yield f"key of {device_id}: {kid} ({how})"
    chains = len({each.label.chain for each in records})
    bad = sum(bool(each.problems) for each in records)
    yield f"records: {len(records)}, chains: {chains}, with a problem: {bad}"
    found = "1 problem" if problems == 1 else f"{problems} problems"
    yield f"{found}: not everything verifies" if problems else "everything verifies"


def _printable(line: str) -> str:
    text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)
    return text if len(text) <= _LINE_LIMIT else f"{text[:_LINE_LIMIT]}..."
