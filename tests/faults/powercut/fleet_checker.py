"""Checks that a device still belongs to its fleet after a power cut, or then joins it."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from agent.identity.authorities import good, kept
from agent.identity.tls_identity import IdentityStore
from agent.models import Item, RecordKind, RecordState
from agent.queue.paths import Layout
from agent.record import certificates, credentials, sealing, signing
from agent.record import file as recordfile
from agent.record.usages import Use
from agent.sync.delivery import Delivery
from agent.sync.loop import Sync
from agent.sync.outcome import Outcome
from agent.trust import fleet
from agent.trust.store import TrustStore
from tests.faults.powercut import checker, files, office
from tests.faults.powercut.before import receipt
from tests.faults.powercut.enrolled import enrol, renew, settings
from tests.faults.powercut.office import AUTHORITY, DEVICE, FLEET, NEW_ESCROW
from tests.faults.powercut.promise_log import PromiseLog
from tests.faults.powercut.stage import Stage
from tests.support.authority import YEAR
from tests.support.benchtop import Bench
from tests.support.enrolment import is_let_in
from tests.support.sealed import IDENTITIES
from tests.support.sending import SetClock

LATER_S: Final = 10 * checker.LATER_S
"""CLOCK_BOOTTIME at which every retry that checker.py has scheduled is due."""

YOUNG: Final = YEAR - timedelta(days=1)
"""Least remaining validity of a certificate that was just issued."""

_opened: dict[str, list[str]] = {}
"""Faults of each record by its digest: most states have the same records as an earlier state."""


def check(stage: Stage, promises: PromiseLog, log_bytes: int, is_real: bool) -> list[str]:
    """Return broken rules: torn key, certificate or document; unfinished change; lost green."""
    if faults := list(files.broken(stage, promises, log_bytes)):
        return faults  # nothing else works with a torn key
    with office.opened(stage, [one for one in promises.heard if one.log_bytes <= log_bytes]):
        with stage.open():
            pass  # also a device that is enrolled by half starts
        faults += _usable(stage)
        code, words = enrol(stage, is_real=is_real)
        if code:
            faults.append(f"`doorstep enrol` after it: {code}, {words}")
        faults += checker.check(stage, promises, log_bytes, is_real)
        with stage.open() as bench:
            faults += _renews(bench)
            faults += _belongs(stage, bench)
            faults += _sends_all(bench, promises, log_bytes)
    return faults


def _usable(stage: Stage) -> Iterator[str]:
    """Check that each existing certificate is valid and lets the device in."""
    config = settings(stage)
    if not IdentityStore(stage.layout).is_there():
        return
    own = IdentityStore(stage.layout).read(_known())
    assert own is not None
    if not is_let_in(config):
        yield "the TLS certificate is there, and the server does not let the device in"


def _known() -> certificates.Expected:
    return certificates.Expected(DEVICE, (AUTHORITY.certificate,))


def _renews(bench: Bench) -> Iterator[str]:
    if (trouble := renew(bench)) is not None:
        yield f"renewal does not go on: {trouble}"


def _belongs(stage: Stage, bench: Bench) -> Iterator[str]:
    """Check for three young certificates of the device's own keys, and for the fleet document."""
    layout, trust = stage.layout, TrustStore(stage.layout)
    yield from _left(layout)
    if not is_let_in(bench.config):
        yield "the server does not let the device in"
    own = IdentityStore(layout).read(_known())
    signs = signing.read_private_key(layout.capture_keys / "device.pem").public_key()
    asked = certificates.read_request(trust.request("serve") or "")
    serves = signing.read_private_key(layout.serve_keys / "key.pem").public_key()
    if not certificates.is_for(kept(trust, Use.SERVE)[0], serves):
        yield "serve's certificate is not for its key"
    for name, chain in (
        ("TLS", own.chain if own else ()),
        ("evidence", good(trust, Use.EVIDENCE, signs, _known())),
        ("serve", good(trust, Use.SERVE, asked.key, _known(), asked.names)),
    ):
        if not chain:
            yield f"there is no {name} certificate that counts"
        elif certificates.ends(chain[0]) - datetime.now(UTC) < YOUNG:
            yield f"the {name} certificate is not a new one"
    if fleet.document_in_force(trust.fleet(), FLEET.key.public_key()).version < 1:
        yield "there is no fleet document"


def _left(layout: Layout) -> Iterator[str]:
    """Check that the only other key is the one with which the identity was requested."""
    left = {path.name for path in layout.sync_keys.iterdir()} - {"tls.pem"}
    if left - {"next-key.pem"}:
        yield f"keys/sync has {left}"
    keys = [signing.read_private_key(path) for path in layout.sync_keys.iterdir()]
    if len({signing.thumbprint(key.public_key()) for key in keys}) != 1:
        yield "next-key.pem is not the key in use, and nothing asks with it"


def _sends_all(bench: Bench, promises: PromiseLog, log_bytes: int) -> Iterator[str]:
    """Check that every record the driver saw as kept reaches the office once, whole and sealed."""
    to = _Office()
    sender = Sync(bench.layout, bench.outbox, to, SetClock(LATER_S), random.Random(1))
    waiting = sum(row.state is RecordState.PENDING for row in bench.rows())
    for _ in range(waiting):
        sender.step()
    yield from to.faults
    rows = {str(row.capture_id): row for row in bench.rows()}
    for shown in promises.shown:
        if shown.log_bytes <= log_bytes and shown.capture_id not in to.got:
            yield f"shown as kept, and the office has it not: {rows.get(shown.capture_id)}"
    if left := [row.capture_id for row in rows.values() if row.state is not RecordState.DELIVERED]:
        yield f"not delivered: {left}"
    newest = max(rows.values(), key=lambda row: row.number)
    yield from _sealed_to_all(bench, newest)


def _sealed_to_all(bench: Bench, newest: Item) -> Iterator[str]:
    """Check that the photo after the cut is sealed to the current fleet document's recipients."""
    content = bench.layout.record(newest.capture_id).read_bytes()
    in_force = fleet.document_in_force(TrustStore(bench.layout).fleet(), FLEET.key.public_key())
    named = in_force.recipients.names if in_force.recipients else ()
    opens = {one.recipient for one in (*IDENTITIES, NEW_ESCROW) if _opens(content, one)}
    if opens != set(named):
        yield f"the newest record opens for {opens}, and the fleet document names {named}"


def _opens(content: bytes, identity: sealing.AgeIdentity) -> bool:
    try:
        recordfile.unpack(content, [identity])
    except sealing.Unopened:
        return False
    return True


class _Office(Delivery):
    """A backend that accepts each record once, after it has opened the record."""

    def __init__(self) -> None:
        self.got: set[str] = set()
        self.faults: list[str] = []

    def send(self, item: Item, content: bytes) -> Outcome:
        if item.capture_id in self.got:
            self.faults.append(f"sent twice: {item.capture_id}")
        self.got.add(item.capture_id)
        if item.sha256 not in _opened:
            _opened[item.sha256] = list(_wrong(item, content))
        self.faults += _opened[item.sha256]
        return receipt(item)

    def obstacle(self) -> None:
        return None

    def interrupt(self) -> None:
        pass


def _wrong(item: Item, content: bytes) -> Iterator[str]:
    """Check that the device signed a record, and that a photo is sealed and has credentials."""
    name = f"{item.kind} {item.capture_id}"
    if recordfile.check(content).label.device_id != DEVICE:
        yield f"{name}: another device's"
    if item.kind != RecordKind.PHOTO:
        return
    opened = recordfile.unpack(content, IDENTITIES)
    if opened.label.body.type != sealing.SEALED_TYPE or opened.photo is None:
        yield f"{name}: not a sealed photo"
        return
    found = credentials.read(opened.photo, AUTHORITY.pem.decode())
    if found is None or found.state is not credentials.CredentialsState.TRUSTED:
        yield f"{name}: its Content Credentials are not by the fleet: {found}"
