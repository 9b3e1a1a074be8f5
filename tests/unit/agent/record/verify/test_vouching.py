"""Certificates, receipts, the list of revoked keys: what vouches for a record, and until when."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest

from agent.errors import ConfigError, NotGenuine
from agent.models import rfc3339
from agent.record import certificates, receipt, signing
from agent.record import file as recordfile
from agent.record.certificates import Certificate
from agent.record.receipt import RECEIPT_TYPE, REFUSAL_TYPE
from agent.record.verify import VerifyReport, examine, supporting_files
from agent.record.verify.supporting_files import REVOKED_TYPE, SupportingFiles
from tests.support.authority import Authority, new_authority
from tests.support.factory import MOMENT, Made, RecordMaker, encoded, with_other_spelling
from tests.support.outsider import GARBAGE, NAMES, RECEIVED, Office
from tests.support.peak import peak_mb
from tests.support.photographed import Camera

JUST: Final = timedelta(milliseconds=1)
REMARKS: Final = "holds with remarks"


class Evidence:
    """A folder as an outsider is given it, with the device and the backend that made it."""

    def __init__(self, folder: Path) -> None:
        self.camera, self.office = Camera(), Office()
        self.records, self.receipts = folder / "evidence", folder / "receipts"
        self.list, self.unusable = folder / "revoked.jws", list[str]()
        self.records.mkdir()
        self.receipts.mkdir()

    def record(self, *, signs: bool = False) -> Made:
        """Add the device's next record."""
        made = self.camera.make(signs=signs)
        made.into(self.records)
        return made

    def label(self) -> Made:
        """Add the label of another device's record, without its body."""
        made = RecordMaker.begun().make()
        (self.records / f"{made.label.capture_id}.rec").write_bytes(made.line + b"\n")
        return made

    def certify(self, name: str = "van-7.pem", chain: Sequence[Certificate] = ()) -> None:
        """Add certificates, the device's own if none are given."""
        (self.records / name).write_bytes(certificates.pem(chain or self.camera.chain))

    def receive(self, *tokens: str, **listed: Any) -> None:
        """Add the list of revoked keys, and what the backend signed of records."""
        self.list.write_text(self.office.listed(**listed))
        (self.receipts / "1.jws").write_text("\n".join(tokens))

    def revoke(self, maker: RecordMaker, since: datetime) -> None:
        self.list.write_text(self.office.listed((maker, since)))

    def look(
        self, *authorities: Authority, fleet_key: signing.PublicKey | None = None
    ) -> VerifyReport:
        return examine(
            self.records.glob("*.rec"),
            None,
            supporting=SupportingFiles(
                tuple(one.certificate for one in authorities),
                supporting_files.read_certificates(list(self.records.glob("*.pem")), self.unusable),
                supporting_files.read_receipts(list(self.receipts.iterdir()), self.unusable),
                supporting_files.read_listed(self.list, fleet_key) if self.list.exists() else None,
                self.unusable,
            ),
        )


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    return Evidence(tmp_path)


def verdict(report: VerifyReport) -> str:
    """Return the first record's verdict: the whole has a remark if nobody vouches for the keys."""
    return str(report.document["records"][0]["verdict"])


def words(report: VerifyReport) -> str:
    return "; ".join(report.document["records"][0]["words"])


# Certificates


def test_a_certificate_of_the_fleet_names_the_key(evidence: Evidence) -> None:
    evidence.record(signs=True)
    evidence.certify()
    report = evidence.look(evidence.camera.authority)

    assert report.verdict == "holds"
    assert "(by its certificate)" in "\n".join(report.lines)


def test_an_authority_below_the_root_leads_there(evidence: Evidence) -> None:
    root = new_authority("root")
    evidence.camera = Camera(authority=root.below("region"))
    evidence.record()
    evidence.certify()
    evidence.certify("region.pem", evidence.camera.authority.above)

    assert verdict(evidence.look(root)) == "holds"


def test_a_key_without_a_certificate_is_not_ours(evidence: Evidence) -> None:
    """A forger's folder has no other: also beside the certificate of the device's own key."""
    RecordMaker.begun(evidence.camera.maker.device_id).make().into(evidence.records)
    alone = evidence.look(evidence.camera.authority)
    evidence.certify()
    beside = evidence.look(evidence.camera.authority)

    assert alone.verdict == beside.verdict == "not ours"
    assert alone.problems == beside.problems == 1
    assert "no certificate is there for its key: it cannot be told from a" in words(alone)


@pytest.mark.parametrize("is_given", [True, False])
def test_a_body_by_an_unknown_key_stays_closed(evidence: Evidence, is_given: bool) -> None:
    """Only its digest is checked: this one holds no files, and would be told as broken."""
    body = b"no files"
    label = replace(RecordMaker.begun("van-7").make().label, body=recordfile.describe(body))
    path = evidence.records / f"{label.capture_id}.rec"
    key, camera = signing.new_key(), evidence.camera
    path.write_bytes(recordfile.sign(label, body, key))

    def look() -> VerifyReport:
        beside = SupportingFiles(() if is_given else (camera.authority.certificate,))
        return examine(
            [path], camera.maker.key.public_key() if is_given else None, supporting=beside
        )

    closed = look()
    path.write_bytes(path.read_bytes() + b"!")

    assert closed.verdict == "not ours"
    not_checked = "what is in bodies by keys that nobody vouches for (1 record)"
    assert not_checked in closed.document["not_checked"]
    assert look().verdict == "broken"
    path.write_bytes(recordfile.sign(label, body, key))
    assert examine([path], key.public_key()).verdict == "broken"


def test_a_key_that_was_given_needs_no_certificate(evidence: Evidence) -> None:
    evidence.record()
    beside = SupportingFiles((evidence.camera.authority.certificate,))
    key = evidence.camera.maker.key.public_key()
    report = examine(evidence.records.glob("*.rec"), key, supporting=beside)

    assert report.verdict == REMARKS
    assert "no certificate is there for its key" in words(report)


@pytest.mark.parametrize("is_given", [True, False])
def test_a_planted_certificate_harms_no_record(evidence: Evidence, is_given: bool) -> None:
    """A self-made authority's, for the device's own public key, in another name."""
    evidence.record(signs=True)
    evidence.certify("b.pem")
    key = evidence.camera.maker.key.public_key()
    evidence.certify("a.pem", [new_authority().issue(key, "van-666", evidence=True)])
    given = (evidence.camera.authority,) if is_given else ()
    both = evidence.look(*given)
    (evidence.records / "b.pem").unlink()
    alone = evidence.look(*given)

    assert verdict(both) == "holds"
    assert verdict(alone) == ("not ours" if is_given else REMARKS)
    by = "another authority than the given one" if is_given else "without --ca nobody knows"
    assert by in words(alone)
    unchecked = "who made the certificates: no --ca"
    assert (unchecked in both.document["not_checked"]) is not is_given


def test_an_uncertified_record_in_a_chain_harms_no_other(evidence: Evidence) -> None:
    evidence.camera.make()
    evidence.record(signs=True)
    evidence.certify()
    RecordMaker.begun("van-666", chain=evidence.camera.maker.chain).make().into(evidence.records)
    report = evidence.look(evidence.camera.authority)

    assert {each["device_id"]: each["verdict"] for each in report.document["records"]} == {
        "van-7": "holds",
        "van-666": "not ours",
    }


@pytest.mark.parametrize(
    ("device_id", "is_evidence", "said"),
    [
        ("van-8", True, "certificate: for another device: 'van-8', and this one is van-7"),
        ("van-7", False, "it has clientAuth, and a stolen TLS key must not sign records"),
    ],
)
def test_a_certificate_that_does_not_fit_breaks_a_record(
    evidence: Evidence, device_id: str, is_evidence: bool, said: str
) -> None:
    evidence.record()
    authority, key = evidence.camera.authority, evidence.camera.maker.key.public_key()
    evidence.certify(chain=[authority.issue(key, device_id, evidence=is_evidence)])
    report = evidence.look(authority)

    assert report.verdict == "broken"
    assert said in words(report)


def test_certified_owner_beats_the_first_one(evidence: Evidence) -> None:
    """Without it a forger who dates early would make the genuine records look foreign."""
    forger = RecordMaker.begun(evidence.camera.maker.device_id)
    forged = forger.make(utc="2026-01-01T00:00:00.000Z")
    forged.into(evidence.records)
    genuine = evidence.record(signs=True)
    evidence.certify()
    report = evidence.look(evidence.camera.authority)

    verdicts = {each["capture_id"]: each["verdict"] for each in report.document["records"]}
    assert verdicts == {genuine.label.capture_id: "holds", forged.label.capture_id: "not ours"}
    assert report.verdict == "not ours"


def test_both_keys_of_a_device_that_was_given_another_one_count(evidence: Evidence) -> None:
    evidence.record(signs=True)
    second = Camera(RecordMaker(evidence.camera.maker.device_id), evidence.camera.authority)
    second.maker.make("chain_start", utc="2026-12-02T09:00:00.000Z").into(evidence.records)
    evidence.certify()
    evidence.certify("second.pem", second.chain)

    assert verdict(evidence.look(evidence.camera.authority)) == "holds"


# Receipts, and the list of revoked keys


def test_a_receipt_dates_a_record(evidence: Evidence) -> None:
    evidence.receive(evidence.office.receipt(evidence.record()))
    report = evidence.look(fleet_key=evidence.office.fleet_key.public_key())

    assert verdict(report) == "holds"
    assert "received 2026-12-01 09:20:02 UTC" in words(report)
    assert not [each for each in report.document["not_checked"] if "revoked" in each]


@pytest.mark.parametrize(("after_s", "remarked"), [(300, False), (301, True)])
def test_a_record_that_is_dated_after_its_receipt_is_a_remark(
    evidence: Evidence, after_s: int, remarked: bool
) -> None:
    """The device's clock was wrong, with any voucher."""
    made = evidence.record()
    evidence.receive(evidence.office.receipt(made, MOMENT - timedelta(seconds=after_s)))

    assert ("received before the time that it says" in words(evidence.look())) is remarked


@pytest.mark.parametrize("received", ["0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"])
@pytest.mark.parametrize("utc", ["0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"])
def test_a_receipt_and_a_record_of_any_date_are_judged(
    evidence: Evidence, utc: str, received: str
) -> None:
    made = RecordMaker.begun().make("time", utc=utc)
    made.into(evidence.records)
    evidence.receive(evidence.office.receipt(made, received_at=received))

    is_before = received < utc
    assert ("received before the time that it says" in words(evidence.look())) is is_before


def test_a_receipt_by_a_list_that_nobody_pinned_is_no_fact(evidence: Evidence) -> None:
    """The maker of the folder can sign both."""
    evidence.receive(evidence.office.receipt(evidence.record(signs=True)))
    evidence.certify()
    report = evidence.look(evidence.camera.authority)

    assert report.verdict == REMARKS
    said = "received 2026-12-01 09:20:02 UTC, if the list is right that nobody vouches for"
    assert said in words(report)
    pinned = "who signed the list of revoked keys: no --fleet-key; it was taken at its word"
    assert pinned in report.document["not_checked"]


def test_a_time_that_no_clock_vouched_for_is_a_remark(evidence: Evidence) -> None:
    RecordMaker.begun().make("time", clock="unsynced").into(evidence.records)

    assert words(evidence.look()) == "its time is a guess: no clock vouched for it"


def test_file_with_more_receipts_than_are_read_is_named(evidence: Evidence) -> None:
    """Two million short words took 164 MB and a second."""
    (evidence.receipts / "all").write_text("a.b.c\n" * 500_000)

    assert peak_mb(lambda: evidence.look().verdict) < 12
    assert evidence.unusable == ["all: more than 20000 receipts: put them into several files"]


@pytest.mark.parametrize("is_pinned", [False, True])
def test_list_that_is_too_long_is_refused_unparsed(evidence: Evidence, is_pinned: bool) -> None:
    """The list is parsed before its signature is verified: 14 MB took 329 MB and 1.3 s."""
    header, _, signature = evidence.office.listed().split(".")
    payload = encoded(b'{"v":1,"revoked":[' + b"[]," * 300_000 + b"0]}")
    evidence.list.write_text(f"{header}.{payload}.{signature}")
    fleet_key = evidence.office.fleet_key.public_key()

    with pytest.raises(NotGenuine, match="too long for a list of revoked keys"):
        evidence.look(fleet_key=fleet_key if is_pinned else None)


def test_receipt_in_the_place_of_another_records_is_reported(evidence: Evidence) -> None:
    made, other = evidence.record(), evidence.camera.make(signs=False)
    name = f"{made.label.capture_id}.jws"
    evidence.receive()
    (evidence.receipts / name).write_text(evidence.office.receipt(other))

    assert "no receipt is there" in words(evidence.look())
    assert evidence.unusable == [f"{name}: 1 of 1: about another record than its name says"]


def _refused(office: Office, made: Made) -> str:
    said = {
        "v": 1,
        "capture_id": made.label.capture_id,
        "sha256": sha256(made.content).hexdigest(),
        "bytes": len(made.content),
        "refused_at": rfc3339(RECEIVED),
        "reason": "damaged",
    }
    return signing.sign(said, office.receipt_key, typ=REFUSAL_TYPE)


def _flipped(office: Office, made: Made) -> str:
    token = office.receipt(made)
    return f"{token[:-10]}{'A' if token[-10] != 'A' else 'B'}{token[-9:]}"


def _of_later(office: Office, made: Made) -> str:
    said = {"v": 1, "capture_id": made.label.capture_id}
    return signing.sign(said, office.receipt_key, typ="x")


DOES_NOT_COUNT: Final = "a receipt that does not count: "

SIGNED: Final[dict[str, tuple[Callable[[Office, Made], str], str, str]]] = {
    "nothing": (lambda _office, _made: "", REMARKS, "no receipt is there"),
    "another digest": (
        lambda office, made: office.receipt(made, sha256="0" * 64),
        "broken",
        "the backend's receipt is for other bytes than these",
    ),
    "another size": (
        lambda office, made: office.receipt(made, bytes=1),
        "broken",
        "the backend's receipt is for other bytes than these",
    ),
    "by a stranger": (lambda _, made: Office().receipt(made), REMARKS, DOES_NOT_COUNT),
    "altered": (_flipped, REMARKS, DOES_NOT_COUNT),
    "of a later version": (_of_later, REMARKS, DOES_NOT_COUNT),
    "a refusal": (_refused, REMARKS, "the backend refused it on 2026-12-01: damaged"),
    "an erasure": (
        lambda office, made: f"{office.receipt(made)}\n{office.erased(made)}",
        REMARKS,
        "its body is here, and was erased on 2026-12-01",
    ),
}
"""Contents in place of a receipt, the record's verdict, and the words of the report."""


@pytest.mark.parametrize(("sign", "judged", "said"), SIGNED.values(), ids=SIGNED)
def test_signed_word_of_the_backend_about_a_record_is_reported(
    evidence: Evidence, sign: Callable[[Office, Made], str], judged: str, said: str
) -> None:
    """Anybody can put a receipt there that does not count; it breaks no good record."""
    evidence.receive(sign(evidence.office, evidence.record()))
    report = evidence.look()

    assert verdict(report) == judged
    assert said in words(report)


def test_a_receipt_of_a_key_that_was_retired_before_does_not_count(evidence: Evidence) -> None:
    evidence.receive(evidence.office.receipt(evidence.record()), until=RECEIVED)

    assert DOES_NOT_COUNT in words(evidence.look())


def test_a_receipt_for_the_other_spelling_is_for_the_same_record(evidence: Evidence) -> None:
    made = evidence.camera.make(signs=False)
    with_other_spelling(made).into(evidence.records)
    evidence.receive(evidence.office.receipt(made))

    assert "received 2026-12-01" in words(evidence.look())


@pytest.mark.parametrize(
    ("since", "received", "is_believed"),
    [
        (RECEIVED + JUST, [RECEIVED], True),
        (RECEIVED, [RECEIVED], False),
        (RECEIVED + JUST, [RECEIVED + timedelta(1), RECEIVED, RECEIVED + timedelta(2)], True),
        (MOMENT + timedelta(days=9), [], False),
    ],
    ids=["later", "before", "the earliest of several", "no receipt"],
)
def test_a_revoked_key_is_believed_if_a_receipt_is_from_before(
    evidence: Evidence, since: datetime, received: list[datetime], is_believed: bool
) -> None:
    """A thief of the key can date records at will, but no receipts."""
    made = evidence.record()
    evidence.receive(*(evidence.office.receipt(made, at) for at in received))
    evidence.revoke(evidence.camera.maker, since)
    report = evidence.look()

    assert report.verdict == (REMARKS if is_believed else "broken")
    assert f"its key is not believed since {since:%Y-%m-%d %H:%M:%S} UTC" in words(report)
    why = "; it was received before" if is_believed else ", and no receipt is from before"
    assert why in words(report)


def test_a_key_that_is_listed_twice_is_revoked_since_its_first_date(evidence: Evidence) -> None:
    evidence.receive(evidence.office.receipt(evidence.record()))
    maker = evidence.camera.maker
    evidence.list.write_text(evidence.office.listed((maker, RECEIVED), (maker, RECEIVED + JUST)))

    assert evidence.look().verdict == "broken"


def test_a_receipt_by_the_thief_does_not_help_a_revoked_key(evidence: Evidence) -> None:
    evidence.receive(Office().receipt(evidence.record()))
    evidence.revoke(evidence.camera.maker, RECEIVED + JUST)

    assert evidence.look().verdict == "broken"


def test_a_list_without_receipt_keys_judges_no_receipt(evidence: Evidence) -> None:
    """As backends wrote it before."""
    evidence.receive(evidence.office.receipt(evidence.record()))
    said = {"v": 1, "version": 1, "revoked": []}
    evidence.list.write_text(signing.sign(said, evidence.office.fleet_key, typ=REVOKED_TYPE))
    report = evidence.look()

    assert verdict(report) == "holds"
    not_checked = "receipts: the list of revoked keys names none that sign them"
    assert not_checked in report.document["not_checked"]


def test_an_erased_record_says_when(evidence: Evidence) -> None:
    made, office = evidence.label(), evidence.office
    evidence.receive(office.receipt(made), office.erased(made))
    report = evidence.look()

    assert report.verdict == report.document["verdict"] == "erased"
    assert report.document["erased_at"] == rfc3339(RECEIVED)
    assert report.lines[-1].startswith("erased on 2026-12-01: nothing that was checked contradicts")
    assert report.problems == 0
    assert report.document["records"][0]["erased_at"] == rfc3339(RECEIVED)
    assert "erased on 2026-12-01: only the label is left" in report.lines[1]


def test_a_label_alone_is_withheld_unless_it_was_erased(evidence: Evidence) -> None:
    evidence.receive(Office().erased(evidence.label()))

    assert evidence.look().verdict == "withheld"


def test_no_receipt_dates_a_label_alone_before_a_theft(evidence: Evidence) -> None:
    """A thief could sign another label of this id; nothing is said of a photo either way."""
    maker = RecordMaker.begun()
    made = maker.make()
    (evidence.records / f"{made.label.capture_id}.rec").write_bytes(made.line + b"\n")
    evidence.receive(evidence.office.receipt(made))
    evidence.revoke(maker, RECEIVED + JUST)
    report = evidence.look()

    assert report.verdict == "withheld"
    assert "of a label alone no receipt tells that it is older" in words(report)


def test_withheld_record_among_others_is_a_remark_on_the_whole(evidence: Evidence) -> None:
    """Evidence of one delivery has the labels of its neighbours."""
    evidence.record()
    made = evidence.record()
    (evidence.records / f"{made.label.capture_id}.rec").write_bytes(made.line + b"\n")

    assert evidence.look().verdict == REMARKS


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 2},
        {"revoked": None},
        {"revoked": ["x"]},
        {"revoked": [{"kid": "x", "since": "yesterday"}]},
        {"receipt_keys": [{"jwk": {"kty": "EC"}}]},
        {"receipt_keys": {}},
    ],
)
@pytest.mark.parametrize("is_pinned", [True, False])
def test_a_list_that_is_not_as_it_should_be_is_refused(
    evidence: Evidence, changes: dict[str, Any], is_pinned: bool
) -> None:
    """Half of a list would let revoked keys through."""
    evidence.receive(**changes)
    fleet_key = evidence.office.fleet_key.public_key()

    with pytest.raises(NotGenuine, match=r"revoked\.jws: "):
        supporting_files.read_listed(evidence.list, fleet_key if is_pinned else None)


def test_a_list_by_another_key_or_of_another_type_is_refused(evidence: Evidence) -> None:
    evidence.receive()
    with pytest.raises(NotGenuine, match="another key than --fleet-key"):
        supporting_files.read_listed(evidence.list, Office().fleet_key.public_key())

    token = signing.sign({"v": 1}, evidence.office.fleet_key, typ=RECEIPT_TYPE)
    evidence.list.write_text(token)
    with pytest.raises(NotGenuine, match="doorstep-revoked"):
        supporting_files.read_listed(evidence.list, None)


@pytest.mark.parametrize("make", GARBAGE, ids=NAMES)
def test_garbage_is_reported_and_harms_no_verdict(
    evidence: Evidence, make: Callable[[Path], object]
) -> None:
    """Beside the records; in place of the list it is refused."""
    made = evidence.record()
    make(evidence.records / "x.pem")
    make(evidence.receipts / "y.jws")
    (evidence.receipts / "z.jws").write_text(evidence.office.receipt(made))
    evidence.list.write_text(evidence.office.listed())
    report = evidence.look(fleet_key=evidence.office.fleet_key.public_key())
    evidence.list.unlink()
    make(evidence.list)

    told = [each for each in report.document["not_checked"] if each.startswith("file ")]
    assert [each.split(":")[0] for each in told] == ["file x.pem", "file y.jws"]
    assert (verdict(report), report.verdict) == ("holds", REMARKS)
    assert "received 2026-12-01" in words(report)
    assert all(line.isprintable() and len(line) < 700 for line in report.lines)
    with pytest.raises((ConfigError, NotGenuine), match=r"revoked\.jws: "):
        supporting_files.read_listed(evidence.list, None)


def test_a_public_key_among_the_certificates_is_no_trouble(evidence: Evidence) -> None:
    evidence.record()
    key = signing.public_pem(evidence.office.fleet_key.public_key())
    (evidence.records / "fleet-key.pem").write_bytes(key)
    evidence.look()

    assert evidence.unusable == []


def test_an_erasure_is_of_its_own_record_and_type() -> None:
    office, made, other = Office(), RecordMaker.begun().make(), RecordMaker.begun().make()
    keys = receipt.signers_without_end(office.receipt_key.public_key())

    assert receipt.verified_erasure(office.erased(made), made.label.capture_id, keys) == RECEIVED
    with pytest.raises(NotGenuine, match="another record"):
        receipt.verified_erasure(office.erased(made), other.label.capture_id, keys)
    with pytest.raises(NotGenuine, match="doorstep-erased"):
        receipt.verified_erasure(office.receipt(made), made.label.capture_id, keys)
