"""Certificates, receipts, the list of revoked keys: what vouches for a record, and until when."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest

from agent.errors import ConfigError, NotGenuine
from agent.models import rfc3339
from agent.record import certificates, receipt, signing
from agent.record import file as recordfile
from agent.record.receipt import RECEIPT_TYPE, REFUSAL_TYPE
from agent.record.verify import Report, examine, papers
from agent.record.verify.papers import Papers
from tests.support.authority import Authority, new_authority
from tests.support.factory import MOMENT, RecordMaker, encoded, with_other_spelling
from tests.support.outsider import GARBAGE, NAMES, RECEIVED, Office
from tests.support.peak import peak_mb
from tests.support.photographed import Camera

JUST: Final = timedelta(milliseconds=1)


class Folder:
    """What an outsider is given."""

    def __init__(self, folder: Path) -> None:
        self.records, self.receipts = folder / "evidence", folder / "receipts"
        self.list, self.unusable = folder / "revoked.jws", list[str]()
        self.records.mkdir()
        self.receipts.mkdir()

    def look(
        self, authorities: tuple[Authority, ...] = (), fleet_key: signing.PublicKey | None = None
    ) -> Report:
        return examine(
            self.records.glob("*.rec"),
            None,
            papers=Papers(
                tuple(one.certificate for one in authorities),
                papers.read_certificates(list(self.records.glob("*.pem")), self.unusable),
                papers.read_receipts(list(self.receipts.iterdir()), self.unusable),
                papers.read_listed(self.list, fleet_key) if self.list.exists() else None,
                self.unusable,
            ),
        )


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def camera() -> Camera:
    return Camera()


def verdict(report: Report) -> str:
    """Of the first record: the whole has a remark where nobody says whose the keys are."""
    return str(report.document["records"][0]["verdict"])


def words(report: Report, index: int = 0) -> str:
    return "; ".join(report.document["records"][index]["words"])


def test_a_certificate_of_the_fleet_names_the_key(folder: Folder, camera: Camera) -> None:
    camera.make().into(folder.records)
    (folder.records / "van-7.pem").write_bytes(camera.certificate_pem)
    report = folder.look((camera.authority,))

    assert report.verdict == "holds"
    assert "(by its certificate)" in "\n".join(report.lines)


def test_an_authority_below_the_root_leads_there(folder: Folder) -> None:
    root = new_authority("root")
    below = root.below("region")
    camera = Camera(authority=below)
    camera.make(signs=False).into(folder.records)
    for name, one in (("van-7.pem", camera.chain), ("region.pem", below.above)):
        (folder.records / name).write_bytes(certificates.pem(one))

    assert verdict(folder.look((root,))) == "holds"


def test_a_key_without_a_certificate_is_not_ours_where_the_authority_is_given(
    folder: Folder, camera: Camera
) -> None:
    """A forger's folder has no other: also beside the certificate of the device's own key."""
    RecordMaker.begun(camera.maker.device_id).make().into(folder.records)
    alone = folder.look((camera.authority,))
    (folder.records / "van-7.pem").write_bytes(camera.certificate_pem)
    beside = folder.look((camera.authority,))

    assert alone.verdict == beside.verdict == "not ours"
    assert alone.problems == beside.problems == 1
    assert "no certificate is there for its key: it cannot be told from a stranger's" in words(
        alone
    )


@pytest.mark.parametrize("is_given", [True, False])
def test_a_body_stays_closed_when_nobody_vouches_for_its_key(
    folder: Folder, camera: Camera, is_given: bool
) -> None:
    """Only its digest is checked: this one holds no files, and would be told as broken."""
    body = b"no files"
    label = replace(RecordMaker.begun("van-7").make().label, body=recordfile.describe(body))
    path = folder.records / f"{label.capture_id}.rec"
    key = signing.new_key()
    path.write_bytes(recordfile.sign(label, body, key))

    def look() -> Report:
        beside = Papers(() if is_given else (camera.authority.certificate,))
        return examine([path], camera.maker.key.public_key() if is_given else None, papers=beside)

    closed = look()
    path.write_bytes(path.read_bytes() + b"!")

    assert closed.verdict == "not ours"
    assert (
        "what is in bodies by keys that nobody vouches for (1 record)"
        in (closed.document["not_checked"])
    )
    assert look().verdict == "broken"
    path.write_bytes(recordfile.sign(label, body, key))
    assert examine([path], key.public_key()).verdict == "broken"


def test_a_key_that_was_given_needs_no_certificate(folder: Folder, camera: Camera) -> None:
    camera.make(signs=False).into(folder.records)
    beside = Papers((camera.authority.certificate,))
    report = examine(folder.records.glob("*.rec"), camera.maker.key.public_key(), papers=beside)

    assert report.verdict == "holds with remarks"
    assert "no certificate is there for its key" in words(report)


@pytest.mark.parametrize("is_given", [True, False])
def test_a_certificate_that_anybody_planted_harms_no_record(
    folder: Folder, camera: Camera, is_given: bool
) -> None:
    """A self-made authority's, for the device's own public key, in another name."""
    camera.make().into(folder.records)
    (folder.records / "b.pem").write_bytes(camera.certificate_pem)
    planted = new_authority().issue(camera.maker.key.public_key(), "van-666", evidence=True)
    (folder.records / "a.pem").write_bytes(certificates.pem([planted]))
    both = folder.look((camera.authority,) if is_given else ())
    (folder.records / "b.pem").unlink()
    alone = folder.look((camera.authority,) if is_given else ())

    assert verdict(both) == "holds"
    assert verdict(alone) == ("not ours" if is_given else "holds with remarks")
    if not is_given:
        assert "without --ca nobody knows who made it" in words(alone)


def test_what_an_uncertified_key_writes_into_a_chain_harms_no_other_record(
    folder: Folder, camera: Camera
) -> None:
    made = [camera.make() for _ in range(2)]
    made[1].into(folder.records)
    (folder.records / "van-7.pem").write_bytes(camera.certificate_pem)
    RecordMaker.begun("van-666", chain=camera.maker.chain).make().into(folder.records)
    report = folder.look((camera.authority,))

    assert {each["device_id"]: each["verdict"] for each in report.document["records"]} == {
        "van-7": "holds",
        "van-666": "not ours",
    }


def test_a_certificate_that_names_another_device_breaks_it(folder: Folder, camera: Camera) -> None:
    camera.make(signs=False).into(folder.records)
    other = replace(camera, maker=replace(camera.maker, device_id="van-8"))
    (folder.records / "van-8.pem").write_bytes(other.certificate_pem)
    report = folder.look((camera.authority,))

    assert report.verdict == "broken"
    assert "its key's certificate: for another device: 'van-8', and this one is van-7" in (
        words(report)
    )


def test_a_certificate_by_somebody_else_makes_it_not_ours(folder: Folder, camera: Camera) -> None:
    camera.make(signs=False).into(folder.records)
    (folder.records / "van-7.pem").write_bytes(camera.certificate_pem)
    report = folder.look((new_authority(),))

    assert report.verdict == "not ours"
    assert "by another authority than the given one" in words(report)


def test_a_certificate_by_somebody_else_beside_a_good_one_harms_nothing(
    folder: Folder, camera: Camera
) -> None:
    """Anybody could put one there."""
    camera.make(signs=False).into(folder.records)
    forged = Camera(replace(camera.maker, device_id="van-8"), new_authority())
    (folder.records / "a.pem").write_bytes(forged.certificate_pem)
    (folder.records / "b.pem").write_bytes(camera.certificate_pem)

    assert verdict(folder.look((camera.authority,))) == "holds"


def test_a_certificate_that_is_no_evidence_breaks_it(folder: Folder, camera: Camera) -> None:
    camera.make(signs=False).into(folder.records)
    made = camera.authority.issue(camera.maker.key.public_key(), "van-7")
    (folder.records / "tls.pem").write_bytes(certificates.pem([made]))

    assert "no emailProtection" in words(folder.look((camera.authority,)))


def test_what_is_certified_beats_what_was_there_first(folder: Folder, camera: Camera) -> None:
    """Without it a forger who dates early would make the genuine records look foreign."""
    forger = RecordMaker.begun(camera.maker.device_id)
    forged = forger.make(utc="2026-01-01T00:00:00.000Z")
    forged.into(folder.records)
    genuine = camera.make()
    genuine.into(folder.records)
    (folder.records / "van-7.pem").write_bytes(camera.certificate_pem)
    report = folder.look((camera.authority,))

    verdicts = {each["capture_id"]: each["verdict"] for each in report.document["records"]}
    assert verdicts == {genuine.label.capture_id: "holds", forged.label.capture_id: "not ours"}
    assert report.verdict == "not ours"


def test_both_keys_of_a_device_that_was_given_another_one_count(
    folder: Folder, camera: Camera
) -> None:
    camera.make().into(folder.records)
    second = Camera(RecordMaker(camera.maker.device_id), camera.authority)
    second.maker.make("chain_start", utc="2026-12-02T09:00:00.000Z").into(folder.records)
    for number, one in enumerate((camera, second)):
        (folder.records / f"{number}.pem").write_bytes(one.certificate_pem)

    assert verdict(folder.look((camera.authority,))) == "holds"


def test_without_an_authority_it_is_said_that_certificates_were_not_checked(
    folder: Folder, camera: Camera
) -> None:
    camera.make(signs=False).into(folder.records)
    (folder.records / "van-7.pem").write_bytes(camera.certificate_pem)
    report = folder.look()

    assert verdict(report) == "holds"
    assert "who made the certificates: no --ca" in report.document["not_checked"]


def test_a_receipt_dates_a_record(folder: Folder, camera: Camera, office: Office) -> None:
    made = camera.make(signs=False)
    made.into(folder.records)
    folder.list.write_text(office.listed())
    (folder.receipts / "1.jws").write_text(office.receipt(made))
    report = folder.look(fleet_key=office.fleet_key.public_key())

    assert verdict(report) == "holds"
    assert "received 2026-12-01 09:20:02 UTC" in words(report)
    assert not [each for each in report.document["not_checked"] if "revoked" in each]


@pytest.mark.parametrize(("after_s", "remarked"), [(300, False), (301, True)])
def test_a_record_that_is_dated_after_its_receipt_is_a_remark(
    folder: Folder, camera: Camera, office: Office, after_s: int, remarked: bool
) -> None:
    """Its clock was wrong, whoever vouched for it."""
    made = camera.make(signs=False)
    made.into(folder.records)
    folder.list.write_text(office.listed())
    (folder.receipts / "1.jws").write_text(
        office.receipt(made, MOMENT - timedelta(seconds=after_s))
    )

    assert ("received before the time that it says" in words(folder.look())) is remarked


@pytest.mark.parametrize("received", ["0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"])
@pytest.mark.parametrize("utc", ["0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"])
def test_a_receipt_and_a_record_of_any_date_are_judged(
    folder: Folder, office: Office, utc: str, received: str
) -> None:
    made = RecordMaker.begun().make("time", utc=utc)
    made.into(folder.records)
    folder.list.write_text(office.listed())
    (folder.receipts / "1.jws").write_text(office.receipt(made, received_at=received))

    is_before = received < utc
    assert ("received before the time that it says" in words(folder.look())) is is_before


def test_a_receipt_by_a_list_that_nobody_pinned_is_no_fact(
    folder: Folder, camera: Camera, office: Office
) -> None:
    """Whoever made the folder can sign both."""
    made = camera.make()
    made.into(folder.records)
    (folder.records / "van-7.pem").write_bytes(camera.certificate_pem)
    folder.list.write_text(office.listed())
    (folder.receipts / "1.jws").write_text(office.receipt(made))
    report = folder.look((camera.authority,))

    assert report.verdict == "holds with remarks"
    assert "received 2026-12-01 09:20:02 UTC, if the list is right that nobody vouches for" in (
        words(report)
    )


def test_a_time_that_no_clock_vouched_for_is_a_remark(folder: Folder) -> None:
    RecordMaker.begun().make("time", clock="unsynced").into(folder.records)

    assert words(folder.look()) == "its time is a guess: no clock vouched for it"


def test_receipts_may_stand_in_one_file_line_by_line(
    folder: Folder, camera: Camera, office: Office
) -> None:
    made = [camera.make(signs=False) for _ in range(3)]
    for each in made:
        each.into(folder.records)
    folder.list.write_text(office.listed())
    (folder.receipts / "all").write_text("\n".join([*map(office.receipt, made), ""]))

    assert verdict(folder.look(fleet_key=office.fleet_key.public_key())) == "holds"


def test_file_with_more_receipts_than_are_read_is_named(folder: Folder) -> None:
    """Two million short words took 164 MB and a second."""
    (folder.receipts / "all").write_text("a.b.c\n" * 500_000)

    assert peak_mb(lambda: folder.look().verdict) < 12
    assert folder.unusable == ["all: more than 20000 receipts: put them into several files"]


@pytest.mark.parametrize("is_pinned", [False, True])
def test_list_that_is_too_long_is_refused_unparsed(
    folder: Folder, office: Office, is_pinned: bool
) -> None:
    """It is parsed before its signature is verified: 14 MB took 329 MB and 1.3 s."""
    header, _, signature = office.listed().split(".")
    payload = encoded(b'{"v":1,"revoked":[' + b"[]," * 300_000 + b"0]}")
    folder.list.write_text(f"{header}.{payload}.{signature}")

    with pytest.raises(NotGenuine, match="too long for a list of revoked keys"):
        folder.look(fleet_key=office.fleet_key.public_key() if is_pinned else None)


def test_a_receipt_in_the_place_of_another_records_is_told(
    folder: Folder, camera: Camera, office: Office
) -> None:
    made, other = camera.make(signs=False), camera.make(signs=False)
    made.into(folder.records)
    folder.list.write_text(office.listed())
    (folder.receipts / f"{made.label.capture_id}.jws").write_text(office.receipt(other))
    report = folder.look()

    assert "no receipt is there" in words(report)
    assert folder.unusable == [
        f"{made.label.capture_id}.jws: 1 of 1: about another record than its name says"
    ]


def test_a_record_without_a_receipt_is_a_remark(
    folder: Folder, camera: Camera, office: Office
) -> None:
    camera.make(signs=False).into(folder.records)
    folder.list.write_text(office.listed())

    assert "no receipt is there" in words(folder.look())


@pytest.mark.parametrize("other", [{"sha256": "0" * 64}, {"bytes": 1}], ids=["digest", "size"])
def test_a_receipt_for_other_bytes_breaks_it(
    folder: Folder, camera: Camera, office: Office, other: dict[str, Any]
) -> None:
    """The backend read another file under this id than the one at hand."""
    made = camera.make(signs=False)
    made.into(folder.records)
    folder.list.write_text(office.listed())
    (folder.receipts / "1.jws").write_text(office.receipt(made, **other))
    report = folder.look()

    assert report.verdict == "broken"
    assert "the backend's receipt is for other bytes than these" in words(report)


def test_a_receipt_for_the_other_spelling_is_for_the_same_record(
    folder: Folder, camera: Camera, office: Office
) -> None:
    made = camera.make(signs=False)
    with_other_spelling(made).into(folder.records)
    folder.list.write_text(office.listed())
    (folder.receipts / "1.jws").write_text(office.receipt(made))

    assert "received 2026-12-01" in words(folder.look())


@pytest.mark.parametrize("how", ["stranger", "retired", "flipped"])
def test_a_receipt_that_does_not_count_is_a_remark(
    folder: Folder, camera: Camera, office: Office, how: str
) -> None:
    """Anybody can put one there; it must not make a good record doubtful."""
    made = camera.make(signs=False)
    made.into(folder.records)
    token = office.receipt(made)
    folder.list.write_text(office.listed(until=RECEIVED if how == "retired" else None))
    if how == "stranger":
        token = Office().receipt(made)
    if how == "flipped":
        token = f"{token[:-10]}{'A' if token[-10] != 'A' else 'B'}{token[-9:]}"
    (folder.receipts / "1.jws").write_text(token)
    report = folder.look()

    assert report.verdict == "holds with remarks"
    assert "a receipt that does not count: " in words(report)


def test_a_refusal_is_a_remark_in_its_own_words(
    folder: Folder, camera: Camera, office: Office
) -> None:
    made = camera.make(signs=False)
    made.into(folder.records)
    said = {
        "v": 1,
        "capture_id": made.label.capture_id,
        "sha256": sha256(made.content).hexdigest(),
        "bytes": len(made.content),
        "refused_at": rfc3339(RECEIVED),
        "reason": "damaged",
    }
    folder.list.write_text(office.listed())
    (folder.receipts / "1.jws").write_text(signing.sign(said, office.receipt_key, typ=REFUSAL_TYPE))

    assert "the backend refused it on 2026-12-01: damaged" in words(folder.look())


def test_a_key_that_was_revoked_later_is_believed_by_the_receipts_date(
    folder: Folder, camera: Camera, office: Office
) -> None:
    made = camera.make(signs=False)
    made.into(folder.records)
    (folder.receipts / "1.jws").write_text(office.receipt(made))

    folder.list.write_text(office.listed((camera.maker, RECEIVED + JUST)))
    before = folder.look()
    folder.list.write_text(office.listed((camera.maker, RECEIVED)))
    after = folder.look()

    assert before.verdict == "holds with remarks"
    assert "it was received before" in words(before)
    assert after.verdict == "broken"
    assert "not believed since 2026-12-01 09:20:02 UTC, and no receipt is from before" in (
        words(after)
    )


def test_the_earliest_of_several_receipts_counts(
    folder: Folder, camera: Camera, office: Office
) -> None:
    made = camera.make(signs=False)
    made.into(folder.records)
    folder.list.write_text(office.listed((camera.maker, RECEIVED + JUST)))
    dates = (RECEIVED + timedelta(days=1), RECEIVED, RECEIVED + timedelta(days=2))
    (folder.receipts / "1.jws").write_text("\n".join(office.receipt(made, at) for at in dates))

    assert folder.look().verdict == "holds with remarks"


def test_without_a_receipt_a_revoked_key_is_not_believed(
    folder: Folder, camera: Camera, office: Office
) -> None:
    """Whoever has the key dates as they like."""
    camera.make(signs=False).into(folder.records)
    folder.list.write_text(office.listed((camera.maker, MOMENT + timedelta(days=9))))

    assert folder.look().verdict == "broken"


def test_a_receipt_by_the_thief_does_not_help_a_revoked_key(
    folder: Folder, camera: Camera, office: Office
) -> None:
    made = camera.make(signs=False)
    made.into(folder.records)
    folder.list.write_text(office.listed((camera.maker, RECEIVED + JUST)))
    (folder.receipts / "1.jws").write_text(Office().receipt(made))

    assert folder.look().verdict == "broken"


def test_a_list_without_receipt_keys_revokes_and_says_that_it_names_none(
    folder: Folder, camera: Camera, office: Office
) -> None:
    """As backends wrote it before."""
    made = camera.make(signs=False)
    made.into(folder.records)
    (folder.receipts / "1.jws").write_text(office.receipt(made))
    folder.list.write_text(office.listed(receipt_keys=[]))
    report = folder.look()

    assert verdict(report) == "holds"
    assert (
        "receipts: the list of revoked keys names none that sign them"
        in (report.document["not_checked"])
    )


def test_a_list_that_nobody_pinned_is_taken_at_its_word_and_that_is_said(
    folder: Folder, camera: Camera, office: Office
) -> None:
    camera.make(signs=False).into(folder.records)
    folder.list.write_text(office.listed((camera.maker, MOMENT)))
    report = folder.look()

    assert report.verdict == "broken"
    words = "who signed the list of revoked keys: no --fleet-key; it was taken at its word"
    assert words in report.document["not_checked"]


def test_an_erased_record_says_when(folder: Folder, office: Office) -> None:
    made = RecordMaker.begun().make()
    (folder.records / f"{made.label.capture_id}.rec").write_bytes(made.line + b"\n")
    folder.list.write_text(office.listed())
    (folder.receipts / "1.jws").write_text(f"{office.receipt(made)}\n{office.erased(made)}\n")
    report = folder.look()

    assert report.verdict == report.document["verdict"] == "erased"
    assert report.document["erased_at"] == rfc3339(RECEIVED)
    assert report.lines[-1].startswith("erased on 2026-12-01: nothing that was checked contradicts")
    assert report.problems == 0
    assert report.document["records"][0]["erased_at"] == rfc3339(RECEIVED)
    assert "erased on 2026-12-01: only the label is left" in report.lines[1]


def test_a_body_that_should_be_gone_is_a_remark(
    folder: Folder, camera: Camera, office: Office
) -> None:
    made = camera.make(signs=False)
    made.into(folder.records)
    folder.list.write_text(office.listed())
    (folder.receipts / "1.jws").write_text(f"{office.receipt(made)}\n{office.erased(made)}\n")
    report = folder.look()

    assert report.verdict == "holds with remarks"
    assert "its body is here, and was erased on 2026-12-01" in words(report)


def test_a_label_alone_is_withheld_where_nobody_says_that_it_was_erased(
    folder: Folder, office: Office
) -> None:
    made = RecordMaker.begun().make()
    (folder.records / f"{made.label.capture_id}.rec").write_bytes(made.line + b"\n")
    folder.list.write_text(office.listed())
    (folder.receipts / "1.jws").write_text(Office().erased(made))

    assert folder.look().verdict == "withheld"


def test_of_a_label_alone_no_receipt_tells_that_it_is_older_than_the_theft(
    folder: Folder, office: Office
) -> None:
    """A thief could sign another label of this id; nothing is said of a photo either way."""
    made = RecordMaker.begun()
    label = made.make()
    (folder.records / f"{label.label.capture_id}.rec").write_bytes(label.line + b"\n")
    folder.list.write_text(office.listed((made, RECEIVED + JUST)))
    (folder.receipts / "1.jws").write_text(office.receipt(label))
    report = folder.look()

    assert report.verdict == "withheld"
    assert "of a label alone no receipt tells that it is older" in words(report)


def test_what_else_the_backend_signs_about_a_record_breaks_nothing(
    folder: Folder, camera: Camera, office: Office
) -> None:
    """A later version may sign things that this one does not know."""
    made = camera.make(signs=False)
    made.into(folder.records)
    folder.list.write_text(office.listed())
    said = {"v": 1, "capture_id": made.label.capture_id}
    (folder.receipts / "1.jws").write_text(signing.sign(said, office.receipt_key, typ="x"))

    assert folder.look().verdict == "holds with remarks"


def test_one_withheld_among_others_is_a_remark_on_the_whole(folder: Folder, camera: Camera) -> None:
    """Evidence of one delivery has the labels of its neighbours."""
    for made in (camera.make(signs=False), camera.make(signs=False)):
        path = made.into(folder.records)
    path.write_bytes(made.line + b"\n")

    assert folder.look().verdict == "holds with remarks"


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
    folder: Folder, office: Office, changes: dict[str, Any], is_pinned: bool
) -> None:
    """Half of a list would let revoked keys through."""
    folder.list.write_text(office.listed(**changes))

    with pytest.raises(NotGenuine, match=re_of(folder.list)):
        papers.read_listed(folder.list, office.fleet_key.public_key() if is_pinned else None)


def re_of(path: Path) -> str:
    return str(path).replace(".", "[.]")


def test_a_list_by_another_key_or_of_another_type_is_refused(
    folder: Folder, office: Office
) -> None:
    folder.list.write_text(Office().listed())
    with pytest.raises(NotGenuine, match="another key than --fleet-key"):
        papers.read_listed(folder.list, office.fleet_key.public_key())

    folder.list.write_text(signing.sign({"v": 1}, office.fleet_key, typ=RECEIPT_TYPE))
    with pytest.raises(NotGenuine, match="doorstep-revoked"):
        papers.read_listed(folder.list, None)


@pytest.mark.parametrize("make", GARBAGE, ids=NAMES)
def test_garbage_beside_the_records_is_told_and_harms_no_verdict(
    folder: Folder, camera: Camera, make: Callable[[Path], object]
) -> None:
    camera.make(signs=False).into(folder.records)
    make(folder.records / "x.pem")
    make(folder.receipts / "y.jws")
    report = folder.look()

    told = [each for each in report.document["not_checked"] if each.startswith("file ")]
    assert [each.split(":")[0] for each in told] == ["file x.pem", "file y.jws"]
    assert (verdict(report), report.verdict) == ("holds", "holds with remarks")
    assert all(line.isprintable() and len(line) < 700 for line in report.lines)


@pytest.mark.parametrize("make", GARBAGE, ids=NAMES)
def test_garbage_in_place_of_the_list_is_refused_in_a_sentence(
    folder: Folder, make: Callable[[Path], object]
) -> None:
    make(folder.list)

    with pytest.raises((ConfigError, NotGenuine), match=re_of(folder.list)):
        papers.read_listed(folder.list, None)


def test_a_public_key_among_the_certificates_is_no_trouble(
    folder: Folder, camera: Camera, office: Office
) -> None:
    camera.make(signs=False).into(folder.records)
    key = signing.public_pem(office.fleet_key.public_key())
    (folder.records / "fleet-key.pem").write_bytes(key)
    folder.look()

    assert folder.unusable == []


def test_an_erasure_is_of_its_own_record_and_type(office: Office) -> None:
    made, other = RecordMaker.begun().make(), RecordMaker.begun().make()
    keys = receipt.in_use(office.receipt_key.public_key())

    assert receipt.read_erasure(office.erased(made), made.label.capture_id, keys) == RECEIVED
    with pytest.raises(NotGenuine, match="another record"):
        receipt.read_erasure(office.erased(made), other.label.capture_id, keys)
    with pytest.raises(NotGenuine, match="doorstep-erased"):
        receipt.read_erasure(office.receipt(made), made.label.capture_id, keys)
