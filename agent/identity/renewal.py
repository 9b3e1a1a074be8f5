"""Renews this device's certificates in good time, or says when a person must, with files."""

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from agent.config import Config
from agent.errors import DoorstepError, NotGenuine, NotNow
from agent.identity import issuing
from agent.identity.authorities import (
    DUE_AT,
    due,
    expected,
    good,
    kept,
    now,
)
from agent.identity.est import EstClient, Pending
from agent.identity.tls_identity import IdentityStore
from agent.models import rfc3339
from agent.process import control
from agent.process.offer_result import OfferResult
from agent.queue import disk
from agent.queue.paths import Layout
from agent.record import certificates
from agent.record.certificates import CertificateChain
from agent.record.usages import Use
from agent.trust.store import TrustStore
from hardware.change_detector import ChangeDetector

_log = logging.getLogger(__name__)

SPREAD: Final = 1 / 30
"""Share of its life by which a renewal may be later: a fleet enrolled in a day spreads over 12."""

LOOK_S: Final = 3_600.0
"""Interval of checks while all is well: a certificate ends on a day."""

SOON_S: Final = 60.0
"""Wait until the next check while capture does not run, and after the first failure."""

BACK_OFF_CAP_S: Final = 3_600.0
"""Longest wait after failures, which doubles from SOON_S: four months are 2,900 tries."""

_UNDECIDED: Final = "asked for a certificate; the authority has not decided yet"

_NOT_ENROLLED: Final = "not enrolled: no TLS certificate yet; `doorstep enrol` gets one"

_CAPTURE_TIMEOUT_S: Final = 10.0
"""Longest wait for what capture says: it signs a request and flushes a file."""

Asking = Callable[[control.Line], control.Line | None]
"""Asks the capture process; None when it does not run."""


@dataclass(frozen=True, slots=True)
class Due:
    """A certificate that a person must renew, or bring for the first time."""

    words: str


@dataclass
class _Task:
    """The renewal of a certificate: the time of its next check, and its trouble."""

    due_s: float = float("-inf")
    failures: int = 0
    trouble: str | None = None
    is_due: bool = False

    def settle(self, now_s: float, found: float | Pending | Due) -> None:
        """Look again after so many seconds, when the authority may have decided, or soon."""
        self.failures, self.trouble, self.is_due = 0, None, isinstance(found, Due)
        match found:
            case Pending(after_s):
                wait_s, self.trouble = after_s, _UNDECIDED
            case Due(words):
                wait_s, self.trouble = SOON_S, words
            case float():
                wait_s = found
        self.due_s = now_s + wait_s

    def fail(self, now_s: float, words: str, rng: random.Random) -> None:
        self.failures += 1
        wait_s = min(SOON_S * 2.0 ** min(self.failures - 1, 16), BACK_OFF_CAP_S)
        self.due_s, self.trouble = now_s + rng.uniform(wait_s / 2, wait_s), words


class Renewal:
    """The renewal of certificates: of TLS by its own, of the other two for capture.

    Nothing that fails here holds up the records: it is told in the status, and tried again.

    Args:
        config: with identity required.
        est: the EST server, reached as this device; None if certificates come as files, which a
            person renews.
        rng: for jitter.
        capture: asks the capture process, which has the key for evidence.
    """

    def __init__(
        self,
        config: Config,
        est: EstClient | None,
        rng: random.Random,
        capture: Asking | None = None,
    ) -> None:
        layout = Layout.of(config.state)
        self._config = config
        self._est = est
        self._rng = rng
        self._capture = capture or _asking(layout)
        self._folder = layout.sync_keys
        self._store = IdentityStore(layout)
        self._trust = TrustStore(layout)
        self._late = 0.0 if est is None else rng.uniform(0.0, SPREAD)
        self._tasks = (
            (_Task(), self._renew_tls),
            (_Task(), partial(self._renew_kept, Use.EVIDENCE)),
            (_Task(), partial(self._renew_kept, Use.SERVE)),
        )
        self._ends: datetime | None = None
        self._logged = ChangeDetector[tuple[str | None, ...]]((None, None, None))

    def interrupt(self) -> None:
        """End what is running, from another thread."""
        if self._est is not None:
            self._est.interrupt()

    def make_due(self) -> None:
        """Look at the next tick."""
        for task, _ in self._tasks:
            task.due_s = float("-inf")

    def tick(self, now_s: float) -> None:
        """Check each certificate when it is time (CLOCK_BOOTTIME), and renew the due ones."""
        for task, renew in self._tasks:
            if now_s < task.due_s:
                continue
            try:
                task.settle(now_s, renew())
            except DoorstepError as error:
                task.fail(now_s, str(error), self._rng)
        if self._est is not None:
            self._est.hang_up()  # the next request is hours away
        troubles = self._troubles()
        if self._logged.changed(troubles):
            _log.warning("event=renewal tls=%r evidence=%r serve=%r", *troubles)

    def has_ended(self) -> bool:
        """Return True if the TLS certificate has ended: the backend lets this device in no more."""
        return self._ends is not None and self._ends <= now()

    def is_enrolled(self) -> bool:
        """Return True if there is a TLS certificate now: the last check may be a minute old."""
        try:
            return self._store.is_there()
        except OSError:  # a card that fails is told by its own trouble
            return True

    def status(self) -> control.Line:
        """Return sync's report on its identity."""
        return {
            "tls_until": self._ends and rfc3339(self._ends),
            "identity_trouble": next(filter(None, self._troubles()), None),
            "renewal_due": any(task.is_due for task, _ in self._tasks),
        }

    def _troubles(self) -> tuple[str | None, ...]:
        """Return the trouble of each; a missing first certificate is no failure and not kept."""
        tls, *others = (task.trouble for task, _ in self._tasks)
        return (tls if self.is_enrolled() else _NOT_ENROLLED, *others)

    def _renew_tls(self) -> float | Pending | Due:
        """Renew the TLS certificate if due; return the seconds until the next check, or why not."""
        known = expected(self._config)
        with disk.lock(self._folder, exclusive=True, wait=False):
            current = self._store.read(known)
            if current is None:
                return SOON_S
            self._ends = current.ends
            if now() < due(current.chain, DUE_AT + self._late):
                return LOOK_S
            if self._est is None:
                return _due("TLS", current.ends)
            try:
                new = issuing.tls_identity(
                    self._store, self._est, known, current=current, login=None
                )
            except DoorstepError as error:
                raise NotNow(_ended(current.ends) + str(error)) from error
        if isinstance(new, Pending):
            return new
        self._ends = new.ends
        _log.info("event=renewed what=tls until=%s", rfc3339(new.ends))
        return LOOK_S

    def _renew_kept(self, use: Use) -> float | Pending | Due:
        """Renew a certificate that capture keeps."""
        if self._ends is None:  # nobody to ask as; the TLS certificate's trouble tells
            return SOON_S
        if self._est is None and use is Use.EVIDENCE:
            return _look(use, kept(self._trust, use))
        text = self._request(use)
        if text is None:
            return SOON_S
        request, known = certificates.read_request(text), expected(self._config)
        present = good(self._trust, use, request.key, known, request.names)
        if self._est is None:
            return _look(use, present)
        if present and now() < due(present, DUE_AT + self._late):
            return LOOK_S
        return self._taken(use, present, issuing.for_capture(self._est, use, request, known))

    def _taken(
        self, use: Use, present: CertificateChain, got: CertificateChain | Pending
    ) -> float | Pending:
        """Have capture keep the certificate that the authority gave, if it lasts longer."""
        if isinstance(got, Pending):
            return got
        ends = certificates.ends(got[0])
        if present and ends <= certificates.ends(present[0]):
            raise NotNow(f"{use} certificate: the authority gives none beyond {ends:%Y-%m-%d}")
        self._offer(use, got)
        _log.info("event=renewed what=%s until=%s", use, rfc3339(ends))
        return LOOK_S

    def _request(self, use: Use) -> str | None:
        """Return capture's request, or the one for serve that `doorstep enrol` made; or none."""
        if use is Use.SERVE:
            return self._trust.request(use) if self._config.serve.names else None
        answer = self._capture({"request": use})
        return None if answer is None else str(answer.get("request"))

    def _offer(self, kind: str, chain: CertificateChain) -> None:
        text = certificates.pem(chain).decode()
        answer = self._capture({"offer": kind, "text": text})
        result = OfferResult("it has ended") if answer is None else OfferResult.read(answer)
        if result.error is not None:
            raise NotGenuine(f"{kind} certificate: capture did not take it: {result.error}")


def _look(use: Use, present: CertificateChain) -> float | Due:
    """Check a certificate that a person renews; a missing one is due too."""
    if not present:
        return Due(f"no {use} certificate counts: have one made by hand")
    return _due(use, certificates.ends(present[0])) if now() >= due(present) else LOOK_S


def _due(kind: str, ends: datetime) -> Due:
    verb = "ended" if now() >= ends else "ends"
    return Due(f"renew the {kind} certificate by hand: it {verb} on {ends:%Y-%m-%d}")


def _ended(ends: datetime) -> str:
    over = now() >= ends
    return f"the TLS certificate ended on {ends:%Y-%m-%d}: " if over else "not renewed yet: "


def _asking(layout: Layout) -> Asking:
    return lambda line: control.ask(layout.capture_socket, line, _CAPTURE_TIMEOUT_S)
