"""The order of the intake's checks, and receipts that it signs again while the backend serves."""

from pathlib import Path

import pytest

from agent.record import signing
from agent.record.receipt import REFUSAL_TYPE
from doorstep_backend.wire.intake import Intake, NotVouchedError
from doorstep_backend.wire.store import IntakeVerdict, Store, Upload
from tests.support.demo_office import RECEIVED
from tests.support.factory import new_id
from tests.support.sealed_fleet import SealedFleet

OLD, NEW = signing.new_key(), signing.new_key()


def refuse(store: Store, capture_id: str) -> None:
    store.create(Upload(capture_id, 1, "0" * 64, ""))
    jws = signing.sign({"v": 1, "capture_id": capture_id}, OLD, typ=REFUSAL_TYPE)
    store.settle(IntakeVerdict(capture_id, RECEIVED, "damaged", jws))


def test_receipt_stays_if_issued_while_refusals_are_signed_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first, second = sorted(new_id() for _ in range(2))
    for one in (first, second):
        refuse(store, one)
    receipt = IntakeVerdict(second, RECEIVED, None, "jws")

    def key() -> signing.PrivateKey:
        store.settle(receipt)
        return NEW

    count = Intake(store, key).sign_again(signing.thumbprint(OLD.public_key()))

    assert (count, store.verdict(second)) == (1, receipt)
    anew = store.verdict(first)
    assert anew is not None
    assert signing.key_id(anew.jws) == signing.thumbprint(NEW.public_key())


def test_the_intake_opens_no_body_when_nobody_vouches_for_its_key(tmp_path: Path) -> None:
    """A body of the device's own key is opened, and refused since it holds no files."""
    fleet = SealedFleet(tmp_path / "backend")
    own = fleet.take(fleet.sealed(packed=b"no files"))
    fleet.demo_office.van.key = signing.new_key()
    strange = fleet.begin(fleet.sealed(packed=b"no files"))

    with pytest.raises(NotVouchedError, match="no evidence certificate"):
        fleet.intake.judge(strange)

    verdict = fleet.demo_office.office.store.verdict(own.label.capture_id)
    assert verdict is not None
    assert verdict.reason == "damaged"
    assert fleet.demo_office.office.store.verdict(strange.capture_id) is None
