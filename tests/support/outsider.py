"""The files of a person who checks records: receipts, the list of revoked keys, and garbage."""

import os
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from agent.models import rfc3339
from agent.record import signing
from agent.record.receipt import ERASURE_TYPE, RECEIPT_TYPE
from agent.record.verify.supporting_files import REVOKED_TYPE
from tests.support.factory import MOMENT, Made, RecordMaker

RECEIVED: Final = MOMENT + timedelta(minutes=5)


class Office:
    """The signer of receipts and of the list."""

    def __init__(self) -> None:
        self.fleet_key, self.receipt_key = signing.new_key(), signing.new_key()

    def receipt(self, made: Made, at: datetime = RECEIVED, **changes: Any) -> str:
        said = {
            "v": 1,
            "capture_id": made.label.capture_id,
            "sha256": sha256(made.content).hexdigest(),
            "bytes": len(made.content),
            "received_at": rfc3339(at),
        }
        return signing.sign(said | changes, self.receipt_key, typ=RECEIPT_TYPE)

    def erased(self, made: Made, at: datetime = RECEIVED) -> str:
        said = {"v": 1, "capture_id": made.label.capture_id, "erased_at": rfc3339(at)}
        return signing.sign(said, self.receipt_key, typ=ERASURE_TYPE)

    def listed(
        self, *revoked: tuple[RecordMaker, datetime], until: datetime | None = None, **changes: Any
    ) -> str:
        entries = [
            {
                "kid": signing.thumbprint(maker.key.public_key()),
                "device_id": maker.device_id,
                "since": rfc3339(since),
            }
            for maker, since in revoked
        ]
        ends = None if until is None else rfc3339(until)
        keys = [{"jwk": signing.jwk(self.receipt_key.public_key()), "until": ends}]
        said = {"v": 1, "version": 1, "revoked": entries, "receipt_keys": keys}
        return signing.sign(said | changes, self.fleet_key, typ=REVOKED_TYPE)


def sparse(path: Path) -> None:
    """Make a file of a terabyte, all of it a hole."""
    path.touch()
    os.truncate(path, 2**40)


GARBAGE: Final[list[Callable[[Path], object]]] = [
    lambda path: path.write_bytes(random.Random(1).randbytes(20_000)),
    lambda path: path.write_text("a.b.c\n"),
    lambda path: path.write_text("x" * 2_000_000),
    lambda path: path.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    lambda path: path.mkdir(),
    os.mkfifo,
    lambda path: path.symlink_to("nowhere"),
    lambda path: path.symlink_to("/dev/zero"),
    sparse,
]
NAMES: Final = ["noise", "dots", "long", "pem", "folder", "fifo", "dangling", "endless", "huge"]
