"""The record file that leaves the device, its signature, receipts, and verification.

- The package works on bytes: only `verify` and the readers of keys open files.
- Every result was verified; everything else raises `NotGenuine`, or `RecordDamaged`.
- The stored bytes are hashed and signed; no value is serialised again for a comparison.
- Each size, number and text has a limit, and JSON is read as all readers agree.
- `verify` and the sweep after a power cut agree on what is a record, and on the largest one.
- `verify` accepts both spellings of an ES256 signature as one label; the queue compares bytes, so
  a respelled file is DAMAGED.
- Each signed thing has its own `typ`, so that no signature counts for another thing.

A new field of the label (`RecordLabel`, `file.py`) may be missing, because older records must
still verify. A new type of body has a media type beside `BODY_TYPE`, and a reader. If another
release of c2pa writes another form, `jumbf.py` must accept both, because old photos stay.
"""
