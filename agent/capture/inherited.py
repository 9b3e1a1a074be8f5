"""What an earlier release kept of time and manifests in its queue, taken over once."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from agent.models import from_rfc3339
from agent.rule.manifest import VERSION_LIMIT
from agent.trust.store import TrustStore
from hardware.floor import LATEST


def inherit(trust: TrustStore, facts: Mapping[str, str]) -> None:
    """Keep a later floor and a later version than are known; what is neither counts as not there.

    Durable when it returns. Raises StorageFault.
    """
    with suppress(ValueError, KeyError):
        floor, known = from_rfc3339(facts["time_floor"]), trust.time()
        if floor <= LATEST and (known.floor is None or floor > known.floor):
            trust.keep_time(replace(known, floor=floor))
    with suppress(ValueError, KeyError):
        version = int(facts["manifest_version"])
        if (trust.manifest_version() or 0) < version <= VERSION_LIMIT:
            trust.keep_manifest("", version)  # it is wiped at once: sync fetches it again
            trust.wipe_manifest()
