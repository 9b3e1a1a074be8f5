"""`doorstep verify`: whether a set of record files is whole, genuine and in sequence.

It needs no network, no queue and no configuration: what it says follows from the files.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.record import signing
from agent.record.sealing import Identity
from agent.record.verify import chain, words
from agent.record.verify.found import Record, Stranger, read


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
    found = [read(path, identities) for path in sorted(paths)]
    records = [each for each in found if isinstance(each, Record)]
    strangers = [each for each in found if isinstance(each, Stranger)]
    records.sort(key=lambda each: (each.label.chain, each.label.seq, each.name))
    keys = chain.check_keys(records, pinned)
    signed = [each for each in records if each.kid == keys[each.label.device_id]]
    genuine = chain.originals(chain.by_their_owner(signed))
    chain.check_starts(genuine)
    chain.check_forks(genuine)
    chain.check_voids(genuine)
    gaps = chain.check_links(genuine)
    problems = len(strangers) + len(gaps) + sum(len(each.problems) for each in records)
    lines = [
        *words.record_lines(records, gaps),
        *(f"file {each.name}  {each.problem}" for each in strangers),
        *words.summary(records, keys, pinned, problems),
    ]
    return Report([words.printable_line(line) for line in lines], problems)
