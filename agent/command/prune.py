"""`doorstep prune`: deletes what a receipt covers and is old enough, while capture cannot run."""

import argparse

from agent.command.pruning import prune_now
from agent.command.shared import configured
from agent.errors import ExitCode
from agent.queue.disk import lock
from agent.queue.labels import newest_of_each_chain, read_labels
from agent.queue.paths import Layout

_NOT_CERTAIN = (
    "nothing was deleted for its age: no receipt of this boot has agreed with the clock yet; "
    "that comes by itself when a record is delivered while `doorstep capture` runs and the time "
    "is known"
)


def run(arguments: argparse.Namespace) -> int:
    """Run `doorstep prune`."""
    config = configured(arguments)
    layout = Layout.of(config.state)
    with lock(layout.capture_lock, exclusive=True, wait=False):
        newest = newest_of_each_chain(read_labels(layout)).values()
        pruned, is_certain = prune_now(config, newest)
    print(f"{pruned.files} records and {pruned.labels} record labels deleted")
    if not is_certain:
        print(_NOT_CERTAIN)
    return ExitCode.DONE
