"""`doorstep enrol`: step by step to an identity that works; what goes wrong loses nothing."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.command import enrol
from agent.identity.tls_identity import IdentityStore
from agent.record import certificates, signing
from agent.record.certificates import Expected
from hardware.clock import BUILT
from tests.support.authority import certs_only, new_authority
from tests.support.device import Device
from tests.support.est import Answered, Asked, est_server, requested, required
from tests.support.fleet_documents import fleet_document
from tests.unit.agent.command.enrolling import FLEET_KEY, Bench


def test_device_is_enrolled_in_five_steps(bench: Bench) -> None:
    began_s = time.monotonic()

    assert bench.enrol() == 0

    assert time.monotonic() - began_s < 5
    said = bench.said()
    for step in ("authority", "TLS certificate", "evidence", "fleet document", "enrolled: van-7"):
        assert step in said
    assert f"delete {bench.device.folder}/token: the token is used" in said
    assert "blue-42" not in said
    assert bench.has_evidence_for_its_key()
    assert certificates.ends(bench.evidence()[0]).year == 9999
    assert bench.fleet_version() == 1
    assert bench.server.paths() == ["simpleenroll", "evidence/simpleenroll", "/fleet"]
    keys = bench.device.layout.sync_keys.iterdir()
    assert {path.name: path.stat().st_mode & 0o777 for path in keys} == {"tls.pem": 0o600}


def test_bodies_are_wrapped_in_lines_and_have_a_length(bench: Bench) -> None:
    bench.enrol()

    first = bench.server.asked[0]
    assert max(map(len, first.body.split(b"\n"))) <= 76
    assert first.headers["Content-Length"] == str(len(first.body))
    assert first.headers["Content-Type"] == "application/pkcs10"
    assert "Transfer-Encoding" not in first.headers
    assert first.login == "van-7:blue-42"
    assert first.peer is None


def test_second_run_needs_no_token_and_changes_no_key(bench: Bench) -> None:
    bench.enrol()
    before = bench.kept()
    bench.server.script = lambda asked: Answered(304) if asked.path == "/fleet" else None

    assert bench.enrol(token=None) == 0

    assert bench.kept() == before
    assert "fleet document    is there, and is the newest" in bench.said()


def test_lost_answer_burns_no_token(bench: Bench) -> None:
    """The certificate was issued, the line was cut: the same request gets the same one."""

    def lose(asked: Asked) -> Answered:
        bench.server.script = lambda _: None
        bench.server.answer(asked)
        return Answered(500, b"lost on the way")

    bench.server.script = lose

    assert bench.enrol() == 75
    assert not bench.is_enrolled()
    assert bench.enrol() == 0

    assert [label for _, label, _ in bench.server.issued].count("tls") == 1


def test_authority_that_decides_later_is_asked_again_when_it_says(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    answers = [Answered(202, headers={"Retry-After": "7"}), Answered(202)]
    bench.server.script = lambda _: answers.pop(0) if answers else None

    assert bench.enrol() == 0

    assert waits == [7.0, 60.0]
    first, second, third = (requested(one).public_key() for one in bench.server.asked[:3])
    assert first == second == third


def test_authority_that_takes_a_day_to_decide_is_not_waited_for(bench: Bench) -> None:
    bench.server.script = lambda _: Answered(202, headers={"Retry-After": "86400"})

    assert bench.enrol() == 75

    assert "has not decided yet; have it approved, and run this again" in bench.said()
    bench.server.script = lambda _: None
    assert bench.enrol() == 0


@pytest.mark.parametrize("flaw", [{"server": True}, {"purposes": ()}, {"signs": False}], ids=str)
def test_certificate_that_no_client_may_show_is_refused(bench: Bench, flaw: dict[str, Any]) -> None:
    def issue(asked: Asked) -> Answered:
        key = requested(asked).public_key()
        assert isinstance(key, signing.PublicKey)
        return Answered(200, certs_only([bench.server.authority.issue(key, "van-7", **flaw)]))

    bench.answers("simpleenroll", issue)

    assert bench.enrol() == 65

    assert "the certificate does not count: not a certificate for TLS" in bench.said()
    assert not bench.is_enrolled()


def test_certificate_of_tomorrow_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.identity.authorities.is_synchronised", lambda: True)

    def issue(asked: Asked) -> Answered:
        key, starts = requested(asked).public_key(), datetime.now(UTC) + timedelta(days=1)
        assert isinstance(key, signing.PublicKey)
        made = bench.server.authority.issue(key, "van-7", starts=starts)
        return Answered(200, certs_only([made]))

    bench.answers("simpleenroll", issue)

    assert bench.enrol() == 65

    assert "not valid before" in bench.said()
    assert not bench.is_enrolled()


def test_chain_to_the_root_may_be_in_cacerts_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """RFC 7030 section 4.2.3: the answer is the one certificate that was issued."""
    root = new_authority("root")
    with est_server(tmp_path / "est", root.below("North"), root) as server:
        server.fleet = fleet_document(FLEET_KEY)
        server.alone = True
        tables = required(server, tmp_path / "van", FLEET_KEY.public_key())
        bench = Bench(Device(tmp_path / "van", **tables), server, capsys)

        assert bench.enrol() == 0

    found = IdentityStore(bench.device.layout).read(Expected("van-7", (root.certificate,)))
    assert found is not None
    assert found.chain[1:] == (server.authority.certificate,)
    assert bench.evidence()[1:] == (server.authority.certificate,)


def test_pinned_authority_is_fetched_and_written(bench: Bench) -> None:
    ca = bench.device.folder / "ca.pem"
    ca.unlink()
    pin = certificates.key_sha256(bench.server.authority.certificate)

    assert bench.enrol("--ca-sha256", pin) == 0

    assert certificates.read_pem(ca.read_bytes()) == (bench.server.authority.certificate,)
    assert ca.stat().st_mode & 0o777 == 0o644
    assert bench.enrol("--ca-sha256", pin.upper()) == 0


def test_pin_of_another_authority_installs_nothing(bench: Bench) -> None:
    ca = bench.device.folder / "ca.pem"
    ca.unlink()

    assert bench.enrol("--ca-sha256", "ab" * 32) == 65

    assert "is not the pinned one" in bench.said()
    assert not ca.exists()
    assert bench.server.paths() == ["cacerts"]


def test_renewal_on_request_gets_a_new_key_and_the_evidence_again(bench: Bench) -> None:
    bench.enrol()
    before = bench.identity()
    bench.server.asked.clear()

    assert bench.enrol("--renew", token=None) == 0

    after = bench.identity()
    assert after.key.public_key() != before.key.public_key()
    assert "longer than what the authority gives now" not in bench.said()
    assert bench.server.paths() == ["simplereenroll", "evidence/simpleenroll", "/fleet"]
    assert [one.peer for one in bench.server.asked[:2]] == [before.chain[0], after.chain[0]]


def test_expired_certificate_renews_itself(bench: Bench) -> None:
    bench.enrol()
    bench.expire()
    bench.server.asked.clear()

    assert bench.enrol(token=None) == 0

    assert bench.server.paths()[0] == "simplereenroll"
    assert bench.identity().ends > datetime.now(UTC)


@pytest.mark.parametrize("why", ["expired", "revoked"])
def test_device_that_the_authority_lets_in_no_more_is_let_in_again_by_a_new_token(
    bench: Bench, why: str
) -> None:
    bench.enrol()
    if why == "expired":
        bench.expire()
        bench.answers("simplereenroll", Answered(403, b"certificate expired"))
    else:
        bench.server.revoked.add(bench.identity().chain[0].serial_number)
    old, before = bench.identity(), bench.kept()

    assert bench.enrol(token=None) == 65

    said = bench.said()
    assert f"certificate {why}" in said
    assert "the new token comes into a file (--token FILE), or on standard input" in said
    assert bench.kept().items() >= before.items()
    bench.server.tokens["van-7"] = "green-7"
    assert bench.enrol(token="green-7") == 0
    assert bench.identity() != old
    assert bench.has_evidence_for_its_key()


@pytest.mark.parametrize("words", [[], ["--renew"]], ids=["enrol", "renew"])
@pytest.mark.parametrize("what", ["expired", "revoked"])
def test_new_token_helps_if_tls_itself_refuses_the_certificate(
    bench: Bench, what: str, words: list[str]
) -> None:
    """Such an authority gives no answer: the line is cut in the middle of the handshake."""
    bench.enrol()
    if what == "expired":
        bench.expire()
    old = bench.identity().chain
    bench.server.turn_away(*([old[0]] if what == "revoked" else []))
    bench.server.tokens["van-7"] = "green-7"
    bench.said()

    without = bench.enrol(*words, token=None)

    assert without == 75
    assert "put a new token into a file (--token FILE)" in bench.said()
    assert bench.identity().chain == old
    assert bench.enrol(*words, token="green-7") == 0
    assert bench.identity().chain != old


def test_backend_that_cannot_be_reached_uses_no_token_up(bench: Bench) -> None:
    """Such a backend says nothing of the certificate in use."""
    bench.enrol()
    bench.device.configure(
        identity={"mode": "required", "ca": "ca.pem", "fleet_key": "fleet-key.pem"}
        | {"est": bench.server.url},
        backend={"url": "https://127.0.0.1:9", "receipt_keys": []},
    )
    bench.server.tokens["van-7"] = "green-7"
    bench.said()

    assert bench.enrol(token="green-7") == 75

    said = bench.said()
    assert "TLS certificate   is there" in said
    assert "the token is used" not in said
    assert bench.server.used.keys() == {"blue-42"}


def test_authority_that_gives_less_than_before_leaves_the_better_evidence_and_all_is_done(
    bench: Bench,
) -> None:
    bench.enrol()
    before = bench.evidence()

    def less(asked: Asked) -> Answered:
        began = datetime.now(UTC) - timedelta(days=1)
        key = requested(asked).public_key()
        assert isinstance(key, signing.PublicKey)
        leaf = bench.server.authority.issue(key, "van-7", evidence=True, starts=began)
        return Answered(200, certs_only([leaf]))

    bench.answers("evidence/simpleenroll", less)
    bench.said()

    assert bench.enrol("--renew", token=None) == 0

    assert "the one that is kept counts until 9999-12-31, longer than" in bench.said()
    assert bench.evidence() == before


def test_fleet_document_that_is_not_there_yet_is_fetched_next_time(bench: Bench) -> None:
    bench.server.fleet = None

    assert bench.enrol() == 75
    assert "have it published, run this again" in bench.said()
    bench.server.fleet = fleet_document(FLEET_KEY, 4)

    assert bench.enrol() == 0
    assert bench.fleet_version() == 4


# The clock


@pytest.mark.parametrize(
    ("wrong_s", "waited_s", "told"),
    [
        (0, 0, []),
        (4, 4, ["1970-01-01", BUILT.date().isoformat()]),
        (61, 60, ["1970", "timedatectl"]),
    ],
)
def test_time_is_waited_for_at_most_a_minute_while_the_clock_is_before_the_build_date(
    wrong_s: int, waited_s: int, told: list[str]
) -> None:
    lines: list[str] = []
    slept: list[float] = []

    def now() -> datetime:
        return datetime(1970, 1, 1, tzinfo=UTC) if len(slept) < wrong_s else BUILT

    enrol.await_time(lambda _, words: lines.append(words), now, slept.append)

    assert sum(slept) == waited_s
    assert [words in line for words, line in zip(told, lines, strict=True)] == [True] * len(told)


# While capture runs


@pytest.mark.slow
def test_capture_makes_the_request_and_keeps_the_certificate(bench: Bench) -> None:
    bench.server.fleet = None
    try:
        bench.device.start("capture")
        assert bench.enrol() == 75  # no fleet document yet
    finally:
        bench.device.stop_all()

    assert bench.evidence()
