"""Disk and SQL: paths, durable writes, the database, the outbox, recovery and retention.

A record is a file; its row is an index of it, which capture can make again from the files.

- When `write_durably` or a change of the outbox has returned, the change survives a power cut.
- No record's file is deleted without a receipt for exactly its id, digest and size, verified then.
- Files decide, not rows: which record is the newest, which number is next, which record is whole.
- No press runs a query that reads every row. Nothing is opened through a link.
- The package knows no process: the caller passes the function that shows life during a sweep.
- Capture, sync and prune share `queue/`, so its contents are input: `bounds.py` limits memory,
  steps, values and processor time before SQLite reads the file.

To add a column, add a migration (`migrations.py`), a field of `Item` in `agent/models.py`, its
value in `outbox.py`, and its valid values in `content.py`; a new queue must find the value in the
record's file, or ask the backend again. To add a state, add a member of `RecordState`, what
`mark_missing` makes of it, a migration for its line in `tally`, who marks it, whether `retry`
requeues it, and its place in `tests/faults/sequences/`. A question is a method of `OutboxReader`
that an index answers; `python -m tests.bench.depth` shows its cost at 100,000 rows.
"""
