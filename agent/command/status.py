"""`doorstep status`."""

# ruff: noqa: PLC0415, T201 - only this command needs it; commands print

import argparse
import json

from agent.command import shared
from agent.config import Config
from agent.errors import ExitCode


def status(config: Config, arguments: argparse.Namespace) -> int:
    """`doorstep status [--json]`."""
    from agent.process import status as report

    with shared.queue(config) as outbox:
        document = report.document(config, outbox)
    if arguments.json:
        print(json.dumps(document, separators=(",", ":")))
    else:
        print("\n".join(report.lines(document)))
    return ExitCode.DONE
