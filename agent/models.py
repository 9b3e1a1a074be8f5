"""The vocabulary: ids, kinds, states, what one press becomes, how times and codes are written."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, NewType
from urllib.parse import urlsplit

CaptureId = NewType("CaptureId", str)
"""A UUIDv4 in its canonical text form; it holds no time."""

CAPTURE_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""A UUID of any version: what an id of a record looks like to a reader."""

DEVICE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
"""A device's id, and the common name of another system's certificate."""

SHA256: Final = re.compile(r"[0-9a-f]{64}")
"""A digest in lower-case hex."""

CODE: Final = re.compile(r"[!-~]([ -~]{0,126}[!-~])?")
"""A parcel's code: printable ASCII without a space at its ends.

A GS1-128 symbol has 48 characters at most; the codes in two dimensions that carriers print have
more, and 128 are room for them. Source: GS1 General Specifications, section 5.4.
"""

LARGEST_RECORD_BYTES: Final = 67_108_864
"""A larger file is no record and is not read: a hundred times a photo, and memory has room."""

_UTC: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)
"""Source: RFC 3339 section 5.6; a datetime has microseconds."""


class RecordKind(StrEnum):
    """The kind of a record; a reader passes on kinds that it does not know."""

    PHOTO = "photo"
    NO_PHOTO = "no_photo"
    VOID = "void"
    TIME = "time"
    CHAIN_START = "chain_start"
    TEST = "test"


class Reason(StrEnum):
    """The reason why a `no_photo` record has no photo; a closed list.

    To add one, also add it to `FAULTS` if a driver must call the office about it: this decides the
    light and the exit code. Return it from `agent/rule/policy.py`, or from `agent/capture/press.py`
    for a fault. Add its row to agent/docs/record.md and to `test_record_json.py`, and its words to
    `REMEDIES` in `doorstep_backend/office/remedies.py`; then generate the pages' tables.
    """

    NO_PHOTO_STOP = "no_photo_stop"
    SIGNATURE_STOP = "signature_stop"
    UNKNOWN_CODE = "unknown_code"
    AMBIGUOUS_CODE = "ambiguous_code"
    CODE_ELSEWHERE = "code_elsewhere"
    NO_POSITION = "no_position"
    NOT_ENROLLED = "not_enrolled"
    MANIFEST_MISSING = "manifest_missing"
    MANIFEST_EXPIRED = "manifest_expired"
    CAMERA_FAULT = "camera_fault"
    STORAGE_FULL = "storage_full"
    STORAGE_FAULT = "storage_fault"
    BATTERY_EMPTY = "battery_empty"
    HANDED_OVER = "handed_over"


FAULTS: Final = frozenset(
    {
        Reason.NOT_ENROLLED,
        Reason.CAMERA_FAULT,
        Reason.STORAGE_FULL,
        Reason.STORAGE_FAULT,
        Reason.BATTERY_EMPTY,
    }
)
"""No rule, but something to call the office about."""


class RecordState(StrEnum):
    """The state of a record on its way to the backend."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    PRUNED = "PRUNED"
    REFUSED = "REFUSED"
    DAMAGED = "DAMAGED"


class BoundBy(StrEnum):
    """The way by which a record got its stop."""

    CODE = "code"
    PLACE = "place"
    AMBIGUOUS = "ambiguous"
    UNASSIGNED = "unassigned"


@dataclass(frozen=True, slots=True)
class Stop:
    """The stop a record belongs to, as bound at the press."""

    id: str | None
    bound_by: BoundBy
    distance_m: float | None
    ring: str | None


UNASSIGNED = Stop(id=None, bound_by=BoundBy.UNASSIGNED, distance_m=None, ring=None)
"""No stop: `policy.manifest` is off, no stop is in reach, or the press was refused without one."""


@dataclass(frozen=True, slots=True)
class Body:
    """The body in the record label: media type, size in bytes, lower-case hex digest."""

    type: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class RecordLabel:
    """Line 1 of a record file: all that the device needs, and nothing of place or stop.

    Attributes:
        v: format version, 1.
        capture_id: see CaptureId.
        device_id: set at provisioning.
        chain: id of this device's chain of records; a new one starts with a `chain_start`.
        seq: 1, 2, 3 ... within the chain, without gaps.
        prev: SHA-256 of the previous label without its newline; None at seq 1.
        boot_id: the kernel's random id of the boot.
        kind: a RecordKind, or a later version's.
        about: the record that this one takes back; None unless `void`.
        utc: RFC 3339 with Z and milliseconds; a guess when `clock` is `unsynced`.
        monotonic_ns: CLOCK_MONOTONIC of the press.
        clock: the source of `utc`: gnss, ntp, rtc or unsynced.
        body: type, size and digest of the rest of the file.
    """

    v: int
    capture_id: CaptureId
    device_id: str
    chain: str
    seq: int
    prev: str | None
    boot_id: str
    kind: str
    about: CaptureId | None
    utc: str
    monotonic_ns: int
    clock: str
    body: Body

    def payload(self) -> dict[str, Any]:
        """Return the record label as JSON types, in the order above."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Item:
    """A row of the queue.

    Attributes:
        number: order of arrival; later than every number before it.
        sha256: digest of the whole record file.
        adopted: True if the backend may have it although `attempts` is 0.
        attempts: number of attempts so far, with the running one.
        suspected: number of bare 4xx answers, and of alarms for dead ends.
        dead_ends: number of attempts without a result, if the last of them was a dead end;
            otherwise 0.
        sent_whole: number of attempts without a result, if the last of them sent the whole record
            without a receipt; otherwise 0. The third such attempt is a dead end.
        due_s: CLOCK_BOOTTIME before which it is not sent.
        answer: the last answer or error, as text; a dead end outlasts lost connections.
        decision: the backend's receipt or refusal, as a JWS.
        decided_utc: when the backend decided.
    """

    number: int
    capture_id: CaptureId
    chain: str
    seq: int
    label_sha256: str
    kind: str
    about: CaptureId | None
    utc: str
    clock: str
    bytes: int
    sha256: str
    state: RecordState
    adopted: bool
    attempts: int
    suspected: int
    dead_ends: int
    sent_whole: int
    due_s: float
    upload_url: str | None
    answer: str | None
    decision: str | None
    decided_utc: str | None


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """Counts of records that the backend does not have yet; there is no count of those it has."""

    waiting: int
    suspected: int
    refused: int
    damaged: int
    oldest_utc: str | None


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record whose file is in place."""

    label: RecordLabel
    label_sha256: str
    file_bytes: int
    file_sha256: str


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The newest record of a chain; `label_sha256` is None while the chain is empty."""

    chain: str
    seq: int
    label_sha256: str | None


def rfc3339(moment: datetime) -> str:
    """Format an aware datetime as RFC 3339 UTC with Z and milliseconds (truncated)."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def to_the_hour(moment: datetime) -> datetime:
    """Round down to the hour: a minute would be a record of a person's pace."""
    return moment.replace(minute=0, second=0, microsecond=0)


def printable(text: str) -> str:
    r"""Return one line that a terminal shows and does not obey: foreign text may hold anything.

    Bytes of a file's name that are not UTF-8 are shown as in `\xff`; any other unprintable
    character becomes a space.
    """
    return "".join(map(_shown, text))


def _shown(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # what os.fsdecode makes of such a byte
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character if character.isprintable() else " "


def from_rfc3339(text: object) -> datetime:
    """Read a time that another program wrote in UTC with Z, to the second or more exactly.

    Raises:
        ValueError: the text is not such a time; the message does not quote it.
    """
    if not isinstance(text, str) or not _UTC.fullmatch(text):
        raise ValueError("not a time in UTC, as 2026-12-01T06:00:00Z")
    return datetime.fromisoformat(text)


def has_host(url: str) -> bool:
    """Return whether a URL names a host, a possible port or none, and no user."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:  # the port, or an IPv6 address
        return False


class QualityVerdict(StrEnum):
    """The first thing that is wrong, in the order they are asked for; `OK` when nothing is."""

    OK = "ok"
    DARK = "dark"
    CLIPPED = "clipped"
    COVERED = "covered"
    BLURRED = "blurred"
    NOISY = "noisy"


@dataclass(frozen=True, slots=True)
class QualityReport:
    """The findings of the quality check in one picture.

    Attributes:
        verdict: the first check that failed.
        scores: mean_pct, clipped_pct, spread_pct, noise, sharpness; all of them, always.
        thresholds: the version of the thresholds.
    """

    verdict: QualityVerdict
    scores: Mapping[str, float]
    thresholds: str
