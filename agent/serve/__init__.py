"""The process that answers requests for the status: its clients, and its answers.

- Serve writes no file and no mark, and holds a lock only while it looks.
- It opens the queue for each look, one at a time, and so holds up no process that ends or makes
  the queue again.
- The contents of the queue, of `run/status.json` and of the sockets' answers are input.
- An answer has no place, code or stop, no count of deliveries, and no time of a record more exact
  than an hour, so that it shows no person's pace.
- A refused client learns only why.
- A certificate is judged by the later of the clock and the time that capture knows to be past.
- Idle and slow clients hold up nobody, and serve ends at once on SIGTERM.
- `agent/record/` and HTTP clients are never imported: keys alone cost 12 MB.

To add a route, add a line to `_ROUTES` of `answers.py`, its description to `openapi.json`, and a
row to "Asking a device" in agent/docs/wire.md; its time may not depend on the queue's length. To
add a reason for a refusal, add a member to `DenialReason`, with its sentence.
"""
