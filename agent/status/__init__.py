"""The status document: what a device says of itself.

- The document stays within 1,500 bytes, and takes the same time on a full queue as on an empty one.
- It has no place and no code, and no figure that shows a person's pace.
- The reports of capture and sync, `run/status.json` and `doctor.json` are input; no process reports
  for another. A part that does not answer says so; the other parts are complete.
- The package imports no certificates, OpenCV, numpy or network library.

To add a field, add an attribute to `values.py`, its value to `document.py`, and its words to
`words.py`; a daemon's own field also to `CapturePart` or `SyncPart`, and `_MEMBERS` of
`reading.py`; a text to `_TEXTS` of `fitting.py`, which limits its length. Add it to `Status` of
`agent/serve/openapi.json`, to `doorstep_backend/reports/shape.py`, and to agent/docs/status.md. It
must say nothing about a person's places or pace; agent/docs/privacy.md says what it does reveal.

To add a trouble, whose name other systems know:

1. Add its name to `Trouble` in order, its texts to `TROUBLE_TEXTS`, and its cause to `causes.py`.
   Add it to `WAITS_BY_ITSELF` if nobody must act, and to `BLOCKED_REASONS` if sync reports it.
   A trouble that only the backend knows is in `doorstep_backend/reports/troubles.py`.
2. Add a case to `test_troubles.py`, in which a real cause makes it appear.
3. Generate the pages' tables, and the alerts by `python -m doorstep_backend.monitoring`.
"""
