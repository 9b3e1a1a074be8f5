"""Evidence about one record: what is in the folder, whether it verifies, and what it says."""

import hashlib
import json
import re
from pathlib import Path
from zipfile import ZipFile

import pytest

from agent.models import BoundBy
from agent.record import certificates, sealing, signing
from agent.record import file as recordfile
from agent.record.certificates import Expected
from doorstep_backend.identity.closings import THE_OFFICE, EndKind
from doorstep_backend.identity.ending import DeviceEnding
from doorstep_backend.identity.register import Register
from doorstep_backend.office import claims
from doorstep_backend.office.access import Customer, CustomerService
from doorstep_backend.office.cases import Closing, Report
from doorstep_backend.office.casework import Decision
from doorstep_backend.office.corrections import State, Why
from doorstep_backend.office.demo import ACCOUNTS, ALLOWED, LEFT_DOOR, RIGHT_DOOR
from doorstep_backend.office.erasure import NotDone
from doorstep_backend.pages.accounts import Accounts
from doorstep_backend.seals import Seals
from doorstep_backend.wire.rescued import Rescues
from tests.support.demo_office import NOON, PICTURE, WHO
from tests.support.factory import Made, new_id
from tests.support.live_pages import CHEAP
from tests.support.sealed import IDENTITY_FILE, NAMES, RECIPIENTS
from tests.support.sealed_fleet import SealedFleet

ALWAYS = {
    *("evidence.pem", "fleet-ca.pem", "fleet.jws", "fleet-key.pem"),
    *("neighbours.json", "view-log.json", "README.txt"),
}

BY_LABEL = "The device, by the parcel's label, whose stop was in reach."


def test_the_folder_has_the_record_as_received_and_it_verifies(fleet: SealedFleet) -> None:
    made = fleet.take(fleet.sealed())
    own = made.label.capture_id

    said = fleet.export(own)

    assert said == f"written: {fleet.out}\nIt is whole."
    assert fleet.names() == ALWAYS | {f"{own}.rec", f"receipts/{own}.jws"}
    assert (fleet.out / f"{own}.rec").read_bytes() == made.content
    problems, words = fleet.problems()
    assert (problems, "sealed" in words) == (0, False)
    assert fleet.out.stat().st_mode & 0o777 == 0o700
    readme = fleet.read("README.txt")
    assert "technician" not in readme
    assert "closed then" not in readme


def test_receipt_and_certificate_verify_by_what_lies_beside_them(fleet: SealedFleet) -> None:
    made = fleet.take(fleet.sealed())
    fleet.export(made.label.capture_id)

    fleet_key = signing.read_public_key(fleet.out / "fleet-key.pem")
    document = signing.verify(
        fleet.read("fleet.jws").strip(), {signing.thumbprint(fleet_key): fleet_key}
    )
    named = [signing.from_jwk(one["jwk"]) for one in document["receipt_keys"]]
    receipt = signing.verify(
        fleet.read(f"receipts/{made.label.capture_id}.jws").strip(),
        {signing.thumbprint(key): key for key in named},
    )
    assert receipt["sha256"] == hashlib.sha256(made.content).hexdigest()
    root = certificates.read_pem((fleet.out / "fleet-ca.pem").read_bytes())
    leaf = certificates.read_pem((fleet.out / "evidence.pem").read_bytes())
    ours = Expected(made.label.device_id, root)
    assert certificates.issued(leaf, fleet.demo_office.van.key.public_key(), ours) == leaf


@pytest.fixture
def between(fleet: SealedFleet) -> tuple[Made, Made, Made]:
    """Take three records of one chain; the one in the middle is exported."""
    before, made, after = (fleet.take(fleet.sealed(n)) for n in (LEFT_DOOR, ALLOWED, RIGHT_DOOR))
    return before, made, after


def test_export_has_only_the_digests_of_the_neighbours(
    fleet: SealedFleet, between: tuple[Made, Made, Made]
) -> None:
    before, made, after = between

    fleet.export(made.label.capture_id)

    assert json.loads(fleet.read("neighbours.json")) == [
        {"seq": 2, "label_sha256": made.label.prev},
        {"seq": 4, "label_sha256": after.label_sha256},
    ]
    everything = b"".join(path.read_bytes() for path in fleet.out.rglob("*") if path.is_file())
    for other in (before, after):
        assert other.label.capture_id.encode() not in everything
    assert "labels of the neighbours are not here" in fleet.read("README.txt")


def test_neighbour_that_is_not_filed_yet_is_found_too(
    fleet: SealedFleet, between: tuple[Made, Made, Made]
) -> None:
    _, made, after = between
    ledger, store = fleet.demo_office.office.ledger, fleet.demo_office.office.store
    ledger.execute("DELETE FROM captures WHERE capture_id = ?", (after.label.capture_id,))
    into = "INSERT INTO unfiled (capture_id, due, at) VALUES (?, '', '')"
    store.db.execute(into, (after.label.capture_id,))

    fleet.export(made.label.capture_id)

    assert [one["seq"] for one in json.loads(fleet.read("neighbours.json"))] == [2, 4]


def test_export_with_neighbours_verifies_the_links_and_warns(
    fleet: SealedFleet, between: tuple[Made, Made, Made]
) -> None:
    before, made, after = between

    fleet.export(made.label.capture_id, "--neighbours")

    for other in (before, after):
        assert (fleet.out / f"{other.label.capture_id}.rec").read_bytes() == other.line + b"\n"
    problems, words = fleet.problems()
    assert (problems, words.count("only the label is left")) == (0, 2)
    assert "WHEN OTHER DELIVERIES WERE MADE" in fleet.read("README.txt")


def test_a_neighbour_that_has_not_come_and_a_fork_are_said(fleet: SealedFleet) -> None:
    fleet.sealed()
    made = fleet.take(fleet.sealed())
    fleet.demo_office.van.seq -= 1
    fleet.take(fleet.sealed())

    fleet.export(made.label.capture_id)

    readme = fleet.read("README.txt")
    assert "Number 2 has not come here." in readme
    assert "another record has number 3 too" in readme
    assert "Number 4 has not come here, or does not exist yet." in readme


def test_opened_export_has_the_packed_files_and_no_private_key(fleet: SealedFleet) -> None:
    made = fleet.take(fleet.sealed())

    fleet.export(made.label.capture_id, "--neighbours", "--opened")

    assert (fleet.out / "opened/photo.jpg").read_bytes() == PICTURE
    body = sealing.open_sealed(made.content.partition(b"\n")[2], Seals(fleet.folder).identities())
    assert (fleet.out / "opened/record.json").read_bytes() in body
    assert "The office opened it." in fleet.read("README.txt")
    everything = b"".join(path.read_bytes() for path in fleet.out.rglob("*") if path.is_file())
    assert b"AGE-SECRET-KEY" not in everything
    assert b"PRIVATE KEY" not in everything


def test_export_of_an_erased_record_has_its_label_and_says_why(fleet: SealedFleet) -> None:
    made = fleet.take(fleet.sealed())
    own = made.label.capture_id
    fleet.demo_office.office.opt_out_order(ALLOWED, True)

    said = fleet.export(own)

    filed = fleet.demo_office.office.filing.filed(own)
    assert filed is not None
    assert f"Only its label is left: the body was erased on {filed.erased_at}" in said
    assert "(no photo at this stop)" in said
    assert (fleet.out / f"{own}.rec").read_bytes() == made.line + b"\n"
    assert fleet.problems()[0] == 0
    stated, key = fleet.read(f"receipts/{own}.jws").split()[1], fleet.key().public_key()
    statement = signing.verify(stated, {signing.thumbprint(key): key}, typ="doorstep-erased")
    assert statement == {"v": 1, "capture_id": own, "erased_at": filed.erased_at}
    assert "agree with nothing any more" in fleet.read("README.txt")
    with pytest.raises(NotDone, match="without --opened"):
        fleet.export(own, "--opened", "--out", str(fleet.out / "other"))


def test_a_record_that_nobody_here_opens_is_exported_and_the_readme_says_so(
    fleet: SealedFleet,
) -> None:
    fleet.recipients = RECIPIENTS
    made = fleet.take(fleet.sealed())

    with pytest.raises(NotDone, match="no identity here opens this record"):
        fleet.export(made.label.capture_id, "--opened")
    fleet.export(made.label.capture_id)

    assert "nobody here saw what is in it" in fleet.read("README.txt")
    assert "was a simulation, nobody here knows" in fleet.read("README.txt")
    assert (fleet.out / f"{made.label.capture_id}.rec").read_bytes() == made.content


def test_file_name_in_a_body_opened_later_cannot_leave_the_folder(fleet: SealedFleet) -> None:
    """The names in a body that could not be opened were not checked when the record came."""
    fleet.recipients = RECIPIENTS
    evil = recordfile.pack_body({}, PICTURE, NOON).replace(b"photo.jpg", b"../ab.jpg")
    plain = bytearray(evil)
    at = 1024
    plain[at + 148 : at + 156] = b" " * 8
    plain[at + 148 : at + 156] = b"%06o\0 " % sum(plain[at : at + 512])
    made = fleet.take(fleet.sealed(packed=bytes(plain)))
    Seals(fleet.folder).use_given_identities(IDENTITY_FILE, NAMES)

    with pytest.raises(NotDone, match="its name is no plain one: export this record without"):
        fleet.export(made.label.capture_id, "--opened")

    assert not fleet.out.exists()


def test_refused_export_gives_its_reason_and_writes_no_file(
    fleet: SealedFleet,
) -> None:
    begun, refused = fleet.sealed(), fleet.take(fleet.sealed(), refuse="damaged")
    altered, unfiled = fleet.take(fleet.sealed()), fleet.sealed()
    fleet.begin(begun, cut=100)
    fleet.intake.judge(fleet.begin(unfiled))
    name = hashlib.sha256(altered.content).hexdigest()
    content = altered.content[:-1] + bytes([altered.content[-1] ^ 1])
    fleet.demo_office.office.store.objects.put(altered.label.capture_id, name, content)

    said = {
        new_id(): "no record of this id ever came",
        begun.label.capture_id: f"{len(begun.content) - 100} of its {len(begun.content)} bytes",
        refused.label.capture_id: r"was refused on .+ \(damaged\)",
        unfiled.label.capture_id: "is not filed yet: start the backend",
        altered.label.capture_id: "not what was received any more",
    }
    for capture_id, sentence in said.items():
        with pytest.raises(NotDone, match=sentence):
            fleet.export(capture_id)
        assert fleet.demo_office.office.access.views_of_record(capture_id) == []
    assert not fleet.out.exists()


def test_an_export_is_a_look_that_the_customer_reads(fleet: SealedFleet) -> None:
    made, access = fleet.take(fleet.sealed()), fleet.demo_office.office.access
    own = made.label.capture_id
    accounts = Accounts(fleet.demo_office.office.ledger, CHEAP)
    accounts.add_all(ACCOUNTS)
    access.log(Customer("c-1"), own, "", NOON)
    access.log(CustomerService("17"), own, "Where is the parcel?", NOON)
    fleet.demo_office.office.erasure.hold(ALLOWED, "CASE-7", NOON)

    fleet.export(own, "--by", "17")
    fleet.export(own, "--out", str(fleet.out / "again.zip"))
    with pytest.raises(NotDone, match="c-1 is no account of customer service or dispatch"):
        fleet.export(own, "--by", "c-1", "--out", str(fleet.out / "third"))

    why = "Exported as evidence about the delivery. Case CASE-7."
    held = "Keeps all of this order for a dispute. Case CASE-7."
    who = [(view.viewer, view.why) for view in access.views_of(ALLOWED)]
    assert who[2:] == [("office", held), ("agent 17", why), ("office", why)]
    log = json.loads(fleet.read("view-log.json"))
    assert [one["who"] for one in log] == ["customer", "agent 17", "agent 17"]
    assert set(log[2]) == {"at", "who", "why"}


@pytest.mark.parametrize("state", ["shown", "hidden", "withdrawn"])
def test_service_and_dispatch_export_by_their_account_whatever_the_state(
    fleet: SealedFleet, state: str
) -> None:
    """No other role's account may export, and the log names the account that did."""
    office, own = fleet.demo_office.office, fleet.take(fleet.sealed()).label.capture_id
    accounts = Accounts(office.ledger, CHEAP)
    accounts.add_all(ACCOUNTS)
    if state != "shown":
        office.casework.report(office.orders.find(ALLOWED), own, Report.NOT_MY_DOOR, NOON)
    if state == "withdrawn":
        case = office.cases.open_for("dispatch ana", own, NOON)
        assert case is not None
        decision = Decision(Closing.WITHDRAWN, "", office.corrections.of_record(own)[-1].version)
        office.close_case(case, decision, "dispatch ana", NOON)
    before = len(office.access.views_of_record(own))

    for who in ("17", "ana"):
        fleet.export(own, "--by", who, "--out", str(fleet.folder.parent / who))
    for who in ("c-1", "no-such-account"):
        with pytest.raises(NotDone):
            fleet.export(own, "--by", who, "--out", str(fleet.folder.parent / who))

    looks = office.access.views_of_record(own)[before:]
    assert [look.viewer for look in looks] == ["agent 17", "dispatch ana"]


def test_the_readme_names_the_order_and_who_bound_it_when_and_why(fleet: SealedFleet) -> None:
    """If a correction names other orders, the README warns of them."""
    demo_office = fleet.demo_office
    moved, stray = map(demo_office.receive, (demo_office.photo(ALLOWED), demo_office.stray()))
    fleet.export(moved, "--out", str(fleet.out))

    demo_office.office.corrections.correct(
        moved, 0, to=RIGHT_DOOR, state=State.SHOWN, who=WHO, why=Why.WRONG_ORDER, now=NOON
    )
    demo_office.bind(stray, LEFT_DOOR)
    for capture_id in (moved, stray):
        fleet.export(capture_id, "--out", str(fleet.out / capture_id))

    before, *corrected = (fleet.read(f"{one}/README.txt") for one in (".", moved, stray))
    assert f"Order:      {ALLOWED}\n" in before
    assert f"\n{BY_LABEL}\nNobody has corrected it.\n" in before
    told = (
        f"Order:      {RIGHT_DOOR}\n",
        f"\n{BY_LABEL}\n2026-12-01T12:00:00.000Z, dispatch ana: from order {ALLOWED} to ",
        f"to order {RIGHT_DOOR}, shown.\n  Reason: wrong order.\n",
        f"dispatch ana: from no order to order {LEFT_DOOR}, shown.\n  Reason: bound.\n",
        f"THIS NAMES THE ORDERS OF OTHERS: {ALLOWED}.",
    )
    assert [[one in text for one in told] for text in corrected] == [
        [True, True, True, False, True],
        [False, False, False, True, False],
    ]

    demo_office.office.opt_out_order(RIGHT_DOOR, True)
    fleet.export(moved, "--out", str(fleet.out / "erased"))
    erased = fleet.read("erased/README.txt")
    assert "Order:      not kept any more\n" in erased
    assert told[-1] in erased


@pytest.mark.parametrize(
    "named_by",
    [*BoundBy, claims.LABEL_ELSEWHERE, claims.LABEL_UNPLACED, claims.UNOPENED_BODY],
)
def test_readme_names_the_way_by_which_a_record_got_its_order(
    fleet: SealedFleet, named_by: str
) -> None:
    own = fleet.take(fleet.sealed()).label.capture_id
    ledger = fleet.demo_office.office.ledger
    ledger.execute("UPDATE captures SET bound_by = ? WHERE capture_id = ?", (named_by, own))

    fleet.export(own)

    told = fleet.read("README.txt").partition("WHO SAID WHICH ORDER IT IS OF\n\n")[2]
    assert re.match(r"[A-Z].+\.( .+\.)?\nNobody has corrected it\.\n", told)


def test_a_zip_has_the_same_and_what_is_there_is_not_replaced(
    fleet: SealedFleet, tmp_path: Path
) -> None:
    made = fleet.take(fleet.sealed())
    into = tmp_path / "case.zip"
    fleet.export(made.label.capture_id)

    fleet.export(made.label.capture_id, "--out", str(into))

    assert set(ZipFile(into).namelist()) == fleet.names()
    assert into.stat().st_mode & 0o777 == 0o600
    for there in (into, fleet.out):
        with pytest.raises(FileExistsError):
            fleet.export(made.label.capture_id, "--out", str(there))
    assert len(fleet.demo_office.office.access.views_of_record(made.label.capture_id)) == 2


def test_readme_names_the_devices_key_if_there_is_no_certificate(tmp_path: Path) -> None:
    fleet = SealedFleet(tmp_path / "backend", identity=False)
    made = fleet.take(fleet.demo_office.photo(ALLOWED))

    fleet.export(made.label.capture_id)

    readme = fleet.read("README.txt")
    assert "evidence.pem" not in fleet.names()
    assert signing.thumbprint(fleet.demo_office.van.key.public_key()) in readme
    assert "the body is not sealed" in readme


def test_readme_lists_every_doubt_about_a_record(fleet: SealedFleet) -> None:
    made = fleet.take(fleet.demo_office.van.make("photo", {}, PICTURE, clock="unsynced"))
    fleet.take(fleet.demo_office.void(made.label.capture_id))
    kid = signing.thumbprint(fleet.demo_office.van.key.public_key())
    fleet.export(made.label.capture_id)

    readme = fleet.read("README.txt")
    assert "do not rely on its date" in readme
    assert "It was taken back or replaced" in readme
    assert "IT MAY SHOW NOTHING REAL" in readme
    assert readme.count("The backend wrote it, and nobody signed it.") == 2
    assert "not believed any more" not in readme.partition("WHAT IS IN")[0]
    fleet.demo_office.office.revoked_keys.add(kid, made.label.device_id, NOON.replace(year=2020))
    fleet.export(made.label.capture_id, "--out", str(fleet.out / "later"))
    assert "was not believed any more" in fleet.read("later/README.txt")


def test_readme_names_the_technician_and_the_end_of_the_device(fleet: SealedFleet) -> None:
    made = fleet.take(fleet.sealed())
    own, device_id = made.label.capture_id, made.label.device_id
    Rescues(fleet.demo_office.office.store).mark(own, "ada")
    ending = DeviceEnding(Register(fleet.folder), fleet.demo_office.office)
    ending.now(device_id, EndKind.GONE, THE_OFFICE, NOON)

    fleet.export(own)

    said = re.sub(r"\s+", " ", fleet.read("README.txt"))
    assert "ada brought it from the device's card, under a technician's certificate." in said
    assert "The device is gone since 2026-12-01 12:00 UTC, by the office." in said
    assert "Its chain was closed then at number 2." in said
    assert fleet.problems()[0] == 0
