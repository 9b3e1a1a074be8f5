"""Checks of receipts: what is signed, and how a lost one is asked for."""

import json
from datetime import UTC, datetime, timedelta
from typing import Final

from agent.errors import NotGenuine
from agent.record import signing
from agent.record.receipt import RECEIPT_TYPE
from tests.conformance.check import RULES, Failed, check
from tests.conformance.target import Target
from tests.conformance.upload import JSON, Upload, receipts
from tests.support.factory import new_id

CLOCK_TOLERANCE: Final = timedelta(minutes=15)
"""Greatest difference of two clocks that are right; a wrong time zone is half an hour at least."""

LIST_LIMIT: Final = 100
"""Most ids in a question."""


@check(RULES)
def receipt_type_key_digest_date(target: Target) -> None:
    """A receipt has the right type, key, id, digest and length, and a time.

    A device ignores any other receipt, and never deletes the record.
    """
    upload = Upload(target)
    token = upload.receipt_in(upload.create(upload.content))
    began = datetime.now(UTC)
    receipt = upload.verified(token)
    try:
        signing.check_type(token, RECEIPT_TYPE)
    except NotGenuine as error:
        raise Failed(f"The receipt's header has no typ {RECEIPT_TYPE}: {error}.") from error
    if abs(receipt.received - began) > CLOCK_TOLERANCE:
        times = f"received_at is {receipt.received.isoformat()}, but here it is {began.isoformat()}"
        raise Failed(f"{times}; one of the two clocks, or the time zone, is wrong.")


@check(RULES)
def receipts_list(target: Target) -> None:
    """POST /receipts answers each of up to 100 ids with a receipt or null, and refuses wrong
    questions.

    A device whose receipt was lost asks here; without an answer it keeps the record for ever.
    """
    whole, begun, unknown = Upload(target), Upload(target), new_id()
    first = whole.receipt_in(whole.create(whole.content))
    begun.create().expect(201)
    ids = [whole.capture_id, begun.capture_id, unknown, whole.capture_id]
    found = receipts(target, *ids)
    if set(found) != set(ids):
        raise Failed(f"POST /receipts answers for {len(found)} ids; the question had {ids[:3]}.")
    match found[whole.capture_id]:
        case {"receipt": str(token)}:
            if whole.is_valid(first) and not whole.is_valid(token):
                raise Failed(
                    "POST /receipts has a receipt that a device does not accept, unlike the first."
                )
        case other:
            raise Failed(
                f'POST /receipts has {other} for a record that is there, and no "receipt".'
            )
    if (found[begun.capture_id], found[unknown]) != (None, None):
        raise Failed("POST /receipts has more than null for a record that is not there.")
    if len(receipts(target, *(new_id() for _ in range(LIST_LIMIT)))) != LIST_LIMIT:
        raise Failed(f"POST /receipts does not answer for all of {LIST_LIMIT} ids.")
    many = json.dumps({"capture_ids": [new_id() for _ in range(LIST_LIMIT + 1)]})
    for question in (many, "no JSON", "[]", '{"capture_ids": ["../x"]}'):
        target.ask("POST", "/receipts", JSON, question.encode()).expect_refused()
