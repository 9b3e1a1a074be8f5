"""The backend's signed statements on a record for its examiner: receipt, and erasure."""

from agent.record import signing
from agent.record.receipt import ERASURE_TYPE
from doorstep_backend import keys
from doorstep_backend.identity.fleet import KeyFiles
from doorstep_backend.office.model import Office


def signed_about(office: Office, capture_id: str) -> str:
    """Return the receipt and a statement of the erasure, if any: a JWS per line, for `verify`."""
    verdict = office.store.verdict(capture_id)
    receipt = [] if verdict is None else [verdict.jws]
    return "\n".join([*receipt, *_erased(office, capture_id), ""])


def _erased(office: Office, capture_id: str) -> list[str]:
    query = "SELECT erased_at FROM captures WHERE capture_id = ? AND erased_at IS NOT NULL"
    row = office.ledger.execute(query, (capture_id,)).fetchone()
    if row is None:
        return []
    files = KeyFiles(office.store.folder)
    key = keys.receipt_key(files.signs, files.signs_public)()
    said = {"v": 1, "capture_id": capture_id, "erased_at": row["erased_at"]}
    return [signing.sign(said, key, typ=ERASURE_TYPE)]
