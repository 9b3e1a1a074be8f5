"""The office's model, wired by hand; orders.py says what a page asks of which part."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from agent.models import RecordLabel
from agent.record import file as recordfile
from doorstep_backend.engines.objects import Missing
from doorstep_backend.engines.sql import Database, Row
from doorstep_backend.office import claims
from doorstep_backend.office.access import PhotoAccess
from doorstep_backend.office.bound import BoundRecords
from doorstep_backend.office.cases import CUSTOMER, Case, Cases
from doorstep_backend.office.casework import Casework, Decision
from doorstep_backend.office.corrections import Corrections
from doorstep_backend.office.delivery_routes import DeliveryRoutes
from doorstep_backend.office.erasure import Erasure
from doorstep_backend.office.filing import Filing
from doorstep_backend.office.inbox import Inbox
from doorstep_backend.office.ledger import open_ledger
from doorstep_backend.office.orders import Orders
from doorstep_backend.office.refusals import Refusals
from doorstep_backend.office.revoked import RevokedKeys
from doorstep_backend.office.view_log import Act, write_each
from doorstep_backend.settings import Settings, read_settings
from doorstep_backend.wire.records import UNOPENED
from doorstep_backend.wire.store import Store

log = logging.getLogger(__name__)


OF_ORDER: Final = "c.number = :one"
"""Condition: this record `c` is of an order."""

OF_ADDRESS: Final = "c.number IN (SELECT number FROM orders WHERE address = :one)"
"""Condition: this record `c` is of an order to an address."""


class Numbered(NamedTuple):
    """A record, and where it stands among its device's."""

    capture_id: str
    chain: str
    seq: int


@dataclass(frozen=True, slots=True)
class Office:
    """Orders, routes, records and who may see them, over one folder. Any thread may use it."""

    store: Store
    ledger: Database
    settings: Settings
    orders: Orders
    routes: DeliveryRoutes
    filing: Filing
    access: PhotoAccess
    erasure: Erasure
    revoked_keys: RevokedKeys
    refusals: Refusals
    corrections: Corrections
    bound: BoundRecords
    cases: Cases
    casework: Casework
    inbox: Inbox = field(default_factory=Inbox)

    def zone_of(self, number: str | None) -> ZoneInfo:
        """Return the time zone of an order's address; without an order, the backend's."""
        zone = None if number is None else self.orders.find(number).zone
        return zone or self.settings.zone

    def accept(self, opened: recordfile.RecordFile) -> None:
        """Have this process's worker file a record that has just got its receipt.

        Raises nothing: the sender must have the receipt, and a worker files the record in any case.
        """
        try:
            self.inbox.put(claims.read(opened))
        except Exception:  # a bug that this record meets
            log.exception("record=not_read capture_id=%s", opened.label.capture_id)

    def received_of(self, device_id: str) -> list[str]:
        """Return ids of all records of a device with a receipt, erased or not, filed or not yet."""
        filing_backlog = self.store.filing_backlog.of_device(
            device_id
        )  # before the others: it moves to them
        return list(dict.fromkeys([*self.filing.of_device(device_id), *filing_backlog]))

    def numbered_of(self, device_id: str) -> Iterator[Numbered]:
        """Return `received_of` with numbers, from the label of what is not filed yet."""
        filing_backlog = self.store.filing_backlog.of_device(device_id)  # as above
        return self._numbered(self.filing.numbers_of(device_id), filing_backlog)

    def numbered_beside(self, label: RecordLabel) -> Iterator[Numbered]:
        """Return the record of this label, and those with the same, last and next number."""
        filing_backlog = self.store.filing_backlog.of_device(label.device_id)  # as above
        filed = self.filing.numbers_beside(label.device_id, label.chain, label.seq)
        for one in self._numbered(filed, filing_backlog):
            if one.chain == label.chain and abs(one.seq - label.seq) <= 1:
                yield one

    def _numbered(self, filed: Iterable[Row], filing_backlog: Iterable[str]) -> Iterator[Numbered]:
        rows = {row["capture_id"]: row for row in filed}
        for capture_id in dict.fromkeys([*rows, *filing_backlog]):
            row = rows.get(capture_id)
            said = row or self.store.label(capture_id)
            if said:
                yield Numbered(capture_id, said["chain"], said["seq"])

    def file(self, capture_id: str) -> None:
        """File a record that has its receipt; again does nothing. Durable when it returns.

        One thread at a time, beside the others'.

        Raises:
            Missing: it was erased, or lost.
            RecordDamaged: it is not what it was when it got its receipt.
        """
        said, verdict = self.inbox.take(capture_id), self.store.verdict(capture_id)
        if verdict is None or not verdict.accepted:
            return  # it was forgotten, and is sent again
        if not self.filing.is_filed(capture_id):
            if said is None:
                said = claims.read(self.store.open(self.store.received(capture_id)))
            self.filing.accept(said, verdict.at)
        self._conclude(capture_id)

    def _conclude(self, capture_id: str) -> None:
        """Erase the record if its order takes no photos, or if it was withdrawn.

        What was erased before and comes again, because its upload was lost here, is erased again.
        """
        if self.filing.is_erased(capture_id):
            self.store.erase(capture_id)
        elif self.filing.is_unwanted(capture_id):
            self.erasure.expire_one(capture_id, self.ledger.now())

    def opt_out_order(self, number: str, opted_out: bool) -> None:
        """Note for the next manifest whether this order takes photos; erase those it has if not.

        Raises:
            NoSuchOrder: there is none.
        """
        now = self.ledger.now()
        with self.ledger.transaction():
            self.orders.set_opted_out(number, opted_out=opted_out)
            self.log_choice(CUSTOMER, OF_ORDER, number, opted_out, now)
        self.erasure.expire_order(number, now)

    def opt_out_address(self, address: str, opted_out: bool) -> None:
        """Note whether this address takes photos; erase its photos if not. Raises LookupError."""
        now = self.ledger.now()
        with self.ledger.transaction():
            self.orders.set_address_opted_out(address, opted_out=opted_out)
            self.log_choice(CUSTOMER, OF_ADDRESS, address, opted_out, now)
        self.erasure.expire_address(address, now)

    def log_choice(self, who: str, which: str, one: str, opted_out: bool, now: datetime) -> None:
        """Write down, where photos are kept, that orders take none or some from now on."""
        act = Act.NO_PHOTOS if opted_out else Act.PHOTOS
        write_each(self.ledger, who, act, which, at=now, one=one)

    def close_case(self, case: Case, decision: Decision, who: str, now: datetime) -> None:
        """Close a case as `Casework.close` does, and erase what only the case held."""
        self.casework.close(case, decision, who, now)
        self.erasure.expire_family(case.capture_id, now)

    def open_anew(self) -> None:
        """File what was sealed to nobody here, once an identity for it has come."""
        for capture_id, received_at in self.filing.unopened():
            try:
                content = self.store.received(capture_id)
            except Missing as error:
                log.warning("record=not_opened why=%s", error)
                continue
            opened = self.store.open(content)
            if opened.record is not UNOPENED:
                self.store.unpack(opened, content)
                self.filing.refile(claims.read(opened), received_at)
                self._conclude(capture_id)


def open_office(store: Store, *, show_simulated: bool = False) -> Office:
    """Open or make the office in the store's folder.

    Raises:
        WrongSettingError: `backend.toml` there says what cannot be.
    """
    settings = read_settings(store.folder)
    ledger = open_ledger(store.folder)
    orders = Orders(ledger)
    routes = DeliveryRoutes(ledger, orders, settings.practice_codes)
    filing = Filing(ledger, store, orders, show_simulated=show_simulated, zone=settings.zone)
    erasure = Erasure(ledger, store, orders, routes, filing, retention=settings.retention)
    corrections = Corrections(ledger, store, orders, filing, erasure)
    bound = BoundRecords(ledger, show_simulated=show_simulated)
    photo_days = settings.retention.photo_days
    casework = Casework(ledger, store, filing, corrections, bound, photo_days=photo_days)
    access = PhotoAccess(ledger, orders, filing, bound)
    revoked = RevokedKeys(ledger, filing)
    return Office(
        store,
        ledger,
        settings,
        orders,
        routes,
        filing,
        access,
        erasure,
        revoked,
        Refusals(ledger, settings, show_simulated=show_simulated),
        corrections,
        bound,
        Cases(ledger),
        casework,
    )
