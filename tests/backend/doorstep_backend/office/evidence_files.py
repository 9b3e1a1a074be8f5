"""The files in a folder of evidence, by name (evidence.py)."""

import io
import tarfile
from pathlib import Path
from typing import Final

from agent.errors import RecordDamaged
from agent.record import file as recordfile
from agent.record import sealing
from doorstep_backend.identity.fleet import FleetDocuments, KeyFiles
from doorstep_backend.identity.known import CertificateUse
from doorstep_backend.identity.register import Register
from doorstep_backend.office import erased
from doorstep_backend.office.erasure import NotDone
from doorstep_backend.office.export import as_text
from doorstep_backend.office.model import Office
from doorstep_backend.office.neighbours import Neighbour
from doorstep_backend.office.received import Received
from doorstep_backend.seals import Seals

NOTHING_TO_OPEN: Final = "the body of this record was erased: export it without --opened"
NOBODY_OPENS: Final = (
    "no identity here opens this record: put the one that it is sealed to into keys/identities/, "
    "or export it without --opened"
)


def always(office: Office, found: Received, around: list[Neighbour]) -> dict[str, bytes]:
    """Return all files that every export has, by name, without missing ones."""
    folder, capture_id = office.store.folder, found.label.capture_id
    fleet_key, revoked = KeyFiles(folder).fleet_public, folder / "revoked.jws"
    files = {
        f"{capture_id}.rec": found.content,
        f"receipts/{capture_id}.jws": erased.signed_about(office, capture_id).encode(),
        "evidence.pem": _certificate(folder, found),
        "fleet-ca.pem": (folder / "ca" / "ca.pem").read_bytes(),
        "fleet.jws": f"{FleetDocuments(folder).served(None)}\n".encode(),
        fleet_key.name: fleet_key.read_bytes(),
        revoked.name: revoked.read_bytes() if revoked.exists() else b"",
        "neighbours.json": as_text([one.digest for one in around]),
    }
    return {name: content for name, content in files.items() if content}


def _certificate(folder: Path, found: Received) -> bytes:
    """Return the PEM of the key in the label; empty without identity. The root issues it."""
    issued = Register(folder).certificates(found.label.device_id)
    ours = [one for one in issued if one.use is CertificateUse.EVIDENCE and one.kid == found.kid]
    return "".join(one.pem for one in ours).encode()


def opened(office: Office, found: Received) -> dict[str, bytes]:
    """Return what was packed into the body, byte for byte. Raises NotDone."""
    if found.filed.erased_at:
        raise NotDone(NOTHING_TO_OPEN)
    closed, identities = recordfile.check(found.content), Seals(office.store.folder).identities()
    try:
        recordfile.open_checked(closed, identities)  # the names in it too: nobody may have looked
    except sealing.Unopened as error:
        raise NotDone(NOBODY_OPENS) from error
    except RecordDamaged as error:
        raise NotDone(f"{error}: export this record without --opened") from error
    body = sealing.open_sealed(closed.body, identities) if found.is_sealed else closed.body
    with tarfile.open(fileobj=io.BytesIO(body)) as packed:
        parts = {one.name: packed.extractfile(one) for one in packed}
        return {f"opened/{name}": part.read() for name, part in parts.items() if part}
