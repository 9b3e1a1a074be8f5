"""`scripts/demo --backend`: the round against a foreign backend, and its results."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from agent.errors import ConfigError, DoorstepError
from agent.models import RecordKind
from agent.rule.manifest import Manifest
from tests.demo import outcome
from tests.demo.driver import DemoDevice, Pressed
from tests.demo.foreign import route
from tests.demo.foreign.device import DEVICE, ProxiedDevice, given, target
from tests.demo.foreign.round import ForeignRound, script, unsent
from tests.demo.receiver import Receiver
from tests.support.network import FaultProxy

COLUMNS: Final = "{:>5}  {:<18}  {:>6}  {:<7}  {}"
HEAD: Final = ("press", "record", "bytes", "receipt", "capture_id")


def play(folder: Path, url: str, file: Path, token: Path | None, *, kept: bool) -> int:
    """Play; return 0 only if every record is as the story says, and has its receipt.

    Args:
        folder: of the device's folder.
        url: of the backend.
        file: with the settings of its owner.
        token: file with the one-time token.
        kept: whether the folder is there for the next round.
    """
    try:
        settings = given(url, file)
        with FaultProxy(target(url)) as network, ExitStack() as opened:
            receiver = opened.enter_context(Receiver())
            home = folder / DEVICE
            processes = ProxiedDevice(home, script(), settings, network, receiver)
            opened.callback(processes.stop_all)
            config = processes.settings(file)
            if config.uses_certificate_files and not kept:
                words = "the device must keep the keys of its requests; give --keep DIR"
                raise ConfigError(f'{file}: identity.certificates is "files": {words}')
            processes.enrol(config, token)
            van = DemoDevice(DEVICE, processes, receiver)
            return _play(van, network, route.fetch(config))
    except DoorstepError as error:
        print(error, file=sys.stderr)
        return error.exit_code


def _play(van: DemoDevice, network: FaultProxy, served: Manifest) -> int:
    began_s, town = time.monotonic(), route.town()
    number_of = route.stop_ids(served, town.orders)
    earlier = _set_out(van)
    print(f"   {DEVICE} has its route: {len(served.stops)} stops", flush=True)
    played = ForeignRound(van, network, town.orders, earlier)
    played.play()
    rows = played.rows()
    print("\n".join(["", *_table(played.pressed, rows), ""]))
    problems = [*_not_arrived(van, rows)]
    for press in played.pressed:
        problems += outcome.wrong_press(press, lambda stop: number_of.get(stop or ""))
    for problem in problems:
        print(f"WRONG: {problem}")
    print(f"{'INCOMPLETE' if problems else 'Complete'} in {time.monotonic() - began_s:.0f} s.")
    return 1 if problems else 0


def _set_out(van: DemoDevice) -> set[str]:
    """Start the device, and wait for its route; return the ids that it had delivered before."""
    try:
        van.processes.start("capture")
        earlier = {str(row["capture_id"]) for row in van.processes.queue() if row["decided_utc"]}
        van.processes.start("sync")
    except RuntimeError as error:
        sys.exit(str(error))
    van.wait_for_route(None)
    return earlier


def _table(pressed: list[Pressed], rows: list[dict[str, Any]]) -> Iterator[str]:
    """A line per record, in the order of the chain."""
    yield COLUMNS.format(*HEAD)
    presses = {press.capture_id: press for press in pressed}
    for row in rows:
        press = presses.get(row["capture_id"])
        number = press.number if press else ""
        what = _what(press, presses) if press else row["kind"]
        yield COLUMNS.format(number, what, row["bytes"], _receipt(row), row["capture_id"])


def _what(press: Pressed, presses: Mapping[str, Pressed]) -> str:
    """Return the kind of a record, or the reason for no photo, as the record has them."""
    record, kind = press.record, str(press.label["kind"])
    if kind == RecordKind.VOID:
        return f"{kind} of {presses[press.label['about']].number}"
    if kind == RecordKind.PHOTO and record["retake_of"]:
        return f"{kind}, retake of {presses[record['retake_of']].number}"
    return str(record.get("reason", kind))


def _receipt(row: dict[str, Any]) -> str:
    """Return how long after the record its receipt was made, by the clocks of both sides."""
    if unsent([row]):
        return "NONE"
    made, received = (datetime.fromisoformat(row[name]) for name in ("utc", "decided_utc"))
    return f"in {max((received - made).total_seconds(), 0):.0f} s"


def _not_arrived(van: DemoDevice, rows: list[dict[str, Any]]) -> Iterator[str]:
    """Yield what has no receipt, and why."""
    for row in unsent(rows):
        yield f"{row['capture_id']} is {row['state']}: {row['answer'] or 'never sent'}"
    sync = van.processes.ask("sync", {"status": True}) or {}
    if unsent(rows) and sync.get("pause"):
        yield f"the device has paused: {sync['pause']}"
