"""Confirmation of records: certificates for their keys, receipts, and revoked keys."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from agent.errors import NotGenuine
from agent.models import from_rfc3339
from agent.record import certificates, receipt, signing, usages
from agent.record.certificates import Certificate, NotTrusted
from agent.record.receipt import Described, Keys
from agent.record.verify.findings import Problem, Record, RecordVerdict
from agent.record.verify.supporting_files import FleetList, SupportingFiles

_CLOCKS_APART: Final = timedelta(minutes=5)
"""Greatest difference of two clocks that are both right, with room to spare."""

Owner = tuple[str, str]
"""A device's id and the thumbprint of a key."""


def certified_keys(
    records: Iterable[Record], supporting: SupportingFiles, *, is_pinned: bool
) -> frozenset[Owner] | None:
    """Return the keys that the fleet's authority gave to these devices; note records of others.

    None if no authority was given. With `is_pinned` a key needs no certificate.
    """
    asked: dict[Owner, str | Problem | None] = {}
    for each in records:
        owner = each.label.device_id, each.kid
        if owner not in asked:
            asked[owner] = _certificate(each.key, each.label.device_id, supporting)
        match asked[owner]:
            case Problem(RecordVerdict.NOT_OURS, words) if is_pinned:
                each.remarks.append(words)
            case Problem() as problem:
                each.problems.append(problem)
            case str(words):
                each.remarks.append(words)
            case None:
                pass
    if not supporting.authorities:
        return None
    return frozenset(owner for owner, found in asked.items() if found is None)


def is_believed(
    record: Record, supporting: SupportingFiles, pinned: signing.PublicKey | None
) -> bool:
    """Return whether the key of this record is the given one, or certified for its device.

    Without a given key and without an authority no key can be judged, and each is believed.
    """
    if pinned is not None:
        return record.kid == signing.thumbprint(pinned)
    found = _certificate(record.key, record.label.device_id, supporting)
    return not isinstance(found, Problem)


def _certificate(
    key: signing.PublicKey, device_id: str, supporting: SupportingFiles
) -> str | Problem | None:
    """Return what is wrong with the key's certificate; None if one is right, or none can be judged.

    A certificate of another authority counts for nothing: anybody could have put it there.
    """
    leaves = [one for one in supporting.certificates if certificates.is_for(one, key)]
    ours = (
        [one for one in leaves if _is_by_fleet(one, supporting)]
        if supporting.authorities
        else leaves
    )
    flaws = [_flaw(one, device_id) for one in ours]
    if None in flaws:
        return None
    if not supporting.authorities:
        rest = "without --ca nobody knows who made it"
        return f"a certificate for its key: {flaws[0]}; {rest}" if flaws else None
    if flaws:
        return Problem(RecordVerdict.BROKEN, f"its key's certificate: {flaws[0]}")
    words = "no certificate is there for its key"
    if leaves:
        words = "its key's certificate is by another authority than the given one"
    return Problem(RecordVerdict.NOT_OURS, f"{words}: it cannot be told from a stranger's")


def _is_by_fleet(leaf: Certificate, supporting: SupportingFiles) -> bool:
    try:
        certificates.path(leaf, supporting.certificates, supporting.authorities)
    except NotTrusted:
        return False
    return True


def _flaw(leaf: Certificate, device_id: str) -> str | None:
    try:
        certificates.check_named(leaf, device_id)
        usages.check_evidence(leaf)
    except NotGenuine as error:
        return str(error)
    return None


def check_receipts(records: Iterable[Record], supporting: SupportingFiles) -> None:
    """Judge receipts if the keys that may sign them are known, and revoked keys by their dates."""
    listed = supporting.listed
    if listed is None:
        return
    for each in records:
        received = None
        if supporting.receipts is not None and listed.keys:
            received = _received(each, supporting.receipts.get(each.label.capture_id, ()), listed)
        _check_revoked(each, received, listed)


def _received(record: Record, tokens: Iterable[str], listed: FleetList) -> datetime | None:
    """Return when the backend received it, by its earliest receipt; note its other signatures."""
    dates = []
    for token in tokens:
        try:
            dates.append(_one(record, token, listed.keys))
        except NotGenuine as error:
            record.remarks.append(f"a receipt that does not count: {error}")
    received = min((date for date in dates if date is not None), default=None)
    if received is not None:
        which = "" if record.has_body else ", by a receipt for all of it"
        words = f"received {received:%Y-%m-%d %H:%M:%S} UTC{which}"
        if listed.is_pinned:
            record.facts.append(words)
        else:
            record.remarks.append(f"{words}, if the list is right that nobody vouches for")
        if from_rfc3339(record.label.utc) - received > _CLOCKS_APART:
            record.remarks.append("it was received before the time that it says")
    elif not dates:
        record.remarks.append("no receipt is there")
    return received


def _one(record: Record, token: str, keys: Keys) -> datetime | None:
    """Return the date of a receipt; None for other signed statements. Raises NotGenuine."""
    payload = signing.verify(token, receipt.public(keys))
    capture_id = record.label.capture_id
    if signing.has_type(token, receipt.ERASURE_TYPE):
        record.erased = receipt.verified_erasure(token, capture_id, keys)
        if record.has_body:
            record.remarks.append(f"its body is here, and was erased on {record.erased:%Y-%m-%d}")
        return None
    told = payload.get("bytes")
    about = Described(capture_id, str(payload.get("sha256")), told if type(told) is int else 0)
    is_ours = about.bytes == record.file_bytes and record.is_file(about.sha256)
    if signing.has_type(token, receipt.REFUSAL_TYPE):
        refused = receipt.verified_refusal(token, about, keys)
        which = "it" if is_ours else "other bytes of this id"
        when = f"{refused.refused:%Y-%m-%d}"
        record.remarks.append(f"the backend refused {which} on {when}: {refused.reason}")
        return None
    found = receipt.verified_receipt(token, about, keys)
    if not is_ours:
        record.fails(RecordVerdict.BROKEN, "the backend's receipt is for other bytes than these")
    return found.received if is_ours else None


def _check_revoked(record: Record, received: datetime | None, listed: FleetList) -> None:
    since = listed.revoked.get(record.kid)
    if since is None:
        return
    words = f"its key is not believed since {since:%Y-%m-%d %H:%M:%S} UTC"
    if not record.has_body:  # a receipt has the digest of the whole file
        record.remarks.append(f"{words}, and of a label alone no receipt tells that it is older")
    elif received is not None and received < since:
        record.remarks.append(f"{words}; it was received before")
    else:
        record.fails(RecordVerdict.BROKEN, f"{words}, and no receipt is from before")
