"""What an outsider is given at the end of the round, to check all of it."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from doorstep_backend.wire.store import Store
from tests.demo.driver import Van

FOLDER = "proof"


def words(data: Path, vans: Sequence[Van]) -> list[str]:
    """Lay records, receipts and certificates into `proof/`; the words after `doorstep`."""
    into = data / FOLDER
    shutil.copytree(data / "received", into)
    for van in vans:
        kept = van.processes.layout.state / "trust" / "evidence.pem"
        shutil.copy(kept, into / f"{van.device_id}.pem")
    shutil.copy(data / "revoked.jws", into)
    (into / "receipts").mkdir()
    for verdict in Store(data).verdicts():
        if verdict.accepted:
            (into / "receipts" / f"{verdict.capture_id}.jws").write_text(verdict.jws)
    (identity,) = (data / "keys" / "identities").iterdir()
    known = {
        "--ca": data / "ca" / "ca.pem",
        "--fleet-key": data / "fleet-key.pem",
        "--identity": identity,
    }
    return ["verify", str(into), *(str(word) for pair in known.items() for word in pair)]
