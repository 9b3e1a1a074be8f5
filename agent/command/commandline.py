"""The words of the command line, and what an error tells and ends with."""

# ruff: noqa: T201 - a command prints

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from agent import __version__
from agent.command import capture, config, prune, queue, status, sync, verify
from agent.command.shared import Configured, become_owner
from agent.config import load, path_of
from agent.errors import DoorstepError, ExitCode
from agent.models import State
from agent.queue.paths import Layout
from hardware.errors import DeviceError, ScriptError

Command = Callable[[argparse.Namespace], int]
LIMIT_MOST: Final = 1_000_000
"""Items in one list: ten times the longest queue that was tried."""

NUMBER_MOST: Final = 2**63 - 1
"""Source: the largest INTEGER of SQLite, sqlite.org/datatype3.html."""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The words of one command; raises SystemExit where they are wrong, or ask for help."""
    return _parser().parse_args(arguments)


def serves(parsed: argparse.Namespace) -> bool:
    """Whether the command goes on until it is stopped."""
    return parsed.command in {"capture", "sync"} and not parsed.once


def run(parsed: argparse.Namespace) -> int:
    """Run one command and return its exit code; a bug is the only thing that leaves a traceback."""
    _log_to_stderr(verbose=serves(parsed))
    try:
        return int(parsed.run(parsed))
    except DoorstepError as error:
        return _tell(error, error.exit_code)
    except DeviceError as error:
        return _tell(error, ExitCode.FAULT)
    except ScriptError as error:
        return _tell(error, ExitCode.USAGE)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED


def _tell(error: Exception, code: int) -> int:
    for line in str(error).splitlines():
        print(f"doorstep: {line}", file=sys.stderr)
    return code


def _configured(command: Configured) -> Command:
    """A command that needs the configuration, and runs as the owner of the queue."""

    def configured(parsed: argparse.Namespace) -> int:
        settings = load(path_of(parsed.config))
        become_owner(Layout.of(settings.state))
        return command(settings, parsed)

    return configured


def _doctor(parsed: argparse.Namespace) -> int:
    from agent.command import doctor  # noqa: PLC0415 - it loads requests

    return doctor.doctor(parsed)


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--config", type=Path, default=argparse.SUPPRESS, metavar="PATH")
    parser = argparse.ArgumentParser("doorstep", description="Proof-of-delivery capture.")
    parser.add_argument("--version", action="version", version=f"doorstep {__version__}")
    parser.add_argument(
        "--config",
        type=Path,
        metavar="PATH",
        help="the configuration file (else $DOORSTEP_CONFIG, else /etc/doorstep/config.toml)",
    )
    verbs = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, help_text: str, run: Command) -> argparse.ArgumentParser:
        verb = verbs.add_parser(name, help=help_text, parents=[common], description=help_text)
        verb.set_defaults(run=run)
        return verb

    _add_capture_and_sync(add)
    add("prune", "delete what a receipt covers and is old enough", _configured(prune.prune))
    verb = add("status", "what waits, what is wrong, who runs", _configured(status.status))
    verb.add_argument("--json", action="store_true", help="one JSON document")
    _add_queue(add, common)
    verb = add("doctor", "check this device and say what to do", _doctor)
    verb.add_argument("--json", action="store_true", help="one JSON document")
    verb = add("config", "check the configuration", config.check_config)
    verb.add_argument("--check", action="store_true", help="check only; print no settings")
    verb = add("verify", "check a folder of record files", verify.verify)
    verb.add_argument("folder", type=Path, metavar="DIR")
    verb.add_argument("--key", type=Path, metavar="PEM", help="the device's public key")
    return parser


_Add = Callable[[str, str, Command], argparse.ArgumentParser]


def _add_capture_and_sync(add: _Add) -> None:
    verb = add("capture", "serve presses until stopped", _configured(capture.capture))
    verb.add_argument("--once", action="store_true", help="one press, its record as JSON")
    verb = add("sync", "send what is queued until stopped", _configured(sync.sync))
    verb.add_argument("--once", action="store_true", help="send what waits, then end")


def _add_queue(add: _Add, common: argparse.ArgumentParser) -> None:
    verb = add("queue", "list the queue, or put items back", _configured(queue.queue))
    verb.add_argument(
        "--state",
        type=str.upper,
        choices=[state.value for state in State],
        help="only those (any case)",
    )
    verb.add_argument(
        "--after",
        type=_between(0, NUMBER_MOST),
        default=0,
        metavar="SEQ",
        help="only what came after this number",
    )
    limit = _between(1, LIMIT_MOST)
    verb.add_argument("--limit", type=limit, default=50, metavar="N", help="so many at most (50)")
    verb.add_argument("--json", action="store_true", help="one JSON document per line")
    retry = verb.add_subparsers(dest="action", metavar="retry").add_parser(
        "retry", help="put REFUSED, DAMAGED and suspect items back", parents=[common]
    )
    retry.add_argument("id", nargs="?", metavar="ID")
    retry.add_argument("--all", action="store_true")
    retry.add_argument("--json", action="store_true", default=argparse.SUPPRESS)


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
