"""Checks of the sequence of records: keys, chains, gaps, forks."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from agent.models import CaptureId, RecordKind
from agent.record import signing
from agent.record.verify.findings import Record, RecordVerdict
from hardware.clock import ClockSource


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that a device may use, by thumbprint, and why these."""

    kids: frozenset[str]
    why: str


def check_keys(
    records: list[Record],
    pinned: signing.PublicKey | None,
    certified: frozenset[tuple[str, str]] | None,
) -> dict[str, Keys]:
    """Return the keys of each device: the given one; else those certified for it; else its first.

    Records were judged by `certified` before; it is None if no authority was given.
    """
    keys: dict[str, Keys] = {}
    for each in sorted(records, key=lambda each: each.label.utc):  # chains have no order
        device_id = each.label.device_id
        if device_id not in keys:
            keys[device_id] = _keys(device_id, each.kid, pinned, certified)
        if each.kid not in keys[device_id].kids and (pinned or certified is None):
            whose = "the given one" if pinned else f"the first one of {device_id}"
            each.fails(RecordVerdict.NOT_OURS, f"signed by another key than {whose}")
    return keys


def _keys(
    device_id: str,
    first: str,
    pinned: signing.PublicKey | None,
    certified: frozenset[tuple[str, str]] | None,
) -> Keys:
    if pinned is not None:
        return Keys(frozenset({signing.thumbprint(pinned)}), "as given")
    if certified is not None:
        kids = (kid for owner, kid in certified if owner == device_id)
        return Keys(frozenset(kids), "by its certificate")
    return Keys(frozenset({first}), "first seen here: nobody vouches for it; --key or --ca would")


def by_their_owner(records: list[Record]) -> list[Record]:
    """Return the records of the device that owns the chain; none if the owner is unknown."""
    chains: dict[str, list[Record]] = defaultdict(list)
    for each in records:
        chains[each.label.chain].append(each)
    owners = {name: _owner(chain) for name, chain in chains.items()}
    for each in records:
        owner, device_id = owners[each.label.chain], each.label.device_id
        if owner is None:
            each.fails(
                RecordVerdict.FORKED, "several devices are in this chain, nothing tells whose it is"
            )
        elif device_id != owner:
            each.fails(RecordVerdict.NOT_OURS, f"of {device_id}, in a chain of {owner}")
    return [each for each in records if each.label.device_id == owners[each.label.chain]]


def _owner(chain: list[Record]) -> str | None:
    """Return the owner: the only device whose records follow none of another device.

    Of several such devices, it is the only one that follows its own records; None if that is
    not exactly one.
    """
    made_by = {digest: each.label.device_id for each in chain for digest in each.spellings}
    devices = {each.label.device_id for each in chain}
    follows = [(each.label.device_id, made_by.get(each.label.prev or "")) for each in chain]
    left = devices - {one for one, other in follows if other not in {None, one}}
    for found in (left, {one for one, other in follows if one == other} & left):
        if len(found) == 1:
            return found.pop()
    return None


def originals(records: list[Record]) -> list[Record]:
    """Return each label once; a second file with the same label is a copy, not a fork."""
    first: dict[frozenset[str], Record] = {}
    for each in records:
        original = first.setdefault(each.spellings, each)
        if original is not each:
            is_same = original.label_sha256 == each.label_sha256
            how = "" if is_same else ", with the other spelling of its signature"
            each.remarks.append(f"it has the same label as {original.name}{how}")
    return list(first.values())


def check_starts(records: list[Record]) -> None:
    """Name chains without their `chain_start`.

    Only the earliest chain of a device may lack it, because old records are pruned. If its number
    1 is there, nothing was pruned, and every release of the agent gave that number to a
    `chain_start`.
    """
    chains: dict[str, list[Record]] = defaultdict(list)
    for each in records:
        chains[each.label.chain].append(each)
    devices: set[str] = set()
    for chain in sorted(chains.values(), key=_began):
        first = chain[0].label
        which = "second" if first.device_id in devices else "first"
        is_pruned = which == "first" and first.seq > 1
        is_whole = (first.seq, first.kind) == (1, RecordKind.CHAIN_START)
        if not is_pruned and not is_whole:
            words = f"the chain_start of this {which} chain of {first.device_id}"
            chain[0].fails(RecordVerdict.MISSING, words)
        devices.add(first.device_id)


def _began(chain: list[Record]) -> tuple[int, str, bool]:
    """Return a key that sorts chains; without a clock, pruned ones first, and new ones last.

    Among these a chain without its chain_start comes last: no device made it first.
    """
    utc = [each.label.utc for each in chain if each.label.clock != ClockSource.UNSYNCED]
    first = chain[0].label
    turn = 1 if utc else 0 if first.seq > 1 else 2
    return turn, min(utc, default=""), first.kind != RecordKind.CHAIN_START


def check_forks(records: list[Record]) -> None:
    """Report two records of one number, of one id, or after the same record."""
    by_number, by_prev, by_id = defaultdict(list), defaultdict(list), defaultdict(list)
    one_of = {digest: min(each.spellings) for each in records for digest in each.spellings}
    for each in records:
        by_number[each.label.chain, each.label.seq].append(each)
        by_id[each.label.capture_id].append(each)
        if each.label.prev is not None:
            by_prev[one_of.get(each.label.prev, each.label.prev)].append(each)
    for group in _several(by_number.values()):
        for each in group:
            each.fails(RecordVerdict.FORKED, f"{len(group)} records have this number")
    for group in _several(by_prev.values()):
        if len({(each.label.chain, each.label.seq) for each in group}) > 1:
            for each in group:
                each.fails(RecordVerdict.FORKED, f"{len(group)} records follow the same one")
    for group in _several(by_id.values()):
        for each in group:
            each.fails(RecordVerdict.FORKED, f"{len(group)} records have this id")


def _several(groups: Iterable[list[Record]]) -> Iterator[list[Record]]:
    return (group for group in groups if len(group) > 1)


def check_voids(records: list[Record]) -> None:
    """Report voids of other devices' records: a device takes back its own records only."""
    by_id = {each.label.capture_id: each for each in records}
    for each in records:
        about = each.label.about
        if about is None:
            continue
        if about == each.label.capture_id:
            each.fails(RecordVerdict.BROKEN, "it takes back itself")
            continue
        taken_back = by_id.get(CaptureId(about))
        if taken_back is None:
            each.remarks.append(f"takes back {about}, which is not in this folder")
        elif taken_back.label.device_id != each.label.device_id:
            each.fails(RecordVerdict.NOT_OURS, f"takes back {about} of another device")
        else:
            each.facts.append(f"takes back #{taken_back.label.seq}")
            taken_back.remarks.append(f"taken back by #{each.label.seq}")


def check_links(records: list[Record]) -> dict[tuple[str, int], range]:
    """Check every `prev`; the missing numbers, by chain and number of the next record."""
    digests: dict[tuple[str, int], set[str]] = defaultdict(set)
    respelled = {each.respelled_sha256 for each in records}
    for each in records:
        digests[each.label.chain, each.label.seq] |= each.spellings
    for each in records:
        last = each.label.seq - 1
        before = digests.get((each.label.chain, last))
        if before and each.label.prev not in before:
            each.fails(RecordVerdict.BROKEN, f"it does not follow the #{last} here")
        elif before and each.label.prev in respelled:
            each.remarks.append(f"it follows #{last} by the other spelling of its signature")
    gaps: dict[tuple[str, int], range] = {}
    for (chain, before_seq), (other, seq) in pairwise(sorted(digests)):
        if chain == other and seq - before_seq > 1:
            gaps[chain, seq] = range(before_seq + 1, seq)
    return gaps
