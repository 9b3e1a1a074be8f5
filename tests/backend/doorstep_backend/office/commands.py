"""The office's commands at a terminal: `python -m doorstep_backend --data DIR COMMAND ...`."""

import argparse
from datetime import datetime
from pathlib import Path
from typing import Any

from doorstep_backend.commandline import add_command
from doorstep_backend.engines.unavailable import Unavailable
from doorstep_backend.office import archive, evidence, export
from doorstep_backend.office.erasure import NotDone, plain_language
from doorstep_backend.office.model import Office
from doorstep_backend.pages import commands as account
from doorstep_backend.wire.failure_budget import MOST_FAILURES, FailureBudget


def add_to(parser: argparse.ArgumentParser) -> Any:
    """Add these commands; without one the backend serves. Return the object to add others to."""
    commands = parser.add_subparsers(
        dest="command", title="commands (without a command, the backend serves)", metavar="COMMAND"
    )
    add_command(commands, "expire", "erase the records whose retention has ended")
    add_command(commands, "kept", "list what is kept, for whom and how long")
    hold = add_command(commands, "hold", "keep an order until its release", "1001 C-7")
    release = add_command(commands, "release", "end the hold of an order", "1001")
    for command in (hold, release):
        command.add_argument("number", metavar="NUMBER", help="number of the order")
    hold.add_argument("case_number", metavar="CASE", help="number of the case that needs the order")
    account.add_to(commands)
    order = add_command(
        commands,
        "export-order",
        "write a zip of all that is kept about an order",
        "1001 new.zip",
    )
    order.add_argument("number", metavar="NUMBER", help="number of the order")
    device = add_command(
        commands,
        "export-device",
        "write a zip of the record labels, receipts and statements of erasure of a device",
        "van-0042 new.zip --archive archives/2026-05.jsonl",
    )
    device.add_argument("device_id", metavar="ID", help="id of the device")
    for command in (order, device):
        command.add_argument("zip", type=Path, metavar="ZIP", help="new file")
    device.add_argument(
        "--archive",
        type=Path,
        action="extend",
        nargs="+",
        default=[],
        metavar="FILE",
        help="files of `archive` that fill the gaps (default: none)",
    )
    month = add_command(
        commands,
        "archive",
        "move the record labels of a month's erased records into a file",
        "2026-05 archives",
    )
    month.add_argument("month", metavar="MONTH", help="the month, as 2026-05")
    month.add_argument(
        "folder", type=Path, metavar="FOLDER", help="folder for the file MONTH.jsonl"
    )
    evidence.add_to(commands)
    return commands


def run(options: argparse.Namespace, office: Office, now: datetime) -> str:
    """Carry out one command; returns what to print. Safe while the backend serves."""
    if options.command in account.COMMANDS:
        return account.run(options, office.ledger)
    match options.command:
        case "expire" | "archive" | "hold" | "release":
            return _changed(options, office, now)
        case "export-order":
            export.export_order(office, options.number, options.zip, now)
        case "export-device":
            if not office.received_of(options.device_id) and not options.archive:
                raise NotDone(f"nothing came from a device {options.device_id}")
            left_out = export.export_device(
                office, options.device_id, options.zip, now, options.archive
            )
            if left_out:
                return f"written: {options.zip}\n{_without(len(left_out))}"
        case "export-evidence":
            return evidence.run(options, office, now)
        case _:
            return _kept(office)
    return f"written: {options.zip}"


def _changed(options: argparse.Namespace, office: Office, now: datetime) -> str:
    match options.command:
        case "expire":
            return _expire(office, now)
        case "archive":
            return archive.archive(office, options.month, options.folder, now)
        case _:
            return _hold(options, office, now)


def _expire(office: Office, now: datetime) -> str:
    """Erase what is due. Raises Unavailable, with what was done before."""
    budget = FailureBudget(MOST_FAILURES)
    try:
        for _ in office.erasure.steps(now, budget):
            pass
        has_more = budget.failed > 0 or office.erasure.overdue_s(now) > 0
    except Unavailable as error:
        raise Unavailable(
            f"{_erased(budget)}; the rest is left, say it again later: {error}"
        ) from error
    more = "; more is due: what could not be erased, or what another process is at"
    told = f"{_erased(budget)}{more if has_more else ''}"
    if budget.failed:
        raise NotDone(told)
    return told


def _erased(budget: FailureBudget) -> str:
    failed = f"; {budget.failed} could not be erased: the log says why (record=not_erased)"
    return f"erased {budget.erased} records{failed if budget.failed else ''}"


def _hold(options: argparse.Namespace, office: Office, now: datetime) -> str:
    if options.command == "release":
        office.erasure.release(options.number, now)
        return f"order {options.number}: released"
    gone = office.erasure.hold(options.number, options.case_number, now)
    but = f"; {gone} of its records were being erased already, and are gone" if gone else ""
    return f"order {options.number}: nothing is erased until it is released{but}"


def _without(count: int) -> str:
    records = "1 record" if count == 1 else f"{count} records"
    return f"without {records} whose label is not here any more: left-out.txt in it says which"


def _kept(office: Office) -> str:
    lines = plain_language(office.settings.retention)
    kept = [f"{one.what}.\n  {one.for_whom}\n  {one.how_long}." for one in lines]
    held = [f"  order {one.number} for {one.case_number}" for one in office.erasure.holds()]
    return "\n\n".join([*kept, "\n".join(["Held now:", *held] if held else ["No order is held."])])
