"""The rescue of records from a device's card: found in a copy, and saved.

- The card is opened for reading, and a copy is mounted. The newest records may be only in the
  journal, so the kernel plays it back in the copy; `noload` may show an empty card.
- After a read error the copy continues with zeros, and does not try again: `ddrescue` does.
- Ctrl-C and `kill -9` leave no copy, mount or loop device, at most an empty folder in `/tmp`.
- A second run saves what is missing, and never replaces a file in `DIR`.
- Root writes as the owner of `DIR`, and follows no link below it; above it only root's links.
- The queue's rows are shown and not believed: every whole record is saved.
- Everything on a card is input: no link is followed, no pipe or oversized file is read, names are
  made printable, each list has an end, and the verified label names the saved file. The mount has
  `nosuid,nodev,noexec`; a file system with an external journal or options of its own is refused.

To add a place of the state, extend `state_below` in `places.py`, and `test_cards.py`; what a
person must know about is in `_SECRETS` of `agent/command/rescue.py`.
"""
