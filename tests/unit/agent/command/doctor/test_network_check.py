"""The doctor's findings on an identity: its state, its end, and the remedy."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.command.doctor.finding import Level
from agent.config import load
from agent.identity.tls_identity import IdentityStore, TlsIdentity
from agent.process import control
from agent.record import certificates, signing
from agent.status import document as status
from agent.status import reading
from agent.status.reading import CaptureReport, SyncReport
from agent.status.values import plain
from agent.status.words import identity_words
from agent.trust.store import TrustStore
from tests.support.authority import YEAR
from tests.support.device import Device
from tests.support.est import Answered, EstServer, est_server, required
from tests.unit.agent.command import inprocess


@dataclass
class Enrolled:
    """A device, and the server that lets it in."""

    server: EstServer
    device: Device

    def install(self, age_days: float) -> TlsIdentity:
        key = signing.new_key()
        starts = datetime.now(UTC) - timedelta(days=age_days)
        leaf = self.server.authority.issue(key.public_key(), "van-7", starts=starts)
        made = TlsIdentity(key, (leaf,))
        IdentityStore(self.device.layout).install(made)
        return made

    def use_files(self) -> None:
        tables = required(self.server, self.device.folder, signing.new_key().public_key())
        tables["identity"]["certificates"] = "files"
        self.device.configure(**tables)

    def keep_evidence(self, life: timedelta | None = None, age_days: int = 365) -> None:
        key, age = signing.new_key().public_key(), timedelta(days=age_days)
        issue = self.server.authority.issue
        found = (
            issue(key, "van-7", evidence=True)
            if life is None
            else issue(key, "van-7", starts=datetime.now(UTC) - age, life=life, evidence=True)
        )
        TrustStore(self.device.layout).keep_certificate("evidence", certificates.pem([found]))

    def found(self, check: str = "identity") -> list[tuple[Level, str]]:
        return inprocess.found(self.device, check)


@pytest.fixture
def enrolled(tmp_path: Path) -> Iterator[Enrolled]:
    with est_server(tmp_path / "est") as server:
        server.script = lambda asked: (
            Answered(404) if asked.path.startswith("/files/") else None  # it has no such record
        )
        key = signing.new_key().public_key()
        device = Device(tmp_path / "van", **required(server, tmp_path / "van", key))
        device.layout.make()
        yield Enrolled(server, device)


def test_off_is_said(device: Device) -> None:
    ((level, words),) = inprocess.found(device, "identity")

    assert level is Level.NOTE
    assert "identity.mode is off" in words


def test_sound_identity_is_reported_with_its_ends(enrolled: Enrolled) -> None:
    enrolled.install(0)
    enrolled.keep_evidence()

    found = enrolled.found()

    assert [level for level, _ in found] == [Level.OK, Level.OK]
    assert "TLS certificate until 20" in found[0][1]
    assert found[1][1] == "evidence certificate until 9999-12-31"
    assert enrolled.found("backend") == [(Level.OK, f"{enrolled.server.url} answers")]
    assert enrolled.server.asked[0].peer is not None


def test_device_that_is_not_enrolled_is_reported_with_the_remedy(enrolled: Enrolled) -> None:
    """Also while sync runs and says the same."""
    (level, words), (noted, evidence) = enrolled.found()

    assert level is Level.FAILED
    assert words.startswith("not enrolled: no TLS certificate; get a one-time token (`devices add")
    assert words.endswith(f"then `sudo doorstep enrol {enrolled.server.url}`")
    assert noted is Level.NOTE
    assert "no evidence certificate yet" in evidence
    assert "not enrolled" in enrolled.found("backend")[0][1]
    said = {"hindrance": "not_enrolled", "identity_trouble": "not enrolled: no certificate"}
    with control.serve(enrolled.device.layout.sync_socket, lambda *_: dict(said)):
        assert enrolled.found() == [(level, words), (noted, evidence)]


@pytest.mark.parametrize(
    ("said", "level", "words"),
    [
        ({"hindrance": "not_enrolled"}, Level.FAILED, "not enrolled: no TLS certificate"),
        ({"hindrance": None}, Level.NOTE, "not looked at"),
    ],
    ids=str,
)
def test_user_who_may_not_see_the_keys_reads_what_sync_says(
    enrolled: Enrolled,
    monkeypatch: pytest.MonkeyPatch,
    said: dict[str, Any],
    level: Level,
    words: str,
) -> None:
    monkeypatch.setattr("agent.command.doctor.network_check._is_ours", lambda _: False)

    with control.serve(enrolled.device.layout.sync_socket, lambda *_: dict(said)):
        (identity_,), (backend,), (fleet,) = map(enrolled.found, ("identity", "backend", "fleet"))

    assert identity_[0] is level
    assert identity_[1].startswith(words)
    assert "not looked at" in backend[1]
    assert ("`doorstep enrol` fetches it" in fleet[1]) is (level is Level.FAILED)


@pytest.mark.parametrize(
    ("age_days", "level", "words"),
    [
        (250, Level.OK, "TLS certificate until"),
        (300, Level.NOTE, "sync should have renewed it"),
        (366, Level.FAILED, "the TLS certificate ended on"),
    ],
)
def test_end_of_the_tls_certificate(
    enrolled: Enrolled, age_days: int, level: Level, words: str
) -> None:
    enrolled.install(age_days)

    told, said = enrolled.found()[0]
    assert (told, words in said) == (level, True)


@pytest.mark.parametrize(
    ("left", "level", "words"),
    [
        (timedelta(days=31), Level.OK, "evidence certificate until"),
        (timedelta(days=29), Level.NOTE, "the evidence certificate ends on"),
        (timedelta(days=-1), Level.FAILED, "the evidence certificate ended on"),
    ],
)
def test_end_of_the_evidence_certificate(
    enrolled: Enrolled, left: timedelta, level: Level, words: str
) -> None:
    enrolled.keep_evidence(YEAR + left)

    told, said = enrolled.found()[1]
    assert (told, words in said) == (level, True)


@pytest.mark.parametrize(
    ("age_days", "level", "words"),
    [
        (243, Level.OK, "certificate until"),
        (244, Level.NOTE, "and its renewal is due; `doorstep enrol --csr DIR` writes"),
        (366, Level.FAILED, "`doorstep enrol --csr DIR` writes the requests"),
    ],
)
def test_certificates_as_files_are_renewed_by_hand(
    enrolled: Enrolled, age_days: int, level: Level, words: str
) -> None:
    enrolled.use_files()
    assert all("`doorstep enrol --csr DIR`" in said for _, said in enrolled.found())
    enrolled.install(age_days)
    enrolled.keep_evidence(YEAR, age_days)

    said_by_sync = {"identity_trouble": "renew it", "renewal_due": True}
    with control.serve(enrolled.device.layout.sync_socket, lambda *_: dict(said_by_sync)):
        found = enrolled.found()

    assert [told for told, _ in found] == [level, level]
    assert all(words in said for _, said in found)


def test_corrupt_identity_names_the_command_that_repairs_it(enrolled: Enrolled) -> None:
    (enrolled.device.layout.sync_keys / "tls.pem").write_bytes(b"-----BEGIN")

    level, words = enrolled.found()[0]

    assert level is Level.FAILED
    assert "tls.pem" in words
    assert "doorstep enrol" in words


def test_revoked_device_hears_the_backends_words(enrolled: Enrolled) -> None:
    identity = enrolled.install(0)
    enrolled.server.script = lambda asked: Answered(403) if asked.method == "HEAD" else None
    enrolled.server.revoked.add(identity.chain[0].serial_number)

    level, words = enrolled.found("backend")[0]

    assert level is Level.FAILED
    assert 'it was answered 403 "certificate revoked"' in words
    assert "`doorstep enrol" in words


@pytest.mark.parametrize("clock", ["moon", [1], None, "gnss"])
def test_doctor_repeats_any_socket_text_and_commands_no_terminal(
    enrolled: Enrolled, capsys: pytest.CaptureFixture[str], clock: object
) -> None:
    """sync may be somebody else's, and who asks is root."""
    strange = "\x1b]0;x\x07\n\x1b[2J"
    said = {"clock": clock, "ready": [1], "position": {"a": 1}, "manifest_refused": strange}
    said |= {"identity_trouble": strange, "fleet": strange, "fleet_refused": [1]}

    with (
        inprocess.capture_says(enrolled.device, **said),
        control.serve(enrolled.device.layout.sync_socket, lambda *_: dict(said)),
    ):
        inprocess.run(enrolled.device, "doctor")

    told = capsys.readouterr().out.splitlines()
    assert any("sync says:  ]0;x" in line for line in told)
    assert all(line.isprintable() for line in told)


# The status

SILENT_CAPTURE = "the evidence certificate is not known while capture does not answer"


@pytest.mark.parametrize(
    ("capture", "sync", "words"),
    [
        (
            CaptureReport(evidence_until="9999-12-31T23:59:59.000Z"),
            SyncReport(tls_until="2027-11-26T05:40:01.000Z"),
            "certificates: TLS until 2027-11-26, evidence until 9999-12-31",
        ),
        (
            None,
            None,
            f"{SILENT_CAPTURE}; the TLS certificate is not known while sync does not answer",
        ),
        (
            None,
            SyncReport(identity_trouble="not enrolled"),
            f"{SILENT_CAPTURE}; not enrolled",
        ),
        (
            None,
            SyncReport(tls_until="2027-11-26T05:40:01.000Z"),
            f"certificates: TLS until 2027-11-26; {SILENT_CAPTURE}",
        ),
    ],
    ids=["all well", "nobody answers", "not enrolled", "capture is silent"],
)
def test_status_says_until_when_the_certificates_are_valid_and_what_is_wrong(
    enrolled: Enrolled, capture: CaptureReport | None, sync: SyncReport | None, words: str
) -> None:
    made = status.identity(load(enrolled.device.config), capture, sync)
    silent = [name for name, told in (("capture", capture), ("sync", sync)) if told is None]

    assert identity_words(made, silent) == words


def test_status_tells_the_ends_of_certificates_to_the_hour(enrolled: Enrolled) -> None:
    layout, sync = enrolled.device.layout, {"tls_until": "2027-11-26T05:40:01.000Z"}

    with (
        inprocess.capture_says(enrolled.device, evidence_until="9999-12-31T23:59:59.000Z"),
        control.serve(layout.sync_socket, lambda *_: dict(sync)),
    ):
        by_capture, by_sync = reading.ask_capture(layout), reading.ask_sync(layout)

    assert isinstance(by_capture, CaptureReport)
    assert isinstance(by_sync, SyncReport)
    assert by_capture.evidence_until == "9999-12-31T23:00:00.000Z"
    assert by_sync.tls_until == "2027-11-26T05:00:00.000Z"


def test_status_without_identity_says_so(device: Device) -> None:
    found = status.identity(load(device.config), None, SyncReport())

    assert plain(found) == {"mode": "off"}
    assert "anybody may say that they are this device" in identity_words(found)


def test_clock_before_the_build_date_is_said_plainly() -> None:
    assert status.wrong_clock(datetime(1971, 1, 1, tzinfo=UTC)) == (
        "the clock says 1971-01-01, which is past: no certificate can be judged by it"
    )
    assert status.wrong_clock() is None
