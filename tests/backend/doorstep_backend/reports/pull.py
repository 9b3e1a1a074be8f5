"""`python -m doorstep_backend pull`: asks devices that can be reached for their status."""

import argparse
import math
import ssl
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from agent.tls import new_context
from doorstep_backend.commandline import add_command
from doorstep_backend.engines.unavailable import Unavailable
from doorstep_backend.identity.known import DeviceState
from doorstep_backend.identity.register import Register
from doorstep_backend.office.erasure import NotDone
from doorstep_backend.reports.fleet import FleetReports
from doorstep_backend.reports.pull_one import WITHIN_S, ask, is_address
from doorstep_backend.reports.read import StatusReport
from doorstep_backend.reports.store import Reports
from doorstep_backend.reports.troubles import trouble_text
from hardware.foreign import SMALL_BYTES, read_file

MOST_PULLED_AT_ONCE: Final = 64
"""Devices that are asked at a time: of 1,000, 300 that are switched off cost 50 s and no more."""

SHORTEST_S: Final = 1.0
LONGEST_S: Final = 86_400.0
"""Between two rounds: nothing on a device changes within a second; who waits a day uses cron."""


def add_to(commands: Any) -> None:
    """Add `pull ...` to the office's own commands."""
    pull = add_command(
        commands,
        "pull",
        "ask devices for their status, and keep the answers",
        "--cert dispatch.pem https://van-0042.example.com:8443",
    )
    pull.description = (
        "Ask the `doorstep serve` of each device for its status, and keep the answers of devices "
        "in this register. Print a line for each device; with --every, only for a device with "
        "news, and a line for each round. Exit with 1 if a device gave no report."
    )
    pull.add_argument(
        "devices",
        nargs="+",
        type=_address,
        metavar="DEVICE",
        help="https://NAME:PORT, with a name of `devices names` (default port: 443)",
    )
    pull.add_argument(
        "--cert",
        type=Path,
        required=True,
        metavar="FILE",
        help="file of `clients add NAME --out FILE`",
    )
    pull.add_argument(
        "--every",
        type=_seconds,
        metavar="S",
        help="repeat every S seconds, until Ctrl-C (default: once)",
    )


def _address(text: str) -> str:
    if not is_address(text):
        raise argparse.ArgumentTypeError(f"{text}: not as https://NAME:PORT")
    return text


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not SHORTEST_S <= seconds <= LONGEST_S:
        words = f"{text}: not a number of seconds from {SHORTEST_S:g} to {LONGEST_S:g}"
        raise argparse.ArgumentTypeError(words)
    return seconds


def run(options: argparse.Namespace, data: Path) -> Iterator[str]:
    """Ask all of them, once or for ever; a line for each of which there is news.

    Raises:
        NotDone: the client's certificate cannot be used; or, of a single round, some gave no
            report.
    """
    keeping, last = _Keeping(data), dict[str, str]()
    while True:
        began_s, missing = time.monotonic(), 0
        context = _context(data / "ca" / "ca.pem", options.cert)  # it may have been renewed
        for address, found in pulled(options.devices, context):
            kept = keeping.keep(found) if isinstance(found, StatusReport) else found
            missing += isinstance(kept, str)
            words = kept if isinstance(kept, str) else _words(kept)
            if last.get(address) != words:
                yield f"{address}  {words}"
            last[address] = words
        took_s, asked = time.monotonic() - began_s, len(options.devices)
        if options.every is None:
            if missing:
                raise NotDone(f"{missing:,} of {asked:,} gave no report")
            return
        told = f"{asked:,} asked in {took_s:.1f} s, {missing:,} gave no report"
        yield f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC  {told}"
        time.sleep(max(options.every - took_s, 0.0))


def pulled(
    addresses: Iterable[str], context: ssl.SSLContext, within_s: float = WITHIN_S
) -> Iterator[tuple[str, StatusReport | str]]:
    """Return what each of them answers, or why there is no report, in their order."""
    addresses = list(addresses)
    with ThreadPoolExecutor(MOST_PULLED_AT_ONCE) as asking:
        answers = asking.map(lambda one: ask(one, context, within_s), addresses)
        yield from zip(addresses, answers, strict=True)


class _Keeping:
    """The place where reports that were pulled go: the same as of those that are pushed."""

    def __init__(self, data: Path) -> None:
        Register(data)  # makes its tables where this backend has none yet
        self._reports, self._fleet = Reports(data), FleetReports(data)

    def keep(self, found: StatusReport) -> StatusReport | str:
        """Keep and return the report; return why not if the device is shut out or was never let in.

        A certificate that was issued once is as good for TLS as ever.
        """
        found = replace(found, received_at=self._reports.now())
        known = self._fleet.find(found.device_id, found.received_at, {})
        if known is None:
            return f"{found.device_id} is not in the register: not kept; is --data right?"
        if known.state is not DeviceState.IN:
            return f"{_words(found)}; not kept: it is {known.state} in the register"
        try:
            self._reports.note(found)
        except Unavailable as error:
            return f"{found.device_id} answered, but this could not be kept: {error}"
        return found


def _context(ca_file: Path, client: Path) -> ssl.SSLContext:
    context = new_context(ssl.Purpose.SERVER_AUTH, ca_file)
    try:
        read_file(client, SMALL_BYTES)  # OpenSSL would wait for the writer of a pipe
        context.load_cert_chain(client, password="")
    except ssl.SSLError as error:
        words = "not a key and its certificate in one PEM; `clients add NAME --out FILE` makes one"
        raise NotDone(f"--cert: {client}: {words}") from error
    except (OSError, ValueError) as error:
        raise NotDone(f"--cert: {client}: {getattr(error, 'strerror', error)}") from error
    return context


def _words(found: StatusReport) -> str:
    waits = f"{found.waiting:,} waiting"
    if found.oldest_utc:
        waits += f" since {found.oldest_utc[:10]} {found.oldest_utc[11:13]}:00 UTC"
    if why := found.document["queue"].get("why"):
        waits += f": {trouble_text(why).what}"
    needs = [trouble_text(one).what for one in (*found.needs, *found.unknown_needs)]
    return f"{found.device_id}  {'; '.join(needs) or 'all well'}  ({waits})"
