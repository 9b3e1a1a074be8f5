"""The faults that a test switches on in the backend, and the counts of requests."""

import os
import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Final, Self


class Step(StrEnum):
    """A step that an intake has just done; the steps are in this order, before the answer."""

    DIGEST = "digest"
    PUT = "put"
    READ_BACK = "read_back"
    VERDICT = "verdict"
    PIECES = "pieces"
    COMMIT = "commit"


class ReceiptMode(StrEnum):
    """The receipt or refusal in an answer, in the header and in /receipts alike.

    `NONE` leaves out only the header: a device can still ask for the receipt.
    """

    RIGHT = "right"
    NONE = "none"
    OTHER_ID = "other_id"
    OTHER_DIGEST = "other_digest"
    OTHER_KEY = "other_key"
    GARBAGE = "garbage"


@dataclass(frozen=True, slots=True)
class Switches:
    """Faults of the next device requests; the defaults are a healthy backend.

    Attributes:
        methods: only requests with these methods go wrong; empty means all.
        times: the number of requests that go wrong before all is well again; None means no end.
        delay_s: wait before the request is looked at.
        status: answer this status, 100 to 599, after the body was read; nothing is stored.
            Below 200 it is sent as a final answer and the connection closed.
        headers: sent with `status`, as Retry-After or Location.
        body: sent with `status`.
        portal: answer everything like a captive portal, 200 with HTML.
        full: answer 507 to POST and PATCH.
        cut_after_bytes: reset the connection after so many bytes of the request's body.
        silent_after_bytes: keep and answer nothing more after so many bytes of the body.
        lose_answer: do the work, then reset the connection instead of answering.
        truncate_answer: announce more body than is sent, then close.
        endless_answer: an answer whose body never ends; HEAD has none.
        refuse: refuse every finished record, signed, with this reason.
        receipt: which receipt stands on an answer.
        receipts_null: POST /receipts knows no id.
        die_after: `kill -9` of this process after that step of an intake.
    """

    methods: tuple[str, ...] = ()
    times: int | None = None
    delay_s: float = 0.0
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    portal: bool = False
    full: bool = False
    cut_after_bytes: int | None = None
    silent_after_bytes: int | None = None
    lose_answer: bool = False
    truncate_answer: bool = False
    endless_answer: bool = False
    refuse: str | None = None
    receipt: ReceiptMode = ReceiptMode.RIGHT
    receipts_null: bool = False
    die_after: Step | None = None

    @property
    def forges(self) -> bool:
        """True if an answer may have another receipt than the true one."""
        return self.receipts_null or self.receipt is not ReceiptMode.RIGHT

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Self:
        """Return the switches in `given`; raise ValueError with the names that do not exist."""
        unknown = set(given) - {one.name for one in fields(cls)}
        if unknown:
            raise ValueError(f"no such switch: {', '.join(sorted(unknown))}")
        typed = dict(given)
        if "methods" in typed:
            typed["methods"] = tuple(typed["methods"])
        if "receipt" in typed:
            typed["receipt"] = ReceiptMode(typed["receipt"])
        if "die_after" in typed:
            typed["die_after"] = Step(typed["die_after"])
        return cls(**typed)


IN_FORCE: Final = ContextVar("IN_FORCE", default=Switches())  # noqa: B039 - it is frozen
"""The switches of the request that is being answered, in its threads too (anyio copies it)."""


@contextmanager
def switched(**switches: Any) -> Iterator[None]:
    """Put switches in force for the calls of this thread."""
    before = IN_FORCE.set(Switches.from_json(switches))
    try:
        yield
    finally:
        IN_FORCE.reset(before)


def reach(step: Step) -> None:
    """Die here if the switches say so: the intake has just done this step."""
    if IN_FORCE.get().die_after is step:
        os.kill(os.getpid(), signal.SIGKILL)


class Panel:
    """The switches that were set last; hands them to one request after the other."""

    def __init__(self) -> None:
        self._switches = Switches()
        self._left: int | None = None

    def set(self, switches: Switches) -> None:
        self._switches = switches
        self._left = switches.times

    def take(self, method: str) -> Switches:
        """Return the switches for a request with this method, and count the request."""
        wanted = self._switches
        if wanted.methods and method not in wanted.methods:
            return Switches()
        if self._left is not None:
            if self._left == 0:
                return Switches()
            self._left -= 1
        return wanted


@dataclass(slots=True)
class Counts:
    """The counts of devices since the start; requests of tests, people and probes are left out.

    Attributes:
        connections: completed TLS handshakes.
        control_connections: those of them that a test, a person or a probe used.
        body_bytes: bytes of request bodies that arrived.
        by_method: requests, by method and first part of the path, as in `POST /files`.
        est_requests: requests for certificates, which no other figure of requests counts.
    """

    connections: int = 0
    control_connections: int = 0
    requests: int = 0
    body_bytes: int = 0
    by_method: Counter[str] = field(default_factory=Counter)
    est_requests: int = 0

    def to_json(self) -> dict[str, Any]:
        return {
            "handshakes": self.connections - self.control_connections,
            "requests": self.requests,
            "body_bytes": self.body_bytes,
            "by_method": dict(self.by_method),
            "est_requests": self.est_requests,
        }
