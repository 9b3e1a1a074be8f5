"""A file of a folder: a record whose label verifies, or a stranger."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from agent.errors import RecordDamaged
from agent.models import LARGEST_RECORD_BYTES, RecordLabel
from agent.record import file as recordfile
from agent.record import signing
from agent.record.certificates import CertificateChain
from agent.record.sealing import AgeIdentity, Unopened
from agent.record.verify import inside
from hardware.clock import ClockSource
from hardware.foreign import read_file


class RecordVerdict(StrEnum):
    """The verdict on a record, and on all of them; the first in this list counts.

    The first four do not verify. If only the label is left, the chain verifies, and nothing is
    known of the photo.
    """

    BROKEN = "broken"
    FORKED = "forked"
    MISSING = "missing"
    NOT_OURS = "not ours"
    WITHHELD = "withheld"
    ERASED = "erased"
    REMARKS = "holds with remarks"
    HOLDS = "holds"


def worst(verdicts: Sequence[RecordVerdict]) -> RecordVerdict:
    """Return the verdict that counts; HOLDS without any."""
    return min(verdicts, key=list(RecordVerdict).index, default=RecordVerdict.HOLDS)


@dataclass(frozen=True, slots=True)
class Problem:
    """A failed check, as text."""

    verdict: RecordVerdict
    words: str

    def __str__(self) -> str:
        return f"{self.verdict.upper()}: {self.words}"


@dataclass(slots=True)
class Record:
    """A file whose label verifies against the key that it carries.

    Its signature has a second spelling, which verifies too (`respelled_sha256`).

    Attributes:
        file_bytes: size that the whole file should have.
        file_sha256s: digests of the whole file, with either spelling of its signature; none without
            a body.
        remarks: things that a person who relies on the record should know.
        facts: things that are as they should be.
        unchecked: things that could not be checked, and why; the same words for the same reason.
        erased: time at which the body was erased, by a signed statement.
    """

    path: Path
    label: RecordLabel
    key: signing.PublicKey
    label_sha256: str
    respelled_sha256: str
    file_bytes: int
    file_sha256s: frozenset[str]
    problems: list[Problem] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    erased: datetime | None = None

    @property
    def name(self) -> str:
        """The file's."""
        return self.path.name

    @property
    def kid(self) -> str:
        """The thumbprint of its key."""
        return signing.thumbprint(self.key)

    @property
    def spellings(self) -> frozenset[str]:
        """Possible values of the next record's `prev`; the same for a copy in either spelling."""
        return frozenset({self.label_sha256, self.respelled_sha256})

    @property
    def has_body(self) -> bool:
        """True if there is more than the label."""
        return bool(self.file_sha256s)

    @property
    def verdict(self) -> RecordVerdict:
        """Verdict on the whole record."""
        if self.problems:
            return worst([each.verdict for each in self.problems])
        if not self.has_body:
            return RecordVerdict.WITHHELD if self.erased is None else RecordVerdict.ERASED
        return RecordVerdict.REMARKS if self.remarks else RecordVerdict.HOLDS

    def is_file(self, sha256: str) -> bool:
        """Return True if this may be the digest of the whole file; for a label alone, always."""
        return not self.file_sha256s or sha256 in self.file_sha256s

    def fails(self, verdict: RecordVerdict, words: str) -> None:
        """Say what does not verify."""
        self.problems.append(Problem(verdict, words))


@dataclass(frozen=True, slots=True)
class Stranger:
    """A file that is no record, or whose label cannot be believed."""

    name: str
    problem: str


@dataclass(frozen=True, slots=True)
class UnreadFile:
    """A file that this user or the disk cannot read: it has no verdict."""

    name: str
    why: str


def read(
    path: Path,
    identities: Sequence[AgeIdentity],
    authorities: CertificateChain,
    is_believed: Callable[[Record], bool],
) -> Record | Stranger | UnreadFile:
    """Read and judge one file as far as it can be believed, and keep no content.

    Args:
        path: the path of the file.
        identities: the identities that open sealed bodies.
        authorities: the fleet's, for the credentials in a photo.
        is_believed: returns True if the key of a record is confirmed. The body of any other record
            is only compared with its label: a stranger's bytes are never parsed.
    """
    try:
        line, body, record = _labelled(path)
    except OSError as error:
        return UnreadFile(path.name, error.strerror or str(error))
    except RecordDamaged as error:
        return Stranger(path.name, f"NOT A RECORD: {error}")
    if body:
        opens = identities if is_believed(record) else None
        _look_inside(record, line, body, opens, authorities)
    else:  # which the label allows: the chain still verifies
        record.remarks.append("only the label is left, its body was erased or withheld")
    if record.label.clock == ClockSource.UNSYNCED:
        record.remarks.append("its time is a guess: no clock vouched for it")
    if path.stem != record.label.capture_id:
        record.remarks.append(f"its own name is {record.label.capture_id}")
    return record


def _labelled(path: Path) -> tuple[bytes, bytes, Record]:
    """Return label line, body and unopened record; raises OSError, RecordDamaged."""
    content = _content(path)
    line, newline, body = content.partition(b"\n")
    if not newline or len(line) > recordfile.LABEL_LIMIT_BYTES:
        raise RecordDamaged("it does not begin with a label line")
    label, key = recordfile.open_label(line)
    record = Record(
        path,
        label,
        key,
        recordfile.label_digest(content),
        recordfile.respelled_digest(content),
        len(line) + 1 + label.body.bytes,
        recordfile.file_digests(content) if body else frozenset(),
    )
    return line, body, record


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise RecordDamaged("not a plain file")
    try:
        return read_file(path, LARGEST_RECORD_BYTES)
    except ValueError as error:
        raise RecordDamaged(str(error)) from error


def _look_inside(
    record: Record,
    line: bytes,
    body: bytes,
    identities: Sequence[AgeIdentity] | None,
    authorities: CertificateChain,
) -> None:
    """Compare the body with the label, and look into it; with None as identities only compare."""
    try:
        checked = recordfile.check_body(line, record.label, record.key, body)
        if identities is None:
            record.unchecked.append("what is in bodies by keys that nobody vouches for")
            return
        opened = recordfile.open_checked(checked, identities)
    except Unopened as error:
        record.remarks.append(str(error))
        why = "none of the identities opens them" if identities else "no --identity"
        record.unchecked.append(f"what is in sealed bodies: {why}")
    except RecordDamaged as error:
        record.fails(RecordVerdict.BROKEN, str(error))
    else:
        seen = inside.look(opened, authorities)
        for words in seen.problems:
            record.fails(RecordVerdict.BROKEN, words)
        record.remarks.extend(seen.remarks)
        record.facts.extend(seen.facts)
        record.unchecked.extend(seen.unchecked)
