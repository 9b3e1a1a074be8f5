"""What is signed anew while the backend serves."""

from pathlib import Path

from agent.record import signing
from agent.record.receipt import REFUSAL_TYPE
from tests.backend.office.town import RECEIVED
from tests.backend.wire.intake import Intake
from tests.backend.wire.store import Store, Upload, Verdict
from tests.support.factory import new_id

OLD, NEW = signing.new_key(), signing.new_key()


def refuse(store: Store, capture_id: str) -> None:
    store.create(Upload(capture_id, 1, "0" * 64, ""))
    jws = signing.sign({"v": 1, "capture_id": capture_id}, OLD, typ=REFUSAL_TYPE)
    store.settle(Verdict(capture_id, RECEIVED, "damaged", jws))


def test_a_receipt_that_is_given_while_refusals_are_signed_anew_stays_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first, second = sorted(new_id() for _ in range(2))
    for one in (first, second):
        refuse(store, one)
    receipt = Verdict(second, RECEIVED, None, "jws")

    def key() -> signing.PrivateKey:
        store.settle(receipt)
        return NEW

    count = Intake(store, key).sign_again(signing.thumbprint(OLD.public_key()))

    assert (count, store.verdict(second)) == (1, receipt)
    anew = store.verdict(first)
    assert anew is not None
    assert signing.key_id(anew.jws) == signing.thumbprint(NEW.public_key())
