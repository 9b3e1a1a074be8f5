"""Limits of a device's uploads without a receipt, in bytes and in time.

Nothing is lost with a dropped upload: a device keeps a record until it has a receipt, and sends it
again when its upload is missing. After the database was restored that holds once
`objects stray --adopt` is done (FLEET.md).
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from random import shuffle
from typing import Any, Final
from uuid import uuid4

from agent.models import rfc3339
from doorstep_backend.engines.unavailable import Unavailable
from doorstep_backend.wire.failure_budget import MOST_FAILURES, FailureBudget
from doorstep_backend.wire.store import Store, Upload, UploadExistsError

log = logging.getLogger(__name__)

MOST_OPEN: Final = 1000
"""Uploads of one device that are not whole: so many presses are a week on a line that breaks."""

MOST_OPEN_BYTES: Final = 1_073_741_824
"""Sum of the announced bytes: 1000 photos of 1 MB."""

MOST_REFUSED: Final = 100
"""Refused uploads of one device that are kept to be looked at; the oldest goes first."""

RETRY_AFTER_S: Final = 600
"""When a device with too many may begin another; what it has begun goes on at once."""

TOO_MANY: Final = (
    f"this device has {MOST_OPEN} uploads or {MOST_OPEN_BYTES} bytes here that are not whole: "
    "finish those first, or wait until they are dropped"
)
"""Why a device is answered 429."""

_DUE: Final = """SELECT b.capture_id FROM begun b JOIN uploads u USING (capture_id)
    LEFT JOIN verdicts v USING (capture_id)
    WHERE (v.accepted IS NULL AND u.last_byte_at <= :open
    OR NOT v.accepted AND v.at <= :refused)"""

_LAST: Final = "~"
"""Behind every id."""

ROWS_AT_ONCE: Final = 500
"""Uploads that are looked at in one question: each that is due is tried before the next. However
many are not due, no question takes long: of 1.5 million one did (2 s, 2026-11-27)."""

_NEXT: Final = """SELECT max(capture_id) FROM (SELECT capture_id FROM begun
    WHERE capture_id > :after AND capture_id <= :until ORDER BY 1 LIMIT :most) AS looked_at"""
"""The last of the next so many; NULL at the end."""

_DUE_NEXT: Final = f"{_DUE} AND b.capture_id > :after AND b.capture_id <= :to ORDER BY 1"


def owner_of(scope: Any) -> str:
    """Return whose quota it is: the device's or technician's by certificate, else the address's."""
    for kind in ("device", "technician"):
        if name := scope["state"].get(kind):
            return f"{kind} {name}"
    client = scope.get("client")
    return f"address {client[0] if client else ''}"


class UnfinishedUploadsQuota:
    """The count of uploads without a receipt: no more of one owner begin than fit."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def begin(self, upload: Upload, owner: str) -> bool:
        """Begin an upload, and return whether there was room for it.

        No other upload of this owner begins between the count and the new row, at whatever
        instance.

        Raises:
            UploadExistsError: one of this id was begun before.
            Unavailable: the rows cannot be asked, or others of this owner are in the way for too
                long.
        """
        if self._store.find(upload.capture_id) is not None:
            raise UploadExistsError(f"{upload.capture_id} was begun before")
        self._make_room(owner)
        with self._store.db.exclusive_transaction(f"quota {owner}"):
            if is_begun := self._fits(owner, upload.length):
                self._store.create(upload, owner)
        return is_begun

    def admits(self, owner: str, length: int) -> bool:
        """Return whether this owner could begin another upload now; makes room for it."""
        self._make_room(owner)
        return self._fits(owner, length)

    def _make_room(self, owner: str) -> None:
        """Drop the oldest refused uploads of an owner that has too many.

        However many cannot be dropped stay, and are tried again at the next.
        """
        refused, budget = self._of(owner, "NOT v.accepted"), FailureBudget(MOST_FAILURES)
        too_many = refused[: max(0, len(refused) - MOST_REFUSED + 1)]
        shuffle(too_many)  # what is stuck is before no other for long
        with suppress(Unavailable):  # where the rows are away, the next question says so
            for capture_id, _ in too_many:
                budget.attempt(self._store.drop, capture_id)

    def _fits(self, owner: str, length: int) -> bool:
        lengths = [length for _, length in self._of(owner, "v.accepted IS NULL")]
        return len(lengths) < MOST_OPEN and sum(lengths) + length <= MOST_OPEN_BYTES

    def expire(
        self, now: datetime, open_days: int, refused_days: int, budget: FailureBudget
    ) -> Iterator[int]:
        """Drop what got no byte, or was refused, so long ago; how many uploads, batch by batch.

        What has a receipt is not touched. From a random id on, and then the rest: what cannot be
        dropped is before no other for long. Interrupted, run it again.

        Raises:
            Unavailable: the rows, or so many in a row as end these tries.
        """
        before = {
            "open": rfc3339(now - timedelta(days=open_days)),
            "refused": rfc3339(now - timedelta(days=refused_days)),
        }
        begin, drop = str(uuid4()), partial(self._drop, before=before)
        for span in ({"after": begin, "until": _LAST}, {"after": "", "until": begin}):
            while (to := self._look_to(span)) is not None:
                window = before | {"after": span["after"], "to": to}
                found = self._store.db.execute(_DUE_NEXT, window)
                dropped = sum(budget.attempt(drop, capture_id) for (capture_id,) in found)
                if dropped:
                    log.info("uploads_dropped=%d", dropped)
                yield dropped
                span["after"] = to

    def _look_to(self, span: Mapping[str, str]) -> str | None:
        """Return the last id of the next query; None at the end."""
        ((to,),) = self._store.db.execute(_NEXT, {**span, "most": ROWS_AT_ONCE})
        return None if to is None else str(to)

    def _drop(self, capture_id: str, before: Mapping[str, str]) -> bool:
        """Drop an upload, unless its device went on with it, or another process has dropped it.

        Its row is held, and goes last: an object may be there already, of a process that died
        before the verdict, and one that is put by who begins anew must stay.
        """
        with self._store.upload_locked(capture_id):
            still = f"{_DUE} AND b.capture_id = :id"
            found = self._store.db.execute(still, {**before, "id": capture_id}).fetchone()
            return found is not None and self._store.drop(capture_id)

    def _of(self, owner: str, which: str) -> list[tuple[str, int]]:
        """Return ids and announced lengths of an owner's uploads, oldest first."""
        query = f"""SELECT u.capture_id, u.length FROM begun b JOIN uploads u USING (capture_id)
            LEFT JOIN verdicts v USING (capture_id) WHERE b.owner = ? AND {which}
            ORDER BY v.at, u.capture_id"""
        return [(row[0], row[1]) for row in self._store.db.execute(query, (owner,))]
