"""Everything that sync asks the backend for, apart from sending records."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from agent.identity.renewal import Renewal
from agent.process import control
from agent.status.troubles import Trouble
from agent.sync import blocked_reason
from agent.sync.blocked_reason import Connectivity


class Download(Protocol):
    """A thing that the loop asks for at intervals, in its thread, while it does not rest."""

    def tick(self, now_s: float) -> None:
        """Ask when it is time (CLOCK_BOOTTIME); no answer of the backend raises an error."""

    def make_due(self) -> None:
        """Ask at the next tick."""


class Downloads:
    """The downloads of documents for capture, and of this device's certificates.

    Args:
        documents: the documents to ask for, in this order.
        renewal: renews the certificates, before the documents; None without identity.
        unkept: returns the kinds of documents that came and wait for capture.
        connectivity: the results of asking for documents.

    Attributes:
        unkept: as above.
    """

    def __init__(
        self,
        documents: Sequence[Download] = (),
        *,
        renewal: Renewal | None = None,
        unkept: Callable[[], Sequence[str]] = tuple,
        connectivity: Connectivity | None = None,
    ) -> None:
        self._all = documents if renewal is None else (renewal, *documents)
        self._renewal = renewal
        self._connectivity = connectivity or Connectivity()
        self.unkept = unkept

    def tick(self, now_s: float) -> None:
        """Ask for each download that is due at `now_s` (CLOCK_BOOTTIME)."""
        for one in self._all:
            one.tick(now_s)

    def make_due(self) -> None:
        """Ask for each download at the next tick."""
        for one in self._all:
            one.make_due()

    def interrupt(self) -> None:
        """End a running exchange, from another thread."""
        if self._renewal:
            self._renewal.interrupt()

    def record_decided(self) -> None:
        """Note that the backend signed an answer about a record: there is no obstacle."""
        self._connectivity.blocked_reason = None

    def are_settled(self) -> bool:
        """Return True if the backend answered the last request, and nothing waits for capture."""
        return self._connectivity.blocked_reason is None and not self.unkept()

    def blocked_reason(self, records: Trouble | None, obstacle: str | None) -> Trouble | None:
        """Return the obstacle for the status; None without one.

        Args:
            records: why the last record did not get through.
            obstacle: why no record is sent at all, as text.
        """
        renewal = self._renewal
        return blocked_reason.for_status(
            records,
            self._connectivity.blocked_reason,
            obstacle,
            is_enrolled=renewal is None or renewal.is_enrolled(),
            has_ended=renewal is not None and renewal.has_ended(),
        )

    def last_contact(self, by_record: datetime | None) -> datetime | None:
        """Return when the backend last answered as one does, to a record or to a request."""
        return max(filter(None, (by_record, self._connectivity.contact)), default=None)

    def identity(self) -> control.Line:
        """Return what the status says of the certificates; nothing without identity."""
        return self._renewal.status() if self._renewal else {}
