"""What doctor and status say of an identity: how it is, until when, and what to do."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agent.command import doctor, openings
from agent.command.doctor.finding import Level
from agent.config import load
from agent.identity.tls_identity import Identity, IdentityStore
from agent.process import control
from agent.queue.database import Database
from agent.record import certificates, signing
from agent.status import document as status
from agent.status.reading import SyncSays
from agent.status.values import Status, Sync, plain
from agent.status.words import identity_words, lines
from agent.trust.store import TrustStore
from tests.support.authority import YEAR
from tests.support.device import Device
from tests.support.est import Answered, Asked, EstServer, est_server, required
from tests.unit.agent.command.inprocess import run


@dataclass
class Van:
    server: EstServer
    device: Device

    def install(self, age_days: float) -> Identity:
        key = signing.new_key()
        starts = datetime.now(UTC) - timedelta(days=age_days)
        leaf = self.server.authority.issue(key.public_key(), "van-7", starts=starts)
        made = Identity(key, (leaf,))
        IdentityStore(self.device.layout).install(made)
        return made

    def keep_evidence(self, life: timedelta | None = None) -> None:
        key = signing.new_key().public_key()
        issue = self.server.authority.issue
        found = (
            issue(key, "van-7", evidence=True)
            if life is None
            else issue(key, "van-7", starts=datetime.now(UTC) - YEAR, life=YEAR + life)
        )
        TrustStore(self.device.layout).keep_evidence(certificates.pem([found]))

    def found(self, check: str = "identity") -> list[tuple[Level, str]]:
        findings = doctor.examine(self.device.config)
        return [(one.level, one.words) for one in findings if one.check == check]

    def status(self, sync: dict[str, Any] | None, capture: dict[str, Any] | None = None) -> Status:
        config = load(self.device.config)
        layout = self.device.layout
        with closing(Database(layout, migrates=True)) as first, first.look():
            pass
        with ExitStack() as running, openings.open_queue(config) as outbox:
            for socket, told in ((layout.sync_socket, sync), (layout.capture_socket, capture)):
                if told is not None:
                    running.enter_context(control.serve(socket, partial(_told, told)))
            return status.document(config, status.queue_part(outbox))


@pytest.fixture
def van(tmp_path: Path) -> Iterator[Van]:
    with est_server(tmp_path / "est") as server:
        server.script = _no_record
        key = signing.new_key().public_key()
        device = Device(tmp_path / "van", **required(server, tmp_path / "van", key))
        device.layout.make()
        yield Van(server, device)


def _told(told: dict[str, Any], *_: object) -> dict[str, Any]:
    return dict(told)


def _no_record(asked: Asked) -> Answered | None:
    return Answered(404) if asked.path.startswith("/files/") else None


def test_off_is_said(tmp_path: Path) -> None:
    device = Device(tmp_path)

    (finding,) = (one for one in doctor.examine(device.config) if one.check == "identity")

    assert finding.level is Level.NOTE
    assert "identity.mode is off" in finding.words


def test_sound_identity_is_told_with_its_ends(van: Van) -> None:
    van.install(0)
    van.keep_evidence()

    found = van.found()

    assert [level for level, _ in found] == [Level.OK, Level.OK]
    assert "TLS certificate until 20" in found[0][1]
    assert found[1][1] == "evidence certificate until 9999-12-31"
    assert van.found("backend") == [(Level.OK, f"{van.server.url} answers")]
    assert van.server.asked[0].peer is not None


def test_device_that_is_not_enrolled_is_told_how(van: Van) -> None:
    (level, words), (noted, evidence) = van.found()

    assert level is Level.FAILED
    assert words.startswith("not enrolled: no TLS certificate; get a one-time token (`devices add")
    assert words.endswith(f"then `sudo doorstep enrol {van.server.url}`")
    assert noted is Level.NOTE
    assert "no evidence certificate yet" in evidence
    assert "not enrolled" in van.found("backend")[0][1]


def test_device_that_is_not_enrolled_is_told_so_once_while_sync_runs(van: Van) -> None:
    said = {"hindrance": "not_enrolled", "identity_trouble": "not enrolled: no certificate"}

    with control.serve(van.device.layout.sync_socket, partial(_told, said)):
        found = van.found()

    assert [words for _, words in found if "not enrolled" in words] == [found[0][1]]


@pytest.mark.parametrize(
    ("said", "level", "words"),
    [
        ({"hindrance": "not_enrolled"}, Level.FAILED, "not enrolled: no TLS certificate"),
        ({"hindrance": None}, Level.NOTE, "not looked at"),
    ],
    ids=str,
)
def test_whoever_may_not_see_the_keys_is_told_what_sync_says(
    van: Van, monkeypatch: pytest.MonkeyPatch, said: dict[str, Any], level: Level, words: str
) -> None:
    monkeypatch.setattr("agent.command.doctor.network_check._is_ours", lambda _: False)

    with control.serve(van.device.layout.sync_socket, partial(_told, said)):
        (identity_,), (backend,), (fleet,) = map(van.found, ("identity", "backend", "fleet"))

    assert identity_[0] is level
    assert identity_[1].startswith(words)
    assert "not looked at" in backend[1]
    assert ("`doorstep enrol` fetches it" in fleet[1]) is (level is Level.FAILED)


@pytest.mark.parametrize(
    ("age_days", "level", "words"),
    [
        (200, Level.OK, "TLS certificate until"),
        (250, Level.OK, "TLS certificate until"),
        (300, Level.NOTE, "sync should have renewed it"),
        (366, Level.FAILED, "the TLS certificate ended on"),
    ],
)
def test_end_of_the_tls_certificate(van: Van, age_days: int, level: Level, words: str) -> None:
    van.install(age_days)

    found = van.found()[0]

    assert found[0] is level
    assert words in found[1]


@pytest.mark.parametrize(
    ("left", "level", "words"),
    [
        (timedelta(days=31), Level.OK, "evidence certificate until"),
        (timedelta(days=29), Level.NOTE, "the evidence certificate ends on"),
        (timedelta(days=-1), Level.FAILED, "the evidence certificate ended on"),
    ],
)
def test_end_of_the_evidence_certificate(
    van: Van, left: timedelta, level: Level, words: str
) -> None:
    van.install(0)
    van.keep_evidence(left)

    found = van.found()[1]

    assert found[0] is level
    assert words in found[1]


def test_spoilt_identity_says_which_command_mends_it(van: Van) -> None:
    (van.device.layout.sync_keys / "tls.pem").write_bytes(b"-----BEGIN")

    level, words = van.found()[0]

    assert level is Level.FAILED
    assert "tls.pem" in words
    assert "doorstep enrol" in words


def test_revoked_device_hears_the_backends_words(van: Van) -> None:
    identity = van.install(0)
    van.server.script = lambda asked: Answered(403) if asked.method == "HEAD" else None
    van.server.revoked.add(identity.chain[0].serial_number)

    level, words = van.found("backend")[0]

    assert level is Level.FAILED
    assert 'it was answered 403 "certificate revoked"' in words
    assert "`doorstep enrol" in words


def test_what_sync_says_is_quoted(van: Van) -> None:
    van.install(0)
    van.keep_evidence()
    said = {"state": "idle", "identity_trouble": "evidence/simpleenroll was answered 404"}

    with control.serve(van.device.layout.sync_socket, lambda *_: dict(said)):
        found = van.found()

    assert found[-1] == (Level.NOTE, "sync says: evidence/simpleenroll was answered 404")


@pytest.mark.parametrize("clock", ["moon", [1], None, "gnss"])
def test_whatever_is_said_at_the_sockets_doctor_tells_it_and_commands_no_terminal(
    van: Van, capsys: pytest.CaptureFixture[str], clock: object
) -> None:
    """sync may be somebody else's, and who asks is root."""
    strange = "\x1b]0;x\x07\n\x1b[2J"
    said = {"clock": clock, "ready": [1], "position": {"a": 1}, "manifest_refused": strange}
    said |= {"identity_trouble": strange, "fleet": strange, "fleet_refused": [1]}
    layout = van.device.layout

    with (
        control.serve(layout.capture_socket, lambda *_: dict(said)),
        control.serve(layout.sync_socket, lambda *_: dict(said)),
    ):
        run(van.device, "doctor")

    told = capsys.readouterr().out.splitlines()
    assert any("sync says:  ]0;x" in line for line in told)
    assert all(line.isprintable() for line in told)


# --- the status


def test_status_tells_mode_ends_and_trouble(van: Van) -> None:
    by_sync = {"state": "idle", "tls_until": "2027-11-26T05:40:01.000Z", "identity_trouble": None}
    by_capture = {"evidence_until": "9999-12-31T23:59:59.000Z", "serve_until": None}

    made = van.status(by_sync, by_capture)

    told = plain(made)
    assert told["identity"] == {
        "mode": "required",
        "tls_until": "2027-11-26T05:00:00.000Z",
        "evidence_until": "9999-12-31T23:00:00.000Z",
        "serve_until": None,
        "trouble": None,
    }
    assert "tls_until" not in told["sync"]
    assert "evidence_until" not in told["capture"]
    words = "certificates: TLS until 2027-11-26, evidence until 9999-12-31"
    assert f"identity  {words}" in list(lines(made))


@pytest.mark.parametrize(
    ("sync", "trouble", "words"),
    [
        (
            None,
            None,
            (
                "the evidence certificate is not known while capture does not answer; "
                "the TLS certificate is not known while sync does not answer"
            ),
        ),
        (
            {"identity_trouble": "not enrolled", "pause": "x"},
            "not enrolled",
            "the evidence certificate is not known while capture does not answer; not enrolled",
        ),
        (
            {"tls_until": "2027-11-26T05:40:01.000Z"},
            None,
            (
                "certificates: TLS until 2027-11-26; "
                "the evidence certificate is not known while capture does not answer"
            ),
        ),
    ],
)
def test_status_says_what_is_wrong_with_the_identity(
    van: Van, sync: dict[str, Any] | None, trouble: str | None, words: str
) -> None:
    made = van.status(sync)

    assert made.identity.trouble == trouble
    assert f"identity  {words}" in list(lines(made))


def test_status_without_identity_says_so(tmp_path: Path) -> None:
    config = load(Device(tmp_path).config)

    found = status.identity(config, None, SyncSays(Sync(state="idle")))

    assert plain(found) == {"mode": "off"}
    assert "anybody may say that they are this device" in identity_words(found)


def test_clock_before_the_build_date_is_said_plainly() -> None:
    assert status.wrong_clock(datetime(1971, 1, 1, tzinfo=UTC)) == (
        "the clock says 1971-01-01, which is past: no certificate can be judged by it"
    )
    assert status.wrong_clock() is None
