"""`doorstep status`: what waits, what is wrong, who runs."""

import argparse
import json

from agent.command.shared import configured, open_queue
from agent.errors import ExitCode
from agent.status import words
from agent.status.document import document


def run(arguments: argparse.Namespace) -> int:
    """`doorstep status [--json]`."""
    config = configured(arguments)
    with open_queue(config) as outbox:
        found = document(config, outbox)
    if arguments.json:
        print(json.dumps(found, separators=(",", ":")))
    else:
        print("\n".join(words.lines(found)))
    return ExitCode.DONE
