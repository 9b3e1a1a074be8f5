"""`doorstep status`: what waits, what is wrong, who runs."""

import argparse

from agent.command.shared import configured
from agent.command.state_access import open_queue
from agent.errors import ExitCode
from agent.status import words
from agent.status.document import document, queue_part
from agent.status.values import compact


def run(arguments: argparse.Namespace) -> int:
    """Run `doorstep status [--json]`."""
    config = configured(arguments)
    with open_queue(config) as outbox:
        found = document(config, queue_part(outbox))
    if arguments.json:
        print(compact(found))
    else:
        print("\n".join(words.lines(found)))
    return ExitCode.DONE
