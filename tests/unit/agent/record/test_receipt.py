"""Receipts and refusals: of their own type, and about exactly this record."""

import json
from collections.abc import Callable
from typing import Any, Final

import pytest

from agent.errors import NotGenuine
from agent.models import Item
from agent.queue.outbox import Outbox
from agent.record import receipt, signing
from agent.rule import manifest
from agent.trust import fleet
from tests.support.factory import RecordMaker, add, signed_by_hand

KEY: Final = signing.new_key()
KEYS: Final = receipt.signers_without_end(KEY.public_key())
AT: Final = "2026-12-01T09:15:07.412Z"
RECEIVED: Final = {"received_at": AT}
REFUSED: Final = {"refused_at": AT, "reason": "damaged"}

Read = Callable[[str, Item, receipt.Keys], receipt.Receipt | receipt.Refusal]
READS: Final[list[tuple[Read, dict[str, str], str, str]]] = [
    (receipt.verified_receipt, RECEIVED, receipt.RECEIPT_TYPE, receipt.REFUSAL_TYPE),
    (receipt.verified_refusal, REFUSED, receipt.REFUSAL_TYPE, receipt.RECEIPT_TYPE),
]
"""The reader of each, its content, its type and the other one's."""


@pytest.fixture
def item(outbox: Outbox) -> Item:
    return outbox.get(add(outbox, RecordMaker().make()).label.capture_id)


def token_of(item: Item, said: dict[str, Any], *, more: dict[str, Any]) -> str:
    """With all members; `more` goes into the header."""
    about = {"v": 1, "capture_id": item.capture_id, "sha256": item.sha256, "bytes": item.bytes}
    header = {"alg": "ES256", "kid": signing.thumbprint(KEY.public_key()), **more}
    return signed_by_hand(header, json.dumps(about | said).encode(), KEY)


@pytest.mark.parametrize(("read", "said", "own", "other"), READS)
def test_backend_words_have_their_own_type_or_none(
    item: Item, read: Read, said: dict[str, str], own: str, other: str
) -> None:
    """A manifest or a fleet document can be signed by the very same key."""
    for more in ({"typ": own}, {}):
        token = token_of(item, said, more=more)
        assert read(token, item, KEYS).token == token
    for typ in (other, manifest.TYPE, fleet.TYPE, "doorstep-revoked", "JWT", "", 7, ["x"]):
        with pytest.raises(NotGenuine, match=f"not a {own}"):
            read(token_of(item, said, more={"typ": typ}), item, KEYS)


@pytest.mark.parametrize("missing", ["v", "capture_id", "sha256", "bytes", "received_at"])
def test_a_receipt_without_a_type_has_all_its_members(item: Item, missing: str) -> None:
    said = RECEIVED | {missing: None}

    with pytest.raises(NotGenuine):
        receipt.verified_receipt(token_of(item, said, more={}), item, KEYS)
