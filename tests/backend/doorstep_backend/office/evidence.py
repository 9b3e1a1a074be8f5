"""The evidence on a record, in a folder or zip that `doorstep verify` takes."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from textwrap import indent
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from agent.models import rfc3339
from doorstep_backend.commandline import add_command
from doorstep_backend.identity.closings import summary
from doorstep_backend.identity.register import Register
from doorstep_backend.office import evidence_files
from doorstep_backend.office.access import CustomerService, Dispatch
from doorstep_backend.office.corrections import Correction
from doorstep_backend.office.erasure import NotDone
from doorstep_backend.office.export import as_text, new_zip
from doorstep_backend.office.model import Office
from doorstep_backend.office.neighbours import Neighbour, neighbours
from doorstep_backend.office.received import Received, received
from doorstep_backend.office.view_log import Act
from doorstep_backend.pages.accounts import Accounts
from doorstep_backend.wire.rescued import Rescues

Add = Callable[[str, bytes], None]
"""Takes a file's name and what is in it."""

README: Final = "evidence.txt"
"""Source of the folder's README.txt, next to this module."""

TOOLS: Final = "evidence_tools.txt"
"""Shell functions of the README; "One photo, without this program" in verify.md links to them."""


def add_to(commands: Any) -> None:
    """Add the command `export-evidence` to the subcommands of a parser."""
    command = add_command(
        commands,
        "export-evidence",
        "export the evidence about a record",
        "71c344a4-afa0-4039-9d15-c737886a3e43 --out evidence.zip",
    )
    command.add_argument("capture_id", metavar="ID", help="the record's capture_id")
    command.add_argument(
        "--out",
        type=Path,
        metavar="NEW",
        help="new folder, or new file that ends in .zip (default: the folder evidence-ID)",
    )
    command.add_argument(
        "--neighbours",
        action="store_true",
        help="add the neighbours' record labels, which have the times of other deliveries",
    )
    command.add_argument("--opened", action="store_true", help="add the opened record and photo")
    command.add_argument(
        "--by", metavar="WHO", help="account that the view log names (default: office)"
    )


def run(options: argparse.Namespace, office: Office, now: datetime) -> str:
    """Carry out the command; returns what to print.

    Raises:
        NotDone: there is no such record, or not enough of it; nothing was written.
        FileExistsError: `--out` is there.
    """
    capture_id, by = options.capture_id, _account(office, options.by)
    found = received(office, capture_id)
    around = neighbours(office, found.label)
    files = evidence_files.always(office, found, around)
    if options.neighbours:
        files |= {f"{one.capture_id}.rec": one.line + b"\n" for one in around}
    if options.opened:
        files |= evidence_files.opened(office, found)
    said = _of_its_end(office, found)
    said["corrections"] = office.corrections.of_record(capture_id)
    files["README.txt"] = _readme(found, around, files, now, said)
    into: Path = options.out or Path(f"evidence-{capture_id}")
    with _new(into) as add:
        office.access.log_export(by, capture_id, found.filed.number, _why(office, found), now)
        views = office.access.views_of_record(capture_id)
        looks = [{"at": rfc3339(one.at), "who": one.viewer, "why": one.why} for one in views]
        for name, content in {**files, "view-log.json": as_text(looks)}.items():
            add(name, content)
    return f"written: {into}\n{found.left()}"


def _readme(
    found: Received,
    around: list[Neighbour],
    files: dict[str, bytes],
    now: datetime,
    besides: dict[str, Any],
) -> bytes:
    here = Path(__file__).parent
    templates = Environment(
        loader=FileSystemLoader(here),
        autoescape=False,  # noqa: S701 - it writes a plain text
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters["rfc3339"] = rfc3339
    seqs = [one.seq for one in around]
    beside = [f"{one.capture_id}.rec" for one in around if f"{one.capture_id}.rec" in files]
    said: dict[str, Any] = {
        "found": found,
        "files": files,
        "seqs": seqs,
        "beside": beside,
        "now": rfc3339(now),
    }
    said |= besides
    said["others"] = _others(found, besides["corrections"])
    said["tools"] = indent((here / TOOLS).read_text(), "    ")
    return templates.get_template(README).render(said).encode()


def _others(found: Received, corrections: Sequence[Correction]) -> list[str]:
    """Return the orders that corrections name, without the record's own one."""
    named = {one.from_number for one in corrections} | {one.number for one in corrections}
    own = {found.filed.number, *(one.number for one in corrections[-1:])}
    return sorted(number for number in named - own if number is not None)


def _of_its_end(office: Office, found: Received) -> dict[str, Any]:
    """Return who brought the record, if not its device, and how the device ended, if it has."""
    device_id, chain = found.label.device_id, found.label.chain
    ended = Register(office.store.folder).device_end(device_id)
    here = [one for one in ended.chains if one.chain == chain] if ended else []
    return {
        "rescued_by": Rescues(office.store).by(found.label.capture_id),
        "ended": summary(ended) if ended else None,
        "closed_at": f"number {here[0].last_seq}" if here else "no number: nothing had come of it",
    }


def _account(office: Office, who: str | None) -> CustomerService | Dispatch | None:
    if who is None:
        return None
    account = Accounts(office.ledger).find(who)
    if account is None or not isinstance(account.viewer, CustomerService | Dispatch):
        raise NotDone(f"{who} is no account of customer service or dispatch: nothing was exported")
    return account.viewer


def _why(office: Office, found: Received) -> str:
    cases = [one for one in office.erasure.holds() if one.number == found.filed.number]
    return f"{Act.EXPORTED} Case {cases[0].case_number}." if cases else Act.EXPORTED


@contextmanager
def _new(into: Path) -> Iterator[Add]:
    """Make a new zip or folder, for its owner's eyes only."""
    if into.suffix == ".zip":
        with new_zip(into) as archive:
            yield archive.writestr
        return
    into.mkdir(mode=0o700)

    def add(name: str, content: bytes) -> None:
        (into / name).parent.mkdir(mode=0o700, exist_ok=True)
        (into / name).write_bytes(content)

    yield add
