"""`doorstep sync --from DIR`: brings a dead device's records, under a technician's certificate."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from agent.command.progress import progress_bar
from agent.config import BackendSettings, path_of
from agent.errors import (
    ConfigError,
    ExitCode,
    NotGenuine,
    NotNow,
    StorageFault,
    StorageFull,
)
from agent.models import printable
from agent.queue import owned
from agent.queue.owned import OwnedFolder
from agent.record.receipt import Keys
from agent.record.signing import PublicKey
from agent.status.troubles import Trouble
from agent.sync import record_folder, technician
from agent.sync.folder_delivery import FolderDelivery, FolderTally, ObservedBackend, by_reason
from agent.sync.record_folder import RecordFolder
from agent.trust import fleet
from agent.wire.http import NoAnswer, NotVerified
from agent.wire.tus import Answer, quoted


def run(arguments: argparse.Namespace) -> int:
    """Check, send, keep the receipts, say what became of it."""
    folder: Path = arguments.folder
    told = technician.load(path_of(arguments.config))
    pinned = told.pinned()
    found = record_folder.read(folder)
    with _receipts(folder, arguments.receipts) as receipts:
        backend = ObservedBackend(BackendSettings(told.backend.url), tls=told.tls())
        with closing(backend), progress_bar() as progress:
            keys = _signers(_fleet(backend), pinned)
            tally = FolderDelivery(backend, keys, receipts, _objection(backend)).deliver_all(
                found, progress
            )
    print("\n".join(map(printable, _lines(found, tally, receipts.path))))
    if tally.left:
        return ExitCode.LATER
    return ExitCode.NOT_GENUINE if found.torn or tally.refused else ExitCode.DONE


@contextmanager
def _receipts(folder: Path, given: Path | None) -> Iterator[OwnedFolder]:
    """Open the folder for receipts before anything is sent: a second run uses them."""
    receipts = given or folder / "receipts"
    remedy = "--receipts DIR2 names another folder for the receipts"
    if given is None and receipts.is_symlink():
        raise ConfigError(f"{receipts}: a link, which the card chose; {remedy}")
    with ExitStack() as held:
        try:
            found = held.enter_context(owned.opened(receipts))
        except (ConfigError, StorageFault, StorageFull) as error:
            raise ConfigError(f"{error}; {remedy}") from error
        if not found.is_writable():
            raise ConfigError(f"{receipts}: cannot be written to; {remedy}")
        yield found


def _fleet(backend: ObservedBackend) -> Answer:
    """Fetch the fleet document. Raises NotNow: no answer came, or the technician is refused."""
    try:
        with backend.attempt():
            answer = backend.fleet(None)
    except NoAnswer as error:
        if error.blocked_reason is Trouble.CERTIFICATE and not isinstance(error, NotVerified):
            words = "is identity.technician of this fleet, and a technician's? Ask the office"
            raise NotNow(f"the backend does not take the certificate: {words}") from error
        raise
    if answer.status != 200:
        raise NotNow(f"nothing was sent: {quoted('GET fleet', answer)}")
    return answer


def _objection(backend: ObservedBackend) -> Callable[[], str | None]:
    """Return a function that asks if the technician is still accepted."""

    def objection() -> str | None:
        try:
            _fleet(backend)
        except (NotNow, NoAnswer) as error:
            return str(error).removeprefix("nothing was sent: ")
        return None

    return objection


def _signers(answer: Answer, pinned: PublicKey) -> Keys:
    try:
        return fleet.document_in_force([answer.body.decode("ascii")], pinned).receipt_keys
    except (NotGenuine, UnicodeDecodeError) as error:
        what = "it is not ASCII" if isinstance(error, UnicodeDecodeError) else error
        words = "is identity.fleet_key this fleet's, and the one of now? Nothing was sent"
        raise NotGenuine(f"the fleet document does not verify: {what}; {words}") from error


def _lines(found: RecordFolder, tally: FolderTally, receipts: Path) -> list[str]:
    counts = {
        "sent": tally.sent,
        "there already": tally.there,
        "torn": len(found.torn),
        "refused": len(tally.refused),
        "left": len(tally.left),
    }
    return [
        *(f"torn: {one.name}: {one.why}" for one in found.torn),
        *(f"refused: {line}" for line in by_reason(tally.refused)),
        *(f"left: {line}" for line in by_reason(tally.left)),
        f"receipts: {receipts}",
        ", ".join(f"{number} {what}" for what, number in counts.items()),
    ]
