"""More uploads at once, at both instances, than the quota of one device has room for."""

import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import cycle
from typing import Final

from doorstep_backend.engines.unavailable import Unavailable
from doorstep_backend.wire.quota import MOST_OPEN_BYTES
from tests.faults.overlaps.pair import Pair
from tests.support.factory import new_id
from tests.support.waiting import until
from tests.support.wire import VERSION, announce, speaking_to

LENGTH: Final = 32_000_000
"""Bytes that each upload announces: 33 such uploads fit into the quota."""

UPLOADS_AT_ONCE: Final = 48


def quota_is_passed(pair: Pair, rng: random.Random) -> bool:
    """Return whether one device has begun more uploads than fit into its quota."""
    until(lambda: _is_empty(pair))  # what was too late for an answer may go on
    ids = [new_id() for _ in range(UPLOADS_AT_ONCE)]
    rng.shuffle(ids)
    at = [at for at, _ in zip(cycle((pair.one, pair.two)), ids, strict=False)]

    def begin(number: int) -> None:
        with speaking_to(at[number].base_url, at[number].ca_file) as wire:
            said = VERSION | announce(ids[number], b"") | {"Upload-Length": str(LENGTH)}
            wire.session.post(f"{at[number].base_url}/files", headers=said, timeout=30)

    with ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
        list(pool.map(begin, range(UPLOADS_AT_ONCE)))
    ((count,),) = pair.office.store.db.execute("SELECT count(*) FROM uploads")
    return int(count) * LENGTH > MOST_OPEN_BYTES


def _is_empty(pair: Pair) -> bool:
    with suppress(Unavailable):
        pair.office.store.db.execute("DELETE FROM uploads")
        return True
    return False
