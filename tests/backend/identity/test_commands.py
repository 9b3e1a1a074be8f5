"""`devices` and `fleet` at a terminal, over a folder."""

import argparse
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.models import rfc3339
from agent.record import certificates, signing
from agent.record.receipt import RECEIPT_TYPE
from agent.record.verify.supporting_files import REVOKED_TYPE
from doorstep_backend import keys
from doorstep_backend.identity.commands import IdentityCommands, add_to
from doorstep_backend.identity.names import names_in
from doorstep_backend.office.erasure import NotDone
from doorstep_backend.wire.store import IntakeVerdict, Upload
from tests.backend.issuing import VAN, Issuer
from tests.support.demo_office import NOON, DemoOffice
from tests.support.factory import new_id

NEXT_YEAR, MINUTE = timedelta(days=365), timedelta(minutes=1)


class Terminal:
    """Types commands over the folder of one backend."""

    def __init__(self, folder: Path) -> None:
        self.demo_office = DemoOffice(folder)
        self.issuer = Issuer(folder, keys.certificates(folder / "ca"))
        self.commands = IdentityCommands.of(folder, self.demo_office.office)
        self.commands.documents.settle()

    def type(self, *words: str) -> str:
        parser = argparse.ArgumentParser()
        add_to(parser.add_subparsers(dest="command"))
        return self.commands.run(parser.parse_args(words))

    def enrol(self) -> None:
        """Enrol a TLS key and a signing key, as over the wire."""
        self.issuer.enrol()
        self.issuer.vouch(self.demo_office.van.key)


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


def test_add_prints_one_line_for_each_device(terminal: Terminal) -> None:
    lines = terminal.type("devices", "add", "van-7", "van-8").splitlines()

    assert [line.split()[0] for line in lines] == ["van-7", "van-8"]
    assert all(terminal.commands.register.is_token(*line.split()) for line in lines)


def test_tokens_in_a_file_are_for_its_owner_alone(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "tokens"

    said = terminal.type("devices", "add", "van-7", "--tokens", str(file))

    device_id, token = file.read_text().split()
    assert file.stat().st_mode & 0o777 == 0o600
    assert terminal.commands.register.is_token(device_id, token)
    assert token not in said


def test_a_file_that_is_there_is_not_replaced_and_nobody_is_let_in(
    terminal: Terminal, tmp_path: Path
) -> None:
    """The tokens in it may be the only ones of devices that are on their way."""
    (tmp_path / "tokens").write_text("van-7 token\n")

    with pytest.raises(FileExistsError, match="nobody was let in"):
        terminal.type("devices", "add", "van-7", "--tokens", str(tmp_path / "tokens"))

    assert "no device was let in yet" in terminal.type("devices", "list")


@pytest.mark.parametrize("name", ["", "../van", "van 7", "x" * 64, "van-7\n"])
def test_add_lets_in_no_device_if_an_id_is_invalid(terminal: Terminal, name: str) -> None:
    with pytest.raises(NotDone, match="is no device id"):
        terminal.type("devices", "add", "van-8", name)

    assert "no device was let in yet" in terminal.type("devices", "list")


def test_list_says_who_waits_and_who_is_in(terminal: Terminal) -> None:
    terminal.type("devices", "add", "van-7", "van-8")
    terminal.enrol()

    first, second = terminal.type("devices", "list").splitlines()

    assert first.startswith("van-7; in; TLS serial ")
    assert "until 2027-12-01; signs with " in first
    assert second == "van-8; in; token not used yet"


def test_revoke_alone_leaves_what_it_signs_good(terminal: Terminal, tmp_path: Path) -> None:
    terminal.type("devices", "add", VAN)
    terminal.enrol()

    assert "still counts" in terminal.type("devices", "revoke", VAN)

    assert not (tmp_path / "revoked.jws").exists()
    assert terminal.type("devices", "list").startswith("van-7; revoked; signs with ")


def test_the_list_of_signing_keys_is_signed_by_the_fleet_key(
    terminal: Terminal, tmp_path: Path
) -> None:
    terminal.type("devices", "add", VAN)
    terminal.enrol()

    terminal.type("devices", "revoke", VAN, "--evidence", "2026-12-01T10:00:00Z")
    rotated = terminal.type("fleet", "rotate", "--fleet-key")
    terminal.type("fleet", "publish")

    assert rotated.splitlines()[-1] == "fleet-key.pem changes with the next document"
    key = signing.read_public_key(tmp_path / "fleet-key.pem")
    token = (tmp_path / "revoked.jws").read_text()
    said = signing.verify(token, {signing.thumbprint(key): key}, typ=REVOKED_TYPE)
    kid = signing.thumbprint(terminal.demo_office.van.key.public_key())
    assert said == {
        "v": 1,
        "version": 1,
        "receipt_keys": terminal.commands.documents.receipt_keys(),
        "revoked": [{"kid": kid, "device_id": VAN, "since": "2026-12-01T10:00:00.000Z"}],
    }


@pytest.mark.parametrize("command", ["revoke", "gone"])
def test_a_name_that_nobody_has_is_said_so(terminal: Terminal, command: str) -> None:
    with pytest.raises(NotDone, match="no device van-9"):
        terminal.type("devices", command, "van-9")


def test_fleet_commands_say_which_keys_there_are(terminal: Terminal) -> None:
    kid = terminal.type("fleet", "publish").splitlines()[1].split()[0]

    rotated = terminal.type("fleet", "rotate").splitlines()

    assert rotated[0] == "fleet document 3"
    assert rotated[1].endswith(" in use")
    assert rotated[2].startswith(f"{kid} retired on {datetime.now(UTC):%Y-}")
    assert f"{kid} revoked on " in terminal.type("fleet", "revoke", kid)
    unknown = "-" + 42 * "x"  # the id of a key may begin with a dash
    with pytest.raises(NotDone, match=f"no key {unknown}"):
        terminal.type("fleet", "revoke", unknown)


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_revoke_prints_its_help_and_revokes_nothing(
    terminal: Terminal, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An id may begin with a dash too, so the parser of this command knows no options."""
    with pytest.raises(SystemExit) as ended:
        terminal.type("fleet", "revoke", word)

    assert ended.value.code == 0
    assert "usage" in capsys.readouterr().out


def test_revocation_signs_the_remaining_receipts_when_it_is_repeated(
    terminal: Terminal,
) -> None:
    """There may be millions of receipts, and the database may fail halfway."""
    store, key = terminal.demo_office.office.store, terminal.commands.documents.key_in_use()
    kid = signing.thumbprint(key.public_key())
    for _ in range(2):
        upload = Upload(new_id(), 1, "0" * 64, "")
        store.create(upload)
        receipt = signing.sign({}, key, typ=RECEIPT_TYPE)
        store.settle(IntakeVerdict(upload.capture_id, rfc3339(NOON), None, receipt))
    terminal.commands.documents.revoke(kid)  # and the command dies

    said = terminal.type("fleet", "revoke", kid).splitlines()

    assert (said[0], said[-1]) == ("fleet document 2", "signed anew: 2 receipts and refusals")
    assert all(signing.key_id(one.jws) != kid for one in store.verdicts())


@pytest.mark.parametrize(
    "words", [("clients", "add", "board", "--out"), ("devices", "add", VAN, "--tokens")]
)
def test_a_file_that_cannot_be_made_lets_nobody_in(
    terminal: Terminal, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """If the file were lost, for example in root's folder, the earlier token would be lost too."""
    with pytest.raises(NotDone, match="No such file or directory: nobody was let in"):
        terminal.type(*words, str(tmp_path / "none" / "file"))

    assert "let in yet" in terminal.type(words[0], "list")


def test_a_technician_gets_key_and_certificate_in_a_file_of_their_own(
    terminal: Terminal, tmp_path: Path
) -> None:
    out = tmp_path / "ada.pem"

    said = terminal.type("technicians", "add", "ada", "--out", str(out))

    made = certificates.read_pem(out.read_bytes())[0]
    assert out.stat().st_mode & 0o777 == 0o600
    assert made.not_valid_after_utc - datetime.now(UTC) <= timedelta(days=90)
    assert said == f"ada: until {made.not_valid_after_utc:%Y-%m-%d}; written: {out}"
    assert terminal.type("technicians", "list").startswith("ada; serial ")
    assert "no client was let in yet" in terminal.type("clients", "list")
    assert "shut out" in terminal.type("technicians", "revoke", "ada")
    assert terminal.type("technicians", "list").endswith("; revoked")


def test_no_two_of_device_client_and_technician_share_a_name(
    terminal: Terminal, tmp_path: Path
) -> None:
    """The names of ended clients stay taken, because devices know clients by their names alone."""
    out = tmp_path / "out.pem"
    terminal.type("devices", "add", VAN)
    terminal.type("technicians", "add", "ada", "--out", str(tmp_path / "ada.pem"))
    terminal.type("devices", "gone", VAN)
    terminal.type("technicians", "revoke", "ada")

    for words, who in (
        (("devices", "add", "Ada"), "a technician"),
        (("clients", "add", "ADA", "--out", str(out)), "a technician"),
        (("technicians", "add", "VAN-7", "--out", str(out)), "the device van-7"),
    ):
        with pytest.raises(NotDone, match=f"{who} is called so"):
            terminal.type(*words)
    assert not out.exists()


def test_the_servers_next_certificate_is_for_a_year_and_its_key_for_its_owner_alone(
    terminal: Terminal, tmp_path: Path
) -> None:
    before = (tmp_path / "ca" / "server-key.pem").read_bytes()
    too_long_for_a_common_name = f"{'a' * 40}.{'b' * 40}.example"

    said = terminal.type("certificate", too_long_for_a_common_name, "Fleet.example", "10.8.0.1")

    key = tmp_path / "ca" / "server-key.pem"
    made = certificates.read_pem((tmp_path / "ca" / "server.pem").read_bytes())[0]
    made.verify_directly_issued_by(terminal.issuer.authority.certificate)
    names = {too_long_for_a_common_name, "fleet.example", "10.8.0.1"}
    assert names_in(made) == {*names, *keys.HOSTS}
    assert timedelta(0) <= NEXT_YEAR - (made.not_valid_after_utc - datetime.now(UTC)) < MINUTE
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.read_bytes() != before
    assert made.public_key() == signing.read_private_key(key).public_key()
    assert f"until {made.not_valid_after_utc:%Y-%m-%d}" in said


def test_no_device_gets_a_name_of_the_servers_next_certificate(terminal: Terminal) -> None:
    terminal.type("devices", "add", VAN)
    terminal.type("certificate", "fleet.example")

    with pytest.raises(NotDone, match="the backend's own name"):
        terminal.type("devices", "names", VAN, "fleet.example")


@pytest.mark.parametrize("name", ["van-7.example", VAN, "fleet example"])
def test_certificate_is_refused_for_an_invalid_name_or_one_of_a_device(
    terminal: Terminal, tmp_path: Path, name: str
) -> None:
    terminal.type("devices", "add", VAN)
    terminal.type("devices", "names", VAN, "van-7.example")
    before = (tmp_path / "ca" / "server.pem").read_bytes()

    with pytest.raises(NotDone, match="nothing was changed"):
        terminal.type("certificate", "fleet.example", name)

    assert (tmp_path / "ca" / "server.pem").read_bytes() == before


def test_document_after_a_restore_has_a_higher_version_than_devices(terminal: Terminal) -> None:
    assert terminal.type("fleet", "publish", "--after", "1000").startswith("fleet document 1001\n")
    assert terminal.type("fleet", "publish", "--after", "7").startswith("fleet document 1002\n")
    with pytest.raises(NotDone, match="nothing was made"):
        terminal.type("fleet", "publish", "--after", "9007199254740991")
