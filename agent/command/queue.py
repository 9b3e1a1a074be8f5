"""`doorstep queue`: lists the queue, and puts items back."""

import argparse
import json
from dataclasses import asdict
from typing import Any

from agent.command.shared import configured
from agent.command.state_access import open_queue
from agent.errors import ConfigError, ExitCode
from agent.models import CaptureId, Item, printable


def run(arguments: argparse.Namespace) -> int:
    """Run `doorstep queue [...]` and `doorstep queue retry ID|--all`."""
    config = configured(arguments)
    with open_queue(config) as outbox:
        if arguments.action == "retry":
            if (arguments.id is None) != arguments.all:
                raise ConfigError("queue retry: give one ID, or --all")
            put_back = outbox.retry(None if arguments.all else CaptureId(arguments.id), 0.0)
            words = f"{put_back} put back; sync sends them when it next looks"
            print(json.dumps({"put_back": put_back}) if arguments.json else words)
            return ExitCode.DONE
        items = outbox.items(arguments.state, arguments.after, arguments.limit)
    for item in items:
        print(json.dumps(_listed(item)) if arguments.json else _line(item))
    if arguments.json:
        return ExitCode.DONE
    if len(items) == arguments.limit:
        print(f"there may be more: --after {items[-1].number}")
    elif not items:
        after = f" after {arguments.after}" if arguments.after else ""
        state = f" is {arguments.state}" if arguments.state else ""
        print(f"nothing in the queue{after}{state}")
    return ExitCode.DONE


def _listed(item: Item) -> dict[str, Any]:
    hidden = {"label_sha256", "due_s", "decision", "adopted", "dead_ends", "sent_whole"}
    return {name: value for name, value in asdict(item).items() if name not in hidden}


def _line(item: Item) -> str:
    tries = f"{item.attempts} tried" if item.attempts else "not tried"
    answer = f"  {item.answer}" if item.answer else ""
    return printable(
        f"{item.number:>6}  #{item.seq:<5} {item.capture_id}  {item.kind:<11} {item.state:<9} "
        f"{item.utc}  {tries}{answer}"
    )
