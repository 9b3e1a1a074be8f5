"""`doorstep enrol --csr` and `--certificate`: requests and certificates that a person carries."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from agent.__main__ import main
from agent.config import CertificateSource, load
from agent.identity.capture_certificates import Evidence
from agent.identity.device_key import device_key
from agent.process import control
from agent.record import certificates, signing
from agent.record.certificates import Certificate
from agent.record.usages import Use
from agent.trust.store import TrustStore
from tests.support.authority import YEAR, Authority, new_authority
from tests.support.device import Device
from tests.support.est import EstServer, est_server, required
from tests.support.fleet_documents import fleet_document
from tests.unit.agent.command.enrolling import FLEET_KEY, Bench

NAME: Final = "van-7.vans.example"
CLOCK: Final = "agent.identity.authorities.is_synchronised"


class Desk:
    """A device, and a person who carries its files to an authority and back."""

    def __init__(self, device: Device, server: EstServer, capsys: Any) -> None:
        self.bench = Bench(device, server, capsys)
        self.device, self.server = device, server
        self.folder = device.folder / "csr"

    def run(self, *words: str) -> int:
        return main(["enrol", *words, "--config", str(self.device.config)])

    def ask(self) -> int:
        return self.run("--csr", str(self.folder))

    def csr(self, use: Use) -> x509.CertificateSigningRequest:
        return x509.load_pem_x509_csr((self.folder / f"van-7-{use}.csr").read_bytes())

    def key(self, use: Use) -> signing.PublicKey:
        found = self.csr(use).public_key()
        assert isinstance(found, signing.PublicKey)
        return found

    def issue(
        self, use: Use, by: Authority | None = None, name: str = "van-7", **how: Any
    ) -> Certificate:
        usual: dict[str, Any] = {"evidence": use is Use.EVIDENCE, "server": use is Use.SERVE}
        wanted = {**usual, "names": [NAME], "key": self.key(use), **how}
        return (by or self.server.authority).issue(wanted.pop("key"), name, **wanted)

    def file(self, name: str, *found: Certificate) -> str:
        path = self.device.folder / name
        path.write_bytes(certificates.pem(found))
        return str(path)

    def answer(self, *files: str) -> int:
        return self.run("--certificate", *files)

    def said(self) -> str:
        return self.bench.said()


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    with est_server(tmp_path / "est") as server:
        server.fleet = fleet_document(FLEET_KEY)
        tables = required(server, tmp_path / "van", FLEET_KEY.public_key())
        tables["identity"]["certificates"] = "files"
        device = Device(tmp_path / "van", **tables, serve={"names": [NAME]})
        made = Desk(device, server, capsys)
        assert made.ask() == 0
        made.said()
        yield made


def test_device_is_enrolled_by_files_and_asks_no_est_server(desk: Desk) -> None:
    files = [desk.file(f"{use}.pem", desk.issue(use)) for use in reversed(Use)]

    assert desk.answer(*files) == 0

    said = desk.said()
    assert "tls.pem: is in use now, until " in said
    assert "evidence.pem: verified, and kept, until 9999-12-31\n" in said
    assert "serve.pem: verified, and kept, until " in said
    assert "enrolled: van-7" in said
    assert desk.bench.identity().key.public_key() == desk.key(Use.TLS)
    assert desk.bench.has_evidence_for_its_key()
    assert desk.bench.fleet_version() == 1
    assert desk.server.paths() == ["/fleet"]


def test_requests_are_the_same_until_they_are_answered(desk: Desk) -> None:
    before = {path.name: path.read_bytes() for path in desk.folder.iterdir()}
    desk.ask()
    assert {path.name: path.read_bytes() for path in desk.folder.iterdir()} == before
    desk.answer(*(desk.file(f"{use}.pem", desk.issue(use)) for use in Use))

    desk.ask()

    after = {path.name: path.read_bytes() for path in desk.folder.iterdir()}
    assert set(after) == {f"van-7-{use}.csr" for use in Use}
    assert {name for name in after if after[name] == before[name]} == {"van-7-serve.csr"}
    assert desk.folder.joinpath("van-7-tls.csr").stat().st_mode & 0o777 == 0o644


def test_renewal_is_the_same_two_commands(desk: Desk) -> None:
    desk.answer(*(desk.file(f"{use}.pem", desk.issue(use)) for use in Use))
    first = desk.bench.identity()
    desk.ask()

    assert desk.answer(desk.file("tls.pem", desk.issue(Use.TLS, life=YEAR * 2))) == 0

    assert desk.bench.identity().key.public_key() == desk.key(Use.TLS)
    assert desk.bench.identity().ends > first.ends


def test_all_may_be_in_one_file_with_the_chain_in_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = new_authority("root")
    north = root.below("North")
    with est_server(tmp_path / "est", north, root) as server:
        server.fleet = fleet_document(FLEET_KEY)
        tables = required(server, tmp_path / "van", FLEET_KEY.public_key())
        tables["identity"]["certificates"] = "files"
        desk = Desk(Device(tmp_path / "van", **tables), server, capsys)
        desk.ask()
        both = desk.file("both.pem", desk.issue(Use.EVIDENCE), desk.issue(Use.TLS))

        assert desk.answer(both) == 65
        assert desk.said().count("if an intermediate authority made it") == 2
        assert desk.answer(desk.file("chain.pem", north.certificate), both) == 0


def foreign_p384(desk: Desk) -> Certificate:
    key = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "van-7")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
    builder = builder.not_valid_after(datetime(2030, 1, 1, tzinfo=UTC))
    return builder.sign(desk.server.authority.key, hashes.SHA256())


PAST: Final[dict[str, Any]] = {
    "starts": datetime(2020, 1, 1, tzinfo=UTC),
    "life": timedelta(days=30),
}
TOMORROW: Final = timedelta(days=1)

WRONG: Final[dict[str, Callable[[Desk], Certificate]]] = {
    "for another key than those of this device; `doorstep enrol --csr DIR` writes": lambda desk: (
        desk.issue(Use.TLS, key=signing.new_key().public_key())
    ),
    "for another device: 'van-8', and this one is van-7": lambda desk: desk.issue(
        Use.TLS, name="van-8"
    ),
    "another device: 'van-9', and this one is van-7": lambda desk: desk.issue(
        Use.TLS, name="van-9", key=signing.new_key().public_key()
    ),
    "its key is not a P-256 key": foreign_p384,
    "it ended on 2020-01-31": lambda desk: desk.issue(Use.TLS, **PAST),
    "not valid before": lambda desk: desk.issue(Use.TLS, starts=datetime.now(UTC) + TOMORROW),
    "by an authority that is not trusted here": lambda desk: desk.issue(
        Use.TLS, by=new_authority("other")
    ),
    "no clientAuth in its extendedKeyUsage; the request asks": lambda desk: desk.issue(
        Use.TLS, server=True
    ),
    "it has clientAuth, and a stolen TLS key": lambda desk: desk.issue(
        Use.EVIDENCE, evidence=False
    ),
    "it has serverAuth, and a stolen TLS key": lambda desk: desk.issue(
        Use.EVIDENCE, evidence=False, server=True
    ),
    "no serverAuth; the request asks": lambda desk: desk.issue(Use.SERVE, server=False),
    "not for van-7.vans.example": lambda desk: desk.issue(Use.SERVE, names=["van-8.example"]),
    "no digitalSignature": lambda desk: desk.issue(Use.TLS, signs=False),
}


@pytest.mark.parametrize("words", WRONG)
def test_wrong_file_is_named_and_does_not_stop_the_good_ones(
    desk: Desk, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CLOCK, lambda: True)
    good = [desk.file(f"{use}.pem", desk.issue(use)) for use in Use]
    wrong = desk.file("wrong.pem", WRONG[words](desk))

    assert desk.answer(wrong, *good) == 65

    (said,) = [line for line in desk.said().splitlines() if "wrong.pem" in line]
    assert words in said
    assert desk.bench.identity().key.public_key() == desk.key(Use.TLS)
    assert desk.bench.has_evidence_for_its_key()
    assert TrustStore(desk.device.layout).certificate("serve") is not None


@pytest.mark.parametrize("words", WRONG)
def test_wrong_file_changes_nothing_that_is_in_use(
    desk: Desk, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CLOCK, lambda: True)
    desk.answer(*(desk.file(f"{use}.pem", desk.issue(use)) for use in Use))
    desk.server.fleet = fleet_document(FLEET_KEY, 1)
    desk.ask()
    before = desk.bench.kept()

    assert desk.answer(desk.file("wrong.pem", WRONG[words](desk))) == 65

    assert desk.bench.kept() == before


def test_clock_that_nobody_sets_does_not_judge_a_beginning(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CLOCK, lambda: False)
    early = desk.issue(Use.EVIDENCE, starts=datetime.now(UTC) + TOMORROW)

    desk.answer(desk.file("evidence.pem", early))

    assert desk.bench.evidence() == (early,)


def test_earlier_certificate_does_not_replace_a_longer_one(desk: Desk) -> None:
    short = desk.file("short.pem", desk.issue(Use.TLS, life=timedelta(days=30)))
    long = desk.file("long.pem", desk.issue(Use.TLS))
    desk.answer(short)
    assert desk.answer(long) == 0
    desk.said()

    assert desk.answer(short) == 65
    assert "it ends before the one in use" in desk.said()
    assert desk.answer(long) == 0
    assert "long.pem: is in use, until" in desk.said()


def test_old_and_next_certificate_together_leave_the_next_one_in_use(desk: Desk) -> None:
    old = desk.file("old.pem", desk.issue(Use.TLS))
    desk.answer(old)
    desk.ask()
    new = desk.file("new.pem", desk.issue(Use.TLS))

    assert desk.answer(new, old) == 0

    assert desk.bench.identity().key.public_key() == desk.key(Use.TLS)


def test_old_evidence_behind_the_new_one_does_not_count_as_kept(desk: Desk) -> None:
    old = desk.file("old.pem", desk.issue(Use.EVIDENCE, starts=datetime.now(UTC)))
    desk.answer(old)
    desk.said()

    desk.answer(desk.file("new.pem", desk.issue(Use.EVIDENCE)), old)

    assert "old.pem: capture does not take it: it ends on " in desk.said()


def test_request_by_an_older_configuration_is_not_written(desk: Desk) -> None:
    """Capture runs, and has read the configuration before certificates came as files."""
    layout, before = desk.device.layout, desk.folder.joinpath("van-7-evidence.csr").read_bytes()
    config = load(desk.device.config)
    before_files = replace(config.identity, certificates=CertificateSource.EST)
    capture = Evidence(replace(config, identity=before_files), device_key(layout)[0])

    with control.serve(layout.capture_socket, lambda *_: {"request": capture.request()}):
        assert desk.ask() == 75

    assert "the evidence request is not as this configuration needs it" in desk.said()
    assert desk.folder.joinpath("van-7-evidence.csr").read_bytes() == before


def test_evidence_without_emailprotection_is_kept_for_records_alone(desk: Desk) -> None:
    plain = desk.file("evidence.pem", desk.issue(Use.EVIDENCE, purposes=()))
    desk.answer(plain)

    assert "photos have no Content Credentials: " in desk.said()
    assert desk.bench.has_evidence_for_its_key()


def test_device_without_tls_certificate_is_not_finished(desk: Desk) -> None:
    assert desk.answer(desk.file("evidence.pem", desk.issue(Use.EVIDENCE))) == 75

    assert "none yet, so the device cannot reach the backend" in desk.said()
    assert desk.server.paths() == []


def test_backend_that_does_not_answer_leaves_what_was_taken(desk: Desk) -> None:
    desk.server.fleet = None

    assert desk.answer(desk.file("tls.pem", desk.issue(Use.TLS))) == 75

    assert desk.bench.is_enrolled()
    assert "evidence          none yet" in desk.said()


def test_certificates_of_authorities_alone_are_no_answer(desk: Desk) -> None:
    desk.answer(desk.file("tls.pem", desk.issue(Use.TLS)))
    desk.said()

    assert desk.answer(desk.file("ca.pem", desk.server.authority.certificate)) == 65

    assert "none of this device's certificates is in these files" in desk.said()


@pytest.mark.parametrize("content", [b"", b"no certificate", b"\xff\x00"], ids=str)
def test_file_without_a_certificate_is_named(desk: Desk, content: bytes) -> None:
    file = desk.device.folder / "odd.pem"
    file.write_bytes(content or desk.issue(Use.TLS).public_bytes(Encoding.DER))

    assert desk.answer(str(file)) == 65

    assert "odd.pem: no certificates in it" in desk.said()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "`doorstep enrol --csr DIR` writes the requests"),
        (["https://127.0.0.1:9"], "URL, --token, --ca-sha256 and --renew are for an EST server"),
        (["--renew", "--csr", "x"], "URL, --token, --ca-sha256 and --renew are for an EST server"),
        (["--csr", "x", "--certificate", "y"], "give one of both"),
        (["--certificate", "missing.pem"], "missing.pem: No such file"),
        (["--csr", "/dev/null/csr"], "--csr names a folder for requests"),
    ],
)
def test_command_line_that_does_not_fit_is_refused(desk: Desk, words: list[str], said: str) -> None:
    before = desk.bench.kept()

    assert desk.run(*words) == 2

    assert said in desk.said()
    assert desk.bench.kept() == before


@pytest.mark.parametrize("words", [["--csr", "x"], ["--certificate", "y"], []])
def test_device_that_asks_a_server_takes_no_files(bench: Bench, words: list[str]) -> None:
    assert main(["enrol", *words, "--config", str(bench.device.config)]) == 2

    assert bench.server.url in bench.said()
