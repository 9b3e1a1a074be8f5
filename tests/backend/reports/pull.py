"""`python -m tests.backend pull`: asks devices that can be reached for their status."""

import argparse
import http.client
import json
import ssl
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from agent.status.document import LIMIT_BYTES
from agent.status.troubles import TOLD, Trouble
from tests.backend.reports.read import Report, of_document
from tests.backend.reports.store import Reports

AT_ONCE: Final = 16
"""Devices that are asked at a time: a pull is a wait for the slowest lines."""

PATIENCE_S: Final = 10.0
"""Longest wait for a device to take a connection, and for each part of its answer."""


def add_to(commands: Any) -> None:
    """`pull ...`, beside the office's own commands."""
    pull = commands.add_parser("pull", help="ask devices for their status, and keep the answers")
    pull.add_argument(
        "devices", nargs="+", type=_address, metavar="DEVICE", help="https://NAME:PORT"
    )
    pull.add_argument(
        "--cert", type=Path, required=True, metavar="FILE", help="of `clients add NAME --out FILE`"
    )
    pull.add_argument("--every", type=float, metavar="S", help="again and again, from then to then")


def _address(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_right = parts.scheme == "https" and parts.hostname and parts.path in {"", "/"}
        if is_right and parts.port != 0:
            return text
    except ValueError:  # the port
        pass
    raise argparse.ArgumentTypeError(f"{text}: not as https://NAME:PORT")


def run(options: argparse.Namespace, reports: Reports, ca_file: Path) -> Iterator[str]:
    """Ask all of them, once or for ever; one line for each."""
    context = ssl.create_default_context(cafile=ca_file)
    context.load_cert_chain(options.cert)
    while True:
        began_s = time.monotonic()
        for address, found in pulled(options.devices, context):
            if isinstance(found, Report):
                reports.note(found)
            yield f"{address}  {_words(found)}"
        if options.every is None:
            return
        time.sleep(max(began_s + options.every - time.monotonic(), 0.0))


def pulled(addresses: Iterable[str], context: ssl.SSLContext) -> Iterator[tuple[str, Report | str]]:
    """What each of them answers, or why it did not, in their order."""
    addresses = list(addresses)
    with ThreadPoolExecutor(AT_ONCE) as asking:
        yield from zip(
            addresses, asking.map(lambda one: _asked(one, context), addresses), strict=True
        )


def _asked(address: str, context: ssl.SSLContext) -> Report | str:
    parts = urlsplit(address)
    assert parts.hostname is not None
    line = http.client.HTTPSConnection(
        parts.hostname, parts.port or 443, timeout=PATIENCE_S, context=context
    )
    try:
        line.request("GET", "/v1/status")
        device_id = _common_name(line.sock.getpeercert())
        answer = line.getresponse()
        text = answer.read(2 * LIMIT_BYTES)
    except ssl.SSLError as error:
        return f"TLS failed: {getattr(error, 'verify_message', '') or error.reason}"
    except (OSError, http.client.HTTPException) as error:
        return f"no answer: {error or type(error).__name__}"
    finally:
        line.close()
    return _read(answer.status, text, device_id)


def _read(status: int, text: bytes, device_id: str) -> Report | str:
    try:
        found = json.loads(text)
        if status != 200:
            return f"answered {status}: {str(found['error'])[:200]!r}"
        return of_document(dict(found), device_id, datetime.now(UTC))
    except (ValueError, TypeError, KeyError, RecursionError):
        return f"answered {status}, but not as `doorstep serve` does"


def _common_name(certificate: Any) -> str:
    """Whose it is: TLS has verified that, and the name in the address."""
    names = [value for part in certificate["subject"] for key, value in part if key == "commonName"]
    return names[0] if len(names) == 1 else ""


def _words(found: Report | str) -> str:
    if isinstance(found, str):
        return found
    waits = f"{found.waiting} waiting"
    if found.oldest_utc:
        waits += f" since {found.oldest_utc[:13]}h"
    if why := found.document["queue"].get("why"):
        waits += f": {TOLD[Trouble(why)].what}"
    needs = [TOLD[one].what for one in found.needs]
    return f"{found.device_id}  {'; '.join(needs) or 'all well'}  ({waits})"
