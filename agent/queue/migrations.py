"""The queue's schema as history, from the first release on.

No step is changed once it is released, and none takes a name from today's code: a device in the
field may come from any of them. What a step got wrong, the next one puts right.

To add a step, add it at the end of `STEPS`. Describe the valid values of a new table or column in
`content.py`, and invalid ones in `test_lies.py`.
"""

from typing import Final

STEPS: Final = {
    "m001_queue": (
        """
        CREATE TABLE "captures" (
            "number" INTEGER PRIMARY KEY NOT NULL,
            "capture_id" TEXT NOT NULL,
            "chain" TEXT NOT NULL,
            "seq" INTEGER NOT NULL,
            "label_sha256" TEXT NOT NULL,
            "boot_id" TEXT NOT NULL,
            "kind" TEXT NOT NULL,
            "about" TEXT,
            "utc" TEXT NOT NULL,
            "clock" TEXT NOT NULL,
            "bytes" INTEGER NOT NULL,
            "sha256" TEXT NOT NULL,
            "state" TEXT NOT NULL,
            "adopted" INTEGER NOT NULL,
            "attempts" INTEGER NOT NULL,
            "suspected" INTEGER NOT NULL,
            "due_boot_id" TEXT NOT NULL,
            "due_s" REAL NOT NULL,
            "upload_url" TEXT,
            "answer" TEXT,
            "decision" TEXT,
            "decided_utc" TEXT,
            "dead_ends" INTEGER NOT NULL DEFAULT 0,
            "sent_whole" INTEGER NOT NULL DEFAULT 0
        ) STRICT
        """,
        """
        CREATE UNIQUE INDEX "idx_captures_capture_id"
        ON "captures" ("capture_id")
        """,
        """
        CREATE UNIQUE INDEX "idx_captures_chain_seq"
        ON "captures" ("chain", "seq")
        """,
        """
        CREATE INDEX "idx_captures_state"
        ON "captures" ("state")
        """,
        """
        CREATE INDEX "idx_captures_state_due_s"
        ON "captures" ("state", "due_s")
        """,
        """
        CREATE INDEX captures_alarming ON captures (number)
        WHERE (state IN ('REFUSED', 'DAMAGED') OR suspected > 0)
        """,
        """
        CREATE TABLE "facts" (
            "name" TEXT PRIMARY KEY,
            "text" TEXT NOT NULL
        ) STRICT
        """,
        """
        CREATE INDEX captures_suspect ON captures (number)
        WHERE state = 'PENDING' AND suspected > 0
        """,
        """
        CREATE TABLE "tally" (
            "state" TEXT PRIMARY KEY,
            "rows" INTEGER NOT NULL
        ) STRICT
        """,
        """
        INSERT INTO tally VALUES
            ('PENDING', 0), ('DELIVERED', 0), ('PRUNED', 0), ('REFUSED', 0), ('DAMAGED', 0)
        """,
        """
        CREATE TRIGGER captures_insert AFTER INSERT ON captures BEGIN
            UPDATE tally SET rows = rows + 1 WHERE state = NEW.state;
        END
        """,
        """
        CREATE TRIGGER captures_update AFTER UPDATE OF state ON captures BEGIN
            UPDATE tally SET rows = rows - 1 WHERE state = OLD.state;
            UPDATE tally SET rows = rows + 1 WHERE state = NEW.state;
        END
        """,
        """
        CREATE TRIGGER captures_delete AFTER DELETE ON captures BEGIN
            UPDATE tally SET rows = rows - 1 WHERE state = OLD.state;
        END
        """,
    ),
}
"""Statements of each step, by the name under which a migrated database notes the step.

What they made: `captures` has one row per record, an index of its file, whose `decision` is the
backend's receipt or refusal; `tally` counts the rows of each state, so that no query has to.
"""

LEDGER: Final = (
    """
    CREATE TABLE "_sqlite_migrations" (
        "id" INTEGER PRIMARY KEY,
        "migration_set" TEXT,
        "name" TEXT,
        "applied_at" TEXT
    )
    """,
    """
    CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name")
    """,
)
"""Table in which sqlite-utils notes the steps. Source: a queue that its release 4.0 made."""
