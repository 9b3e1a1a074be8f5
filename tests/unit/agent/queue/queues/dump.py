"""Prints a queue with rows in every state as SQL, as the code of this checkout makes it.

Run once per release: `python -m tests.unit.agent.queue.queues.dump > VERSION.sql`, in this folder.
What it printed then is history: code after the release never makes it again.
"""

import sys
import tempfile
from pathlib import Path

from agent import __version__
from agent.queue.outbox import Outbox
from tests.support.factory import MOMENT, RecordMaker, add, queue


def fill(outbox: Outbox) -> None:
    """Bring ten records to every state."""
    device = RecordMaker()
    for made in [device.make() for _ in range(9)]:
        add(outbox, made, adopted=made.label.seq == 9)
    claimed = [outbox.claim(100.0, due_s=100.0) for _ in range(7)]
    backed_off, suspect, refused, damaged, delivered, pruned, begun = filter(None, claimed)
    outbox.schedule_retry(backed_off, 160.0, "sent whole 1: POST was answered 503", sent_whole=1)
    outbox.schedule_retry(
        suspect, 400.0, "dead end 3: POST was answered 404", suspected=True, dead_ends=3
    )
    outbox.mark_refused(refused, "refusal.of.one", MOMENT, "unknown_device")
    outbox.mark_damaged(damaged, "its file is gone")
    for item in (delivered, pruned):
        outbox.mark_delivered(item, "receipt.of.one", MOMENT)
    outbox.mark_pruned([pruned.capture_id])
    outbox.set_upload_url(begun, "https://backend.example/uploads/7")
    add(outbox, device.make("void", about=begun.capture_id))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        _, database, outbox = queue(Path(folder))
        fill(outbox)
        with database.look() as sql:
            statements = list(sql.iterdump())[1:-1]  # without BEGIN and COMMIT
        database.close()
    made_by = (
        f"-- A queue made and filled by {__version__}: python -m tests.unit.agent.queue.queues.dump"
    )
    sys.stdout.write("\n".join([made_by, *statements, ""]))


if __name__ == "__main__":
    main()
