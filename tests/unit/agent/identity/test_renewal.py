"""Renewal: each certificate in good time, and what is said when it does not go."""

import errno
import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from agent.config import Config, ServeSettings, load
from agent.identity.authorities import DUE_AT
from agent.identity.capture_certificates import Evidence, ServeCertificate
from agent.identity.device_key import device_key
from agent.identity.est import EstClient
from agent.identity.renewal import BACK_OFF_CAP_S, LOOK_S, SOON_S, SPREAD, Renewal
from agent.identity.tls_identity import IdentityStore, TlsIdentity
from agent.process.control import Line
from agent.queue.disk import lock
from agent.record import certificates, signing
from agent.record.certificates import Certificate, Expected
from agent.status.troubles import Trouble
from agent.sync.downloads import Downloads
from agent.trust.store import TrustStore
from agent.wire import tls
from tests.support.authority import YEAR, certs_only, new_authority
from tests.support.device import Device
from tests.support.est import Answered, Asked, EstServer, est_server, requested, required
from tests.support.sending import QUICK

NAME = "van-7.vans.example"
FLEET_KEY = signing.new_key().public_key()


@dataclass
class RenewingDevice:
    """An enrolled device whose capture answers, and its renewal."""

    server: EstServer
    config: Config
    device: Device
    renewal: Renewal
    capture: "Capture"
    now_s: float = 1000.0

    def install(self, age_days: float, life: timedelta = YEAR, **how: Any) -> TlsIdentity:
        key, issue = signing.new_key(), self.server.authority.issue
        starts = datetime.now(UTC) - timedelta(days=age_days)
        leaf = issue(key.public_key(), "van-7", starts=starts, life=life, **how)
        made = TlsIdentity(key, (leaf,))
        IdentityStore(self.device.layout).install(made)
        return made

    def identity(self) -> TlsIdentity:
        trusted = (self.server.authority.certificate,)
        found = IdentityStore(self.device.layout).read(Expected("van-7", trusted))
        assert found is not None
        return found

    def tick(self, after_s: float = 0.0) -> str:
        """Let the renewal look, `after_s` later; returns what is wrong then, "" for nothing."""
        self.now_s += after_s
        self.renewal.tick(self.now_s)
        return self.renewal.status()["identity_trouble"] or ""

    def kept(self, kind: str) -> list[Certificate]:
        """Return the certificates in `trust/` for `evidence` or for `serve`."""
        trust = TrustStore(self.device.layout)
        chain = trust.certificate(kind)
        return [] if chain is None else list(certificates.read_pem(chain))


@dataclass
class Capture:
    """Answers as the capture process does, unless it does not run."""

    evidence: Evidence
    serve: ServeCertificate
    runs: bool = True
    asked: list[Line] = field(default_factory=list)

    def __call__(self, line: Line) -> Line | None:
        self.asked.append(line)
        if not self.runs:
            return None
        if "request" in line:
            return {"request": self.evidence.request()}
        if line["offer"] == "serve":
            return self.serve.offer(line["text"]).reply()
        return self.evidence.offer(line["text"]).reply()


@pytest.fixture
def van(tmp_path: Path) -> Iterator[RenewingDevice]:
    with est_server(tmp_path / "est") as server:
        tables = required(server, tmp_path / "van", FLEET_KEY)
        device = Device(tmp_path / "van", **tables, serve={"names": [NAME]})
        device.layout.make()
        config = load(device.config)
        evidence = Evidence(config, device_key(device.layout)[0])
        capture = Capture(evidence, ServeCertificate(config))
        server.given = {NAME}
        with closing(EstClient(config.est, tls.for_est(config), QUICK)) as est:
            renewal = Renewal(config, est, random.Random(1), capture)
            yield RenewingDevice(server, config, device, renewal, capture)


@pytest.mark.parametrize("age_days", [260, 364, 366, 2_000])
def test_old_and_expired_certificates_are_renewed_with_a_new_key(
    van: RenewingDevice, age_days: int
) -> None:
    before = van.install(age_days)

    assert not van.tick()

    after = van.identity()
    assert after.key.public_key() != before.key.public_key()
    assert after.ends > datetime.now(UTC) + timedelta(days=300)
    assert van.server.paths()[0] == "simplereenroll"
    assert van.server.asked[0].peer == before.chain[0]
    assert van.server.asked[0].login is None
    assert van.server.asked[1].peer == after.chain[0]


def test_the_status_names_a_certificate_that_is_missing_or_has_ended(van: RenewingDevice) -> None:
    downloads = Downloads(renewal=van.renewal)
    missing = downloads.blocked_reason(Trouble.NO_NETWORK, None)
    van.install(364)
    van.server.script = lambda _: Answered(503)
    van.tick()
    young = downloads.blocked_reason(Trouble.NO_NETWORK, None)
    van.install(366)
    van.tick(3_601)
    old = downloads.blocked_reason(Trouble.NO_NETWORK, None)

    assert (missing, young, old) == (
        Trouble.NOT_ENROLLED,
        Trouble.NO_NETWORK,
        Trouble.CERTIFICATE,
    )


def test_fleet_that_enrolled_in_one_day_does_not_renew_in_one(van: RenewingDevice) -> None:
    """In the midst of the spread some have renewed, and some have not."""
    renewed = 0
    for seed in range(20):
        before = van.install(365 * (DUE_AT + SPREAD / 2))
        with closing(EstClient(van.config.est, tls.for_est(van.config), QUICK)) as est:
            Renewal(van.config, est, random.Random(seed), lambda _: None).tick(0.0)
        renewed += van.identity().chain != before.chain

    assert 4 <= renewed <= 16


def test_next_look_is_in_an_hour(van: RenewingDevice) -> None:
    van.install(0)
    van.tick()
    asked = len(van.capture.asked)

    van.tick(LOOK_S - 1)
    assert len(van.capture.asked) == asked
    van.tick(1)
    assert len(van.capture.asked) == asked + 1


def test_expired_certificate_that_is_not_renewed_is_reported_and_tried_again(
    van: RenewingDevice,
) -> None:
    before = van.install(400)
    van.server.script = lambda _: Answered(403, b"certificate expired")

    trouble = van.tick()

    assert "the TLS certificate ended on" in trouble
    assert 'simplereenroll was answered 403 "certificate expired"' in trouble
    assert "`doorstep enrol` with a new token" in trouble
    assert van.identity().chain == before.chain
    van.server.script = lambda _: None
    assert not van.tick(BACK_OFF_CAP_S)
    assert van.identity().chain != before.chain


def test_failures_are_tried_again_ever_more_slowly_up_to_an_hour(van: RenewingDevice) -> None:
    van.install(300)
    van.server.script = lambda _: Answered(503)
    times = []
    van.tick()
    van.tick(SOON_S / 2 - 1)
    assert van.server.paths().count("simplereenroll") == 1
    van.server.asked.clear()
    for _ in range(40):
        before = van.server.paths().count("simplereenroll")
        van.tick(60.0)
        times.append(van.server.paths().count("simplereenroll") - before)

    assert times[0] == 1
    assert 4 <= sum(times) <= 8
    van.tick(BACK_OFF_CAP_S)
    assert van.server.paths().count("simplereenroll") == sum(times) + 1


def test_lost_answer_gets_the_same_certificate_again(van: RenewingDevice) -> None:
    van.install(300)

    def lose(asked: Asked) -> Answered | None:
        van.server.script = lambda _: None
        van.server.answer(asked)
        return Answered(502)

    van.server.script = lose

    assert van.tick()
    assert not van.tick(60.0)

    assert len([label for _, label, _ in van.server.issued if label == "tls"]) == 1


def test_authority_that_decides_later_is_asked_when_it_says(van: RenewingDevice) -> None:
    van.install(300)

    def later(asked: Asked) -> Answered | None:
        is_renewal = asked.path.endswith("simplereenroll")
        return Answered(202, headers={"Retry-After": "600"}) if is_renewal else None

    van.server.script = later

    assert van.tick() == "asked for a certificate; the authority has not decided yet"
    van.tick(599)
    assert van.server.paths().count("simplereenroll") == 1
    van.server.script = lambda _: None
    assert not van.tick(1)


def test_device_that_was_not_enrolled_says_so_and_asks_nobody(van: RenewingDevice) -> None:
    assert "not enrolled" in van.tick()
    assert van.server.asked == []


def test_a_card_that_cannot_be_read_is_no_missing_certificate(
    van: RenewingDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: object) -> bool:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(IdentityStore, "is_there", fails)

    assert van.renewal.is_enrolled()


def test_once_it_is_enrolled_it_no_longer_says_that_it_is_not_and_looks_within_a_minute(
    van: RenewingDevice,
) -> None:
    for _ in range(8):
        van.tick(3600)
    assert not van.renewal.is_enrolled()

    van.install(0)

    assert van.renewal.is_enrolled()
    told = {"tls_until": None, "identity_trouble": None, "renewal_due": False}
    assert van.renewal.status() == told
    van.tick(60)
    assert van.renewal.status()["tls_until"] is not None


def test_corrupt_identity_says_what_to_do(van: RenewingDevice) -> None:
    van.install(0)
    (van.device.layout.sync_keys / "tls.pem").write_bytes(b"-----BEGIN")

    assert "tls.pem" in van.tick()
    assert van.server.asked == []


def test_missing_evidence_certificate_is_fetched_and_given_to_capture(van: RenewingDevice) -> None:
    van.install(0)

    assert not van.tick()

    (found,) = van.kept("evidence")
    assert certificates.ends(found).year == 9999
    assert van.server.paths() == ["evidence/simpleenroll"]
    assert not van.tick(LOOK_S)
    assert van.server.paths() == ["evidence/simpleenroll"]


def test_evidence_waits_for_capture(van: RenewingDevice) -> None:
    van.install(0)
    van.capture.runs = False
    assert not van.tick()
    assert van.server.asked == []
    van.capture.runs = True

    assert not van.tick(60)

    assert van.kept("evidence")


def test_new_signing_key_gets_a_certificate_of_its_own(van: RenewingDevice) -> None:
    van.install(0)
    van.tick()
    (van.device.layout.capture_keys / "device.pem").unlink()
    key, _ = device_key(van.device.layout)
    van.capture.evidence = Evidence(van.config, key)

    assert not van.tick(LOOK_S)

    (found,) = van.kept("evidence")
    assert certificates.is_for(found, key.public_key())


def test_authority_without_the_label_is_reported_and_holds_nothing_up(van: RenewingDevice) -> None:
    van.install(300)

    def no_labels(asked: Asked) -> Answered | None:
        return Answered(404) if "evidence" in asked.path else None

    van.server.script = no_labels

    assert "evidence/simpleenroll was answered 404" in van.tick()
    assert van.identity().ends > datetime.now(UTC) + timedelta(days=300)


# --- serve's


def serve_request(van: RenewingDevice) -> signing.PublicKey:
    """As `doorstep enrol` leaves it."""
    key = signing.new_key()
    asked = certificates.request(key, "van-7", [NAME])
    van.capture.serve.ask_with(certificates.request_pem(asked))
    return key.public_key()


def test_missing_serve_certificate_is_fetched_after_a_cut_or_a_refusal(van: RenewingDevice) -> None:
    """The request is in `trust/`: certificates that enrolment did not get come by themselves."""
    van.install(0)
    key = serve_request(van)
    van.server.given = set()
    trouble = van.tick()
    assert "serve/simpleenroll was answered 403" in trouble
    van.server.given = {NAME}

    assert not van.tick(BACK_OFF_CAP_S)

    (found,) = van.kept("serve")
    assert certificates.is_for(found, key)
    assert certificates.names_of(found) == {NAME}


def keep(van: RenewingDevice, kind: str, age_days: float) -> tuple[signing.PublicKey, Certificate]:
    """A certificate for capture that ends a year after it began, as a fleet may give it."""
    starts = datetime.now(UTC) - timedelta(days=age_days)
    issue, trust = van.server.authority.issue, TrustStore(van.device.layout)
    if kind == "serve":
        key = serve_request(van)
        made = issue(key, "van-7", server=True, names=[NAME], starts=starts)
        trust.keep_certificate("serve", certificates.pem([made]))
    else:
        key = device_key(van.device.layout)[0].public_key()
        made = issue(key, "van-7", evidence=True, starts=starts)
        trust.keep_certificate("evidence", certificates.pem([made]))
    return key, made


@pytest.mark.parametrize(("age_days", "is_renewed"), [(240, False), (260, True), (400, True)])
@pytest.mark.parametrize("kind", ["evidence", "serve"])
def test_certificate_for_capture_is_renewed_at_two_thirds_with_the_same_key(
    van: RenewingDevice, kind: str, age_days: float, *, is_renewed: bool
) -> None:
    van.install(0)
    key, before = keep(van, kind, age_days)

    assert not van.tick()

    (after,) = van.kept(kind)
    assert certificates.is_for(after, key)
    assert (after != before) is is_renewed
    assert van.server.paths().count(f"{kind}/simpleenroll") == is_renewed


def test_evidence_certificate_by_a_former_authority_is_replaced_at_once(
    van: RenewingDevice,
) -> None:
    van.install(0)
    key = device_key(van.device.layout)[0].public_key()
    before = new_authority("former").issue(key, "van-7", evidence=True)
    TrustStore(van.device.layout).keep_certificate("evidence", certificates.pem([before]))

    assert not van.tick()

    assert van.kept("evidence") != [before]


def test_evidence_certificate_that_is_for_tls_too_is_replaced_at_once(van: RenewingDevice) -> None:
    """Records by its key do not count until there is another."""
    van.install(0)
    key = device_key(van.device.layout)[0].public_key()
    both = (ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.CLIENT_AUTH)
    before = van.server.authority.issue(key, "van-7", evidence=True, purposes=both)
    TrustStore(van.device.layout).keep_certificate("evidence", certificates.pem([before]))

    assert not van.tick()

    assert van.kept("evidence") != [before]


def test_tls_certificate_that_no_release_would_take_now_stays_until_its_end(
    van: RenewingDevice,
) -> None:
    """A device whose authority names no purpose still delivers after an update, and says why."""
    before, authority = van.install(300, purposes=()), van.server.authority

    def bare(asked: Asked) -> Answered | None:
        if "simplereenroll" not in asked.path:
            return None
        key = requested(asked).public_key()
        assert isinstance(key, signing.PublicKey)
        return Answered(200, certs_only([authority.issue(key, "van-7", purposes=())]))

    van.server.script = bare

    assert "not renewed yet" in (said := van.tick())
    assert "no clientAuth" in said
    assert van.identity().chain == before.chain
    van.server.script = lambda _: None
    assert not van.tick(BACK_OFF_CAP_S)
    assert van.identity().chain != before.chain


def test_serve_certificate_for_another_question_is_replaced_at_once(van: RenewingDevice) -> None:
    van.install(0)
    _, before = keep(van, "serve", 0)
    key = serve_request(van)

    assert not van.tick()

    (after,) = van.kept("serve")
    assert after != before
    assert certificates.is_for(after, key)


def test_offer_that_capture_does_not_take_is_reported(van: RenewingDevice) -> None:
    van.install(0)
    serve_request(van)

    def others(asked: Asked) -> Answered | None:
        if "/serve/" not in asked.path:
            return None
        key = requested(asked).public_key()
        assert isinstance(key, signing.PublicKey)
        made = van.server.authority.issue(key, "van-7", server=True, names=[NAME])
        serve_request(van)  # meanwhile somebody enrols it anew
        return Answered(200, certs_only([made]))

    van.server.script = others

    assert "serve certificate: capture did not take it: for another key" in van.tick()
    assert not van.kept("serve")


def test_device_without_names_renews_nothing_for_serve(van: RenewingDevice) -> None:
    van.install(0)
    serve_request(van)
    van.renewal._config = replace(van.config, serve=ServeSettings())  # noqa: SLF001

    assert not van.tick()

    assert "serve/simpleenroll" not in van.server.paths()


def test_renewals_take_turns_with_somebody_at_the_bench(van: RenewingDevice) -> None:
    van.install(300)
    with lock(van.device.layout.sync_keys, exclusive=True, wait=False):
        assert "held by another process" in van.tick()
    assert "simplereenroll" not in van.server.paths()


# As files


def test_person_is_warned_at_two_thirds_and_no_server_is_asked(van: RenewingDevice) -> None:
    van.renewal = Renewal(van.config, None, random.Random(1), van.capture)
    keep(van, "evidence", 0)
    van.install(365 * DUE_AT - 1)
    assert (van.tick(), is_due(van)) == ("", False)

    van.install(365 * DUE_AT + 1)
    said = van.tick(LOOK_S)
    assert said.startswith("renew the TLS certificate by hand: it ends on ")
    assert is_due(van)

    van.install(366)
    assert "it ended on " in van.tick(SOON_S)
    van.install(0)
    assert (van.tick(SOON_S), is_due(van)) == ("", False)
    assert (van.server.asked, van.capture.asked) == ([], [])


def test_person_is_warned_of_a_certificate_that_never_came(van: RenewingDevice) -> None:
    """Without evidence, the device delivers, but nothing proves whose records these are."""
    van.renewal = Renewal(van.config, None, random.Random(1), van.capture)
    assert not is_due(van)
    assert van.tick().startswith("not enrolled")
    assert not is_due(van)

    van.install(0)
    assert van.tick(SOON_S) == "no evidence certificate counts: have one made by hand"
    assert is_due(van)

    keep(van, "evidence", 0)
    assert (van.tick(SOON_S), is_due(van)) == ("", False)
    serve_request(van)
    assert van.tick(LOOK_S) == "no serve certificate counts: have one made by hand"


@pytest.mark.parametrize("kind", ["evidence", "serve"])
def test_person_is_warned_of_the_certificates_of_others_too(van: RenewingDevice, kind: str) -> None:
    van.renewal = Renewal(van.config, None, random.Random(1), van.capture)
    van.install(0)
    keep(van, "evidence", 0)
    keep(van, kind, 250)

    assert van.tick().startswith(f"renew the {kind} certificate by hand: it ends on ")
    assert is_due(van)


def is_due(van: RenewingDevice) -> bool:
    return van.renewal.status()["renewal_due"] is True
