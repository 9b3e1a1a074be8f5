"""The process with the network and without devices: claim, deliver, mark; and the manifest.

In one turn `loop` claims a record, `read_verified` reads it, `delivery` makes an `attempt`, and
`outcome_handler` marks the row and informs `backoff`; `batches` says when the network may be used.

- Only a verified receipt makes a record DELIVERED; no answer leads to a deletion.
- One record's fault never holds up the others; a fault of the line or the backend slows all.
- Every attempt ends: each sent piece must make progress, and the steps back are limited.
- If identity is required, nothing is sent without a fleet document, because no receipt could be
  verified. Only capture decides which documents count; while capture is down, sync delivers by its
  own verified copy of the fleet document.
- The obstacle in the status is the worse one of the last record's and the last document's.
- Every use of the network is inside a batch, except a round for a person.
- The status costs no request and no record: it is left out if it is late, too long or wrong.
- A change is logged once, and a lasting failure is one line.
- After a 403 about one record, `sync --from` sends no other record by the same key.

To add an answer of the backend, add its case to `attempt.py` (in `_otherwise` if it means the same
for every request), and to `of_answer` in `blocked_reason.py` if a document can get it; test it in
`test_delivery.py` and `tests/contracts/`; add its row to agent/docs/durability.md. An outcome is a
value in `outcome.py`; mypy asks for its consequences. A step is a value of `Step`, its request and
its successors. Another thing to ask for is a `Download`, which raises nothing for any answer.
"""
