"""The command line: its words, the module of each command, and the exit code."""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final, Protocol

from agent import __version__
from agent.errors import DoorstepError, ExitCode
from agent.models import SHA256, RecordState, printable
from agent.process import streams
from agent.process.parser import Parser
from hardware.errors import DeviceError, ScriptError

LIMIT_MOST: Final = 1_000_000
"""Items in one list: ten times the longest queue that was tried."""

NUMBER_MOST: Final = 2**63 - 1
"""Source: the largest INTEGER of SQLite, sqlite.org/datatype3.html."""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the words of a command; raises SystemExit if they are wrong, or ask for help."""
    return parsed(parser(), arguments)


def parsed(whole: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """Parse `arguments`: a path may be any bytes, every other word must be UTF-8.

    Raises:
        SystemExit: the words are wrong, or ask for help; argparse has said why.
    """
    found = whole.parse_args(arguments)
    for name, value in vars(found).items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str) and not _is_text(one):
                whole.error(f"{name}: {printable(one)} is not UTF-8")
    return found


def _is_text(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:  # it has what os.fsdecode makes of other bytes
        return False
    return True


def serves(parsed: argparse.Namespace) -> bool:
    """Return True if the command runs until it is stopped."""
    if parsed.command not in {"capture", "sync"}:
        return bool(parsed.command == "serve")
    return not parsed.once and getattr(parsed, "folder", None) is None


def run(parsed: argparse.Namespace) -> int:
    """Run one command and return its exit code; a bug is the only thing that leaves a traceback."""
    _log_to_stderr(verbose=serves(parsed))
    try:
        # Only now: `status` pays for neither OpenCV nor requests, nor `sync` for OpenCV.
        return int(import_module(f"agent.command.{parsed.command}").run(parsed))
    except DoorstepError as error:
        return _tell(error, error.exit_code)
    except DeviceError as error:
        return _tell(error, ExitCode.FAULT)
    except ScriptError as error:
        return _tell(error, ExitCode.USAGE)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED


def run_as_process(arguments: Sequence[str]) -> int:
    """Run one command with this process's own streams and Ctrl-C, which the caller has blocked."""
    out = streams.outlast()
    try:
        parsed = parse(arguments)
        _end_at_once(ExitCode.DONE if serves(parsed) else ExitCode.INTERRUPTED)
        code = run(parsed)
    except SystemExit as ended:  # of argparse, which has told why
        code = int(ended.code or 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # nothing is left to stop
    return code if streams.is_all_written(out, "doorstep") else code or ExitCode.FAULT


def _end_at_once(code: int) -> None:
    """Let Ctrl-C do what a power cut may do at any time, until a command catches it itself.

    KeyboardInterrupt may come up in the import of a C++ module, which aborts.
    """
    signal.signal(signal.SIGINT, lambda _kind, _frame: os._exit(code))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _tell(error: Exception, code: int) -> int:
    for line in str(error).splitlines():
        print(f"doorstep: {printable(line)}", file=sys.stderr)
    return code


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    common = Parser(add_help=False)
    common.add_argument(
        "--config",
        type=Path,
        default=argparse.SUPPRESS,
        metavar="PATH",
        help="configuration file (default: as for doorstep)",
    )
    whole = Parser(
        "doorstep",
        description="Photograph parcels at the door, and deliver the signed records.",
        epilog="Example: doorstep status. `doorstep COMMAND --help` explains a command.",
    )
    whole.add_argument("--version", action="version", version=f"doorstep {__version__}")
    whole.add_argument(
        "--config",
        type=Path,
        metavar="PATH",
        help="configuration file (default: $DOORSTEP_CONFIG or /etc/doorstep/config.toml)",
    )
    verbs = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, help_text: str, example: str = "") -> argparse.ArgumentParser:
        description = f"{help_text[0].upper()}{help_text[1:]}."
        epilog = f"Example: doorstep {name} {example}".rstrip()
        return verbs.add_parser(
            name, help=help_text, parents=[common], description=description, epilog=epilog
        )

    _add_capture_and_sync(add)
    add(
        "prune",
        "while capture cannot run, delete records with a receipt that are older than the "
        "retention settings",
    )
    verb = add("status", "show the waiting records, the troubles and the processes", "--json")
    verb.add_argument("--json", action="store_true", help="print one JSON document")
    _add_queue(add, common)
    add("serve", "answer requests for the status over HTTPS, until stopped")
    _add_enrol(add)
    verb = add("doctor", "check this device, and print a remedy for each fault", "--camera")
    verb.add_argument("--json", action="store_true", help="print one JSON document")
    verb.add_argument(
        "--camera", action="store_true", help="also measure one frame, which is not kept"
    )
    add("locate", "blink and sound for 20 s, to be found among other devices")
    verb = add("config", "check the configuration, and print it", "--check")
    verb.add_argument("--check", action="store_true", help="check only; print no settings")
    _add_verify(add)
    _add_open(add)
    _add_sign(add)
    _add_rescue(add)
    _add_retire(add)
    return whole


class _Add(Protocol):
    def __call__(self, name: str, help_text: str, example: str = "") -> argparse.ArgumentParser: ...


def _add_retire(add: _Add) -> None:
    verb = add("retire", "revoke this device, and wipe its keys, records and settings", "van-0042")
    verb.add_argument("device_id", metavar="DEVICE_ID", help="id of this device, to be certain")
    verb.add_argument(
        "--discard",
        type=_between(0, LIMIT_MOST),
        default=0,
        metavar="N",
        help="exact number of unsent records that may be lost (default: 0)",
    )


def _add_rescue(add: _Add) -> None:
    verb = add("rescue", "list or save the records on a dead device's card", "card.img --to saved")
    verb.add_argument(
        "source",
        type=Path,
        metavar="IMAGE|DEVICE",
        help="image of the card, or its device; only read",
    )
    verb.add_argument(
        "--to", type=Path, metavar="DIR", help="folder for whole records (default: only list them)"
    )
    verb.add_argument(
        "--ca",
        type=Path,
        metavar="FILE",
        help="the fleet's authority, PEM; another fleet's card is refused (default: any fleet)",
    )


def _add_verify(add: _Add) -> None:
    verb = add(
        "verify",
        "check a folder of record files, without a device or a network",
        "evidence --ca fleet-ca.pem --fleet-key fleet-key.pem",
    )
    verb.add_argument(
        "folder", type=Path, metavar="DIR", help="folder of *.rec, and of *.pem with certificates"
    )
    for name, metavar, help_text in (
        ("key", "PEM", "the device's public key (default: by its certificate)"),
        ("ca", "FILE", "the fleet's certificate authority, PEM (default: not checked)"),
        ("identity", "FILE", "age identity that opens sealed bodies (default: not opened)"),
        ("receipts", "PATH", "folder or file of receipts (default: DIR/receipts)"),
        ("revoked", "FILE", "the fleet's list of revoked keys (default: DIR/revoked.jws)"),
        ("fleet-key", "PEM", "public key that signed that list (default: not checked)"),
    ):
        verb.add_argument(f"--{name}", type=Path, metavar=metavar, help=help_text)
    verb.add_argument("--json", action="store_true", help="print one JSON document")


def _add_open(add: _Add) -> None:
    verb = add(
        "open",
        "check one record file by itself, and open it",
        "71c344a4-afa0-4039-9d15-c737886a3e43.rec --identity office.txt --to opened",
    )
    verb.add_argument(
        "record", type=Path, metavar="FILE", help="the record file; - is standard input"
    )
    verb.add_argument(
        "--identity",
        type=Path,
        metavar="FILE",
        help="age identity that opens a sealed body (default: check it only)",
    )
    how = verb.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="print one JSON document")
    how.add_argument(
        "--to",
        type=Path,
        metavar="DIR",
        help="new or empty folder for label.json, record.json and photo.jpg (default: none)",
    )


def _add_sign(add: _Add) -> None:
    verb = add(
        "sign",
        "sign a document of your backend (JSON), if a device would accept it",
        "manifest route.json --key manifest-key.pem --out van-0042.jws",
    )
    verb.add_argument(
        "kind",
        choices=("receipt", "refusal", "manifest", "fleet"),
        metavar="receipt|refusal|manifest|fleet",
        help="kind of the document",
    )
    verb.add_argument(
        "document", type=Path, metavar="FILE", help="the document; - is standard input"
    )
    verb.add_argument(
        "--key", type=Path, required=True, metavar="PEM", help="private key that signs, P-256"
    )
    verb.add_argument(
        "--out", type=Path, metavar="NEW", help="new file for the JWS (default: standard output)"
    )


def _add_capture_and_sync(add: _Add) -> None:
    verb = add("capture", "serve presses until stopped", "--once")
    verb.add_argument(
        "--once", action="store_true", help="serve one press, print its record as JSON, and end"
    )
    verb = add("sync", "send queued records until stopped", "--once")
    how = verb.add_mutually_exclusive_group()
    how.add_argument("--once", action="store_true", help="send the waiting records, and end")
    how.add_argument(
        "--from",
        dest="folder",
        type=Path,
        metavar="DIR",
        help="send a dead device's records, as a technician, and end",
    )
    verb.add_argument(
        "--receipts",
        type=Path,
        metavar="DIR2",
        help="folder for their receipts (default: DIR/receipts)",
    )


def _add_enrol(add: _Add) -> None:
    verb = add(
        "enrol",
        "get this device's certificates, and the fleet document",
        "https://backend.example --token token",
    )
    words = (
        'address of the server that issues certificates (not with identity.certificates = "files")'
    )
    verb.add_argument("url", nargs="?", metavar="URL", help=words)
    verb.add_argument("--renew", action="store_true", help="renew the certificates now")
    verb.add_argument(
        "--token",
        type=Path,
        metavar="FILE",
        help="file with the one-time token (default: standard input)",
    )
    verb.add_argument(
        "--ca-sha256",
        type=_sha256,
        metavar="HEX",
        help="SHA-256 of the authority's public key; if identity.ca does not exist, fetch it",
    )
    verb.add_argument(
        "--csr", type=Path, metavar="DIR", help="write this device's certificate requests into DIR"
    )
    verb.add_argument(
        "--certificate",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="take the certificates (PEM) that an authority made of the requests",
    )


def _sha256(text: str) -> str:
    digest = text.replace(":", "").lower()
    if not SHA256.fullmatch(digest):
        raise argparse.ArgumentTypeError("not a SHA-256: 64 hexadecimal digits")
    return digest


def _add_queue(add: _Add, common: Parser) -> None:
    verb = add("queue", "list the records in the queue, or requeue them", "--state REFUSED")
    verb.add_argument(
        "--state",
        type=str.upper,
        choices=[state.value for state in RecordState],
        help="list only this state, in upper or lower case (default: all)",
    )
    verb.add_argument(
        "--after",
        type=_between(0, NUMBER_MOST),
        default=0,
        metavar="SEQ",
        help="list only records after this number (default: 0)",
    )
    limit = _between(1, LIMIT_MOST)
    verb.add_argument(
        "--limit", type=limit, default=50, metavar="N", help="list at most N records (default: 50)"
    )
    verb.add_argument("--json", action="store_true", help="print one JSON document per line")
    words = "requeue REFUSED, DAMAGED and suspect records"
    retry = verb.add_subparsers(dest="action", metavar="retry").add_parser(
        "retry",
        help=words,
        parents=[common],
        description=f"R{words[1:]}.",
        epilog="Example: doorstep queue retry --all",
    )
    retry.add_argument("id", nargs="?", metavar="ID", help="the record's capture_id")
    retry.add_argument("--all", action="store_true", help="requeue all such records")
    retry.add_argument(
        "--json",
        action="store_true",
        default=argparse.SUPPRESS,
        help="print one JSON document",
    )


def _between(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:  # argparse tells this name
        if not least <= (found := int(text)) <= most:
            raise argparse.ArgumentTypeError(f"{text}: {least:,} to {most:,}")
        return found

    return number


def _log_to_stderr(*, verbose: bool) -> None:
    stamp = "" if "JOURNAL_STREAM" in os.environ else "%(asctime)s "
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format=f"{stamp}%(levelname)s %(message)s",
    )
