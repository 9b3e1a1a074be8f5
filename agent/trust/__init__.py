"""Documents that the device trusts, verified and written by capture alone, and the time."""

from typing import Final

LINKS_LIMIT: Final = 50
"""Most changes of the fleet key that a device follows from the one it was given.

It is here because the store must not load what reads the documents: serve has the store, and keys
take 11 MB of memory.
"""
