"""`doorstep enrol` and what `doorstep serve` shows: key, request, certificate, step by step."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.command.doctor.finding import Level
from agent.record import certificates, signing
from agent.trust.store import TrustStore
from tests.support.est import Answered, required
from tests.unit.agent.command import inprocess
from tests.unit.agent.command.enrolling import FLEET_KEY, Bench

NAMES = ["van-7.vans.example", "10.8.0.7"]
LABEL = "serve/simpleenroll"


@pytest.fixture
def serving(bench: Bench) -> Bench:
    """The office has given it its names."""
    bench.server.given = {*NAMES, "second.example"}
    configure(bench, NAMES)
    return bench


def configure(bench: Bench, names: list[str], *clients: str) -> None:
    tables = required(bench.server, bench.device.folder, FLEET_KEY.public_key())
    bench.device.configure(**tables, serve={"names": names, "clients": clients})


def certificate(bench: Bench) -> certificates.Certificate:
    text = TrustStore(bench.device.layout).certificate("serve")
    assert text is not None
    return certificates.read_pem(text)[0]


def key_file(bench: Bench) -> Path:
    return bench.device.layout.serve_keys / "key.pem"


def files(bench: Bench) -> dict[str, bytes]:
    return {**bench.kept(), "serve": key_file(bench).read_bytes()}


def test_step_of_names_is_absent_without_names(bench: Bench) -> None:
    assert bench.enrol() == 0

    assert "serve" not in bench.said()
    assert LABEL not in bench.server.paths()
    assert list(bench.device.layout.serve_keys.iterdir()) == []
    assert not {"serve.csr", "serve.pem"} & {Path(name).name for name in bench.kept()}


def test_serve_gets_a_key_of_its_own_and_a_certificate_for_its_names(serving: Bench) -> None:
    assert serving.enrol() == 0

    found, identity = certificate(serving), serving.identity()
    key = signing.read_private_key(key_file(serving)).public_key()
    assert certificates.is_for(found, key)
    assert certificates.names_of(found) == set(NAMES)
    assert key != identity.key.public_key()
    assert key_file(serving).stat().st_mode & 0o777 == 0o600
    assert "serve             verified, and kept" in serving.said()
    assert serving.server.paths()[-1] == LABEL
    assert serving.server.asked[-1].peer == identity.chain[0]


def test_second_run_changes_nothing_and_asks_for_no_certificate_of_serve(serving: Bench) -> None:
    serving.enrol()
    before = files(serving)

    assert serving.enrol(token=None) == 0

    assert files(serving) == before
    assert serving.server.paths().count(LABEL) == 1
    assert "serve             certificate is there, until" in serving.said()
    assert serving.enrol("--renew", token=None) == 0
    assert serving.server.paths().count(LABEL) == 2


def test_changed_names_ask_again_with_the_same_key(serving: Bench) -> None:
    serving.enrol()
    before = key_file(serving).read_bytes()
    configure(serving, ["second.example"])

    assert serving.enrol(token=None) == 0

    assert certificates.names_of(certificate(serving)) == {"second.example"}
    assert key_file(serving).read_bytes() == before


@pytest.mark.parametrize("label", ["serve", "evidence"])
def test_authority_without_a_label_is_reported_and_the_rest_is_done(
    serving: Bench, label: str
) -> None:
    serving.answers(f"{label}/simpleenroll", Answered(404, b"not found"))

    assert serving.enrol() == 0

    said = serving.said()
    without = {"serve": "nobody can ask `doorstep serve`", "evidence": "photos go without a"}
    assert f"this authority has no label `{label}`: {without[label]}" in said
    assert "the rest is done" in said
    assert bool(serving.evidence()) is (label != "evidence")
    assert serving.fleet_version() == 1


def test_name_that_the_office_did_not_give_is_reported_and_the_rest_is_done(serving: Bench) -> None:
    serving.server.given = {NAMES[0]}

    assert serving.enrol() == 65

    said = serving.said()
    assert 'serve/simpleenroll was answered 403 "not given that name"' in said
    assert "`devices names` at the office gives this device what serve.names asks for" in said
    assert "not finished: see above" in said
    assert serving.evidence()
    assert serving.fleet_version() == 1
    serving.server.given = set(NAMES)
    assert serving.enrol(token=None) == 0
    assert certificate(serving)


def test_key_that_cannot_be_read_is_said_with_what_to_do(serving: Bench) -> None:
    serving.device.layout.make()
    key_file(serving).write_bytes(b"-----BEGIN")

    assert serving.enrol() == 70

    said = serving.said()
    assert "key.pem" in said
    assert "move it away and run this again" in said
    key_file(serving).unlink()
    assert serving.enrol() == 0


@pytest.mark.parametrize("lost", ["request and certificate", "key"])
def test_files_that_a_cut_left_out_are_made_again(serving: Bench, lost: str) -> None:
    """With the key that is there; and while the certificate is an older key's, for the new one."""
    serving.enrol()
    before, trust = key_file(serving).read_bytes(), serving.device.layout.trust
    gone = [key_file(serving)] if lost == "key" else [trust / "serve.csr", trust / "serve.pem"]
    for path in gone:
        path.unlink()

    assert serving.enrol(token=None) == 0

    key = signing.read_private_key(key_file(serving)).public_key()
    assert certificates.is_for(certificate(serving), key)
    assert (key_file(serving).read_bytes() == before) is (lost != "key")


# What doctor says of it


def found(bench: Bench) -> list[tuple[Level, str]]:
    return inprocess.found(bench.device, "serve")


def test_doctor_says_nothing_where_nobody_wants_to_ask(bench: Bench) -> None:
    assert found(bench) == []


def test_doctor_says_what_is_missing_and_what_to_do(serving: Bench) -> None:
    configure(serving, NAMES, "puller")
    ((level, words),) = found(serving)
    assert level is Level.FAILED
    assert f"no certificate yet; `doorstep enrol {serving.server.url}`" in words

    serving.enrol()
    ((level, words),) = found(serving)
    assert level is Level.OK
    assert words.startswith("certificate until ")
    assert words.endswith(f" for {', '.join(sorted(NAMES))}")

    configure(serving, [*NAMES, "second.example"])
    (level, words), nobody = found(serving)
    assert level is Level.FAILED
    assert "its certificate is not for second.example" in words
    assert nobody == (Level.NOTE, "serve.clients is empty: everybody who asks is refused")


@pytest.mark.parametrize(
    ("age_days", "level", "words"),
    [
        (335.5, Level.NOTE, "sync should have renewed it"),
        (366, Level.FAILED, "its certificate ended on"),
    ],
)
def test_doctor_knows_when_it_ends(
    serving: Bench, age_days: float, level: Level, words: str
) -> None:
    serving.enrol()
    key = signing.read_private_key(key_file(serving)).public_key()
    starts = datetime.now(UTC) - timedelta(days=age_days)
    made = serving.server.authority.issue(key, "van-7", server=True, names=NAMES, starts=starts)
    TrustStore(serving.device.layout).keep_certificate("serve", certificates.pem([made]))

    (told, said), *_ = found(serving)
    assert (told, words in said) == (level, True)
