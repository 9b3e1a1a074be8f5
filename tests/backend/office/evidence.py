"""What a dispute about one record needs, in one folder or zip that `doorstep verify` takes."""

import argparse
import io
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from agent.models import rfc3339
from agent.record import file as recordfile
from agent.record import sealing
from tests.backend.identity.fleet import FleetDocuments, KeyFiles
from tests.backend.identity.known import Label
from tests.backend.identity.register import Register
from tests.backend.office.access import Agent, Dispatch
from tests.backend.office.export import as_text, new_zip
from tests.backend.office.keeping import NotDone
from tests.backend.office.model import Office
from tests.backend.office.neighbours import Neighbour, neighbours
from tests.backend.office.received import Received, received
from tests.backend.pages.accounts import Accounts
from tests.backend.seals import Seals

Add = Callable[[str, bytes], None]
"""Takes a file's name and what is in it."""

README: Final = "evidence.txt"
"""What the folder's README.txt is made from; it lies beside this module."""

WHY: Final = "Exported as evidence about the delivery."
"""What the customer reads of it; while a case is open, its number stands there too."""

NOTHING_TO_OPEN: Final = "the body of this record was erased: export it without --opened"
NOBODY_OPENS: Final = (
    "no identity here opens this record: put the one that it is sealed to into keys/identities/, "
    "or export it without --opened"
)


def add_to(commands: Any) -> None:
    command = commands.add_parser("export-evidence", help="what a dispute about one record needs")
    command.add_argument("capture_id")
    command.add_argument("--out", type=Path, help="a new folder, or a new file that ends in .zip")
    command.add_argument(
        "--neighbours", action="store_true", help="their labels too: the times of other deliveries"
    )
    command.add_argument("--opened", action="store_true", help="what is sealed too, in the clear")
    command.add_argument("--by", metavar="ACCOUNT", help="who exports, for the view log")


def run(options: argparse.Namespace, office: Office, now: datetime) -> str:
    """Carry out the command; returns what to print.

    Raises:
        NotDone: there is no such record, or not enough of it; nothing was written.
        FileExistsError: `--out` is there.
    """
    capture_id, by = options.capture_id, _account(office, options.by)
    found = received(office, capture_id)
    around = neighbours(office, found.label)
    files = _files(office, found, around)
    if options.neighbours:
        files |= {f"{one.capture_id}.rec": one.line + b"\n" for one in around}
    if options.opened:
        files |= _opened(office, found)
    files["README.txt"] = _readme(found, around, files, now)
    into: Path = options.out or Path(f"evidence-{capture_id}")
    with _new(into) as add:
        office.access.log_export(by, capture_id, found.filed.number, _why(office, found), now)
        views = office.access.views_of_record(capture_id)
        looks = [{"at": rfc3339(one.at), "who": one.viewer, "why": one.why} for one in views]
        for name, content in {**files, "view-log.json": as_text(looks)}.items():
            add(name, content)
    return f"written: {into}\n{found.left()}"


def _files(office: Office, found: Received, around: list[Neighbour]) -> dict[str, bytes]:
    folder, capture_id = office.store.folder, found.label.capture_id
    fleet_key, revoked = KeyFiles(folder).fleet_public, folder / "revoked.jws"
    files = {
        f"{capture_id}.rec": found.content,
        f"receipts/{capture_id}.jws": f"{found.verdict.jws}\n".encode(),
        "evidence.pem": _certificate(folder, found),
        "fleet-ca.pem": (folder / "ca" / "ca.pem").read_bytes(),
        "fleet.jws": f"{FleetDocuments(folder).served(None)}\n".encode(),
        fleet_key.name: fleet_key.read_bytes(),
        revoked.name: revoked.read_bytes() if revoked.exists() else b"",
        "neighbours.json": as_text([one.digest for one in around]),
    }
    return {name: content for name, content in files.items() if content}


def _certificate(folder: Path, found: Received) -> bytes:
    """Of the key in the label; empty without identity. The fleet's root issues it directly."""
    issued = Register(folder).certificates(found.label.device_id)
    ours = [one for one in issued if one.label is Label.EVIDENCE and one.kid == found.kid]
    return "".join(one.pem for one in ours).encode()


def _opened(office: Office, found: Received) -> dict[str, bytes]:
    """What was packed into the body, byte for byte. Raises NotDone."""
    if found.filed.erased_at:
        raise NotDone(NOTHING_TO_OPEN)
    body = recordfile.check(found.content).body
    if found.is_sealed:
        try:
            body = sealing.open_sealed(body, Seals(office.store.folder).identities())
        except sealing.Unopened as error:
            raise NotDone(NOBODY_OPENS) from error
    with tarfile.open(fileobj=io.BytesIO(body)) as packed:
        parts = {one.name: packed.extractfile(one) for one in packed}
        return {f"opened/{name}": part.read() for name, part in parts.items() if part}


def _readme(
    found: Received, around: list[Neighbour], files: dict[str, bytes], now: datetime
) -> bytes:
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    seqs = [one.seq for one in around]
    beside = [f"{one.capture_id}.rec" for one in around if f"{one.capture_id}.rec" in files]
    said = {"found": found, "files": files, "seqs": seqs, "beside": beside, "now": rfc3339(now)}
    return templates.get_template(README).render(said).encode()


def _account(office: Office, who: str | None) -> Agent | Dispatch | None:
    if who is None:
        return None
    account = Accounts(office.ledger).find(who)
    if account is None or not isinstance(account.viewer, Agent | Dispatch):
        raise NotDone(f"{who} is no account of customer service or dispatch: nothing was exported")
    return account.viewer


def _why(office: Office, found: Received) -> str:
    cases = [one for one in office.keeping.held() if one.number == found.filed.number]
    return f"{WHY} Case {cases[0].case_number}." if cases else WHY


@contextmanager
def _new(into: Path) -> Iterator[Add]:
    """A zip or a folder that is not there yet, for its owner's eyes only."""
    if into.suffix == ".zip":
        with new_zip(into) as archive:
            yield archive.writestr
        return
    into.mkdir(mode=0o700)

    def add(name: str, content: bytes) -> None:
        (into / name).parent.mkdir(mode=0o700, exist_ok=True)
        (into / name).write_bytes(content)

    yield add
