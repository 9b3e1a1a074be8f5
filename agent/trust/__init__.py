"""Documents that the device trusts, verified and written by capture alone, and the time.

`TrustStore` describes the files.

- Every reader in prune and sync verifies again.
- A version is written before its document, so no power cut, corrupt file or new queue brings an
  older document back.
- A fleet document counts if it is newer and follows: by the fleet key, or by the next key that the
  last one names. After a change the old key signs nothing more.
- One wrong member refuses the whole document; the process that offered it gets the reason.
- The manifest is never in the database, which would leave its pages on the card. The new manifest
  gets its name first; then the old one, which has a second name, is overwritten and deleted.

To add a member of the fleet document, add a field to `FleetDocument`, its reading, and rows to
`test_fleet.py`. It may be missing: backend and devices are not updated together.

To add a document that the backend signs:

1. Choose a `typ`, and the signer: the fleet key, or a list of keys in the fleet document. Write a
   pure reader like `fleet.py`.
2. Add its file and two methods to `store.py`; they decide what a deletion leaves on the card.
3. Add its `case` to `agent/capture/documents.py`, which makes it durable before it says `taken`.
4. Add a `Document` to `agent/command/sync.py`, which downloads it.
5. Describe it in agent/docs/, and add it to the scenario `trust` of the rig of power cuts.
"""

from typing import Final

LINKS_LIMIT: Final = 50
"""Most changes of the fleet key that a device follows from the one it was given.

It is here because the store must not load what reads the documents: serve has the store, and keys
take 11 MB of memory.
"""
