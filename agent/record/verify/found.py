"""One file of a folder: a record whose label verifies, or a stranger."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.errors import RecordDamaged
from agent.models import LARGEST_RECORD_BYTES, Kind, Label
from agent.record import file as recordfile
from agent.record import signing
from agent.record.sealing import Identity, Unopened


@dataclass(frozen=True, slots=True)
class Record:
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
class Stranger:
    """A file that is no record, or whose label says nothing that can be believed."""

    name: str
    problem: str


def read(path: Path, identities: Sequence[Identity]) -> Record | Stranger:
    """Read one file as far as it can be believed; it is forgotten again."""
    try:
        if not path.is_file():
            return Stranger(path.name, "NOT A RECORD: not a plain file")
        if path.stat().st_size > LARGEST_RECORD_BYTES:
            return Stranger(path.name, "NOT A RECORD: too big to be one")
        content = path.read_bytes()
    except OSError as error:
        return Stranger(path.name, f"UNREADABLE: {error.strerror or error}")
    line, newline, body = content.partition(b"\n")
    try:
        if not newline or len(line) > recordfile.LABEL_LIMIT_BYTES:
            raise RecordDamaged("it does not begin with a label line")  # noqa: TRY301 - one way out
        label, key = recordfile.open_label(line)
    except RecordDamaged as error:
        return Stranger(path.name, f"NOT A RECORD: {error}")
    digests = recordfile.label_digest(content), recordfile.respelled_digest(content)
    record = Record(path.name, label, *digests, signing.thumbprint(key))
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
