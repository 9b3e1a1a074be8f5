"""`doorstep status`: what waits, what is wrong, who runs."""

import argparse
import json

from agent.command.shared import configured, open_queue
from agent.errors import ExitCode
from agent.process import status


def run(arguments: argparse.Namespace) -> int:
    """`doorstep status [--json]`."""
    config = configured(arguments)
    with open_queue(config) as outbox:
        document = status.document(config, outbox)
    if arguments.json:
        print(json.dumps(document, separators=(",", ":")))
    else:
        print("\n".join(status.lines(document)))
    return ExitCode.DONE
