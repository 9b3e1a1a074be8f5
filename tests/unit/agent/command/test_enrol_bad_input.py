"""Each failure of an enrolment prints one message with the remedy, and loses nothing."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509

from agent.record import certificates, signing
from tests.support.authority import Authority, certs_only, new_authority
from tests.support.device import Device
from tests.support.est import Answered, Asked, requested
from tests.unit.agent.command.enrolling import Bench
from tests.unit.agent.command.inprocess import run

KEY = signing.new_key()


def misissue(bench: Bench, **how: Any) -> None:
    """A certificate that is not what was asked for."""

    def issue(asked: Asked) -> Answered:
        key: Any = how.get("key") or requested(asked).public_key()
        by = how.get("by") or bench.server.authority
        leaf = by.issue(key, how.get("name", "van-7"), **how.get("validity", {}))
        return Answered(200, certs_only([leaf]))

    bench.answers("simpleenroll", issue)


def answered(status: int, body: bytes) -> Callable[[Bench], None]:
    return lambda bench: bench.answers("simpleenroll", Answered(status, body))


PAST = {"starts": datetime(2020, 1, 1, tzinfo=UTC), "life": timedelta(days=30)}

BAD: dict[str, tuple[Callable[[Bench], None], int, str]] = {
    "wrong token": (
        lambda bench: bench.server.tokens.update({"van-7": "other"}),
        65,
        'answered 401 "unknown token": the token is wrong, .*: ask the office for a new one',
    ),
    "used token": (
        lambda bench: bench.server.used.update({"blue-42": "another key"}),
        65,
        'answered 403 "token used".*ask the office for a new one',
    ),
    "another device": (
        lambda bench: misissue(bench, name="van-8"),
        65,
        "for another device: 'van-8', and this one is van-7; nothing was changed",
    ),
    "another key": (
        lambda bench: misissue(bench, key=KEY.public_key()),
        65,
        "for another key than the one that was asked for; nothing was changed",
    ),
    "another authority": (
        lambda bench: misissue(bench, by=new_authority("other")),
        65,
        "by an authority that is not trusted here.*nothing was changed",
    ),
    "expired": (
        lambda bench: misissue(bench, validity=PAST),
        65,
        "it ended on 2020-01-31; is this device's clock right.; nothing was changed",
    ),
    "html": (answered(200, b"<html>sign in</html>"), 65, "not genuine.*something in between"),
    "nothing": (answered(200, b""), 65, "not genuine.*something in between"),
    "too long": (answered(200, b"A" * 5_000_000), 65, "not genuine.*something in between"),
    "redirect": (answered(302, b""), 75, "answered 302, which is no answer of an EST server"),
    "busy": (answered(503, b"come later"), 75, 'answered 503 "come later".*try again later'),
    "no est": (answered(404, b"what"), 65, 'answered 404 "what".*ask its operator'),
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("enrolled", [False, True], ids=["first", "again"])
def test_bad_answer_is_one_sentence_and_leaves_what_was_there(
    bench: Bench, what: str, enrolled: bool
) -> None:
    spoil, code, words = BAD[what]
    if enrolled:
        assert bench.enrol() == 0
        bench.server.revoked.add(bench.identity().chain[0].serial_number)
        bench.server.tokens["van-7"] = "blue-42"
    spoil(bench)
    before = bench.kept()
    bench.said()

    ended = bench.enrol()

    lines = bench.said().splitlines()
    assert ended == code, lines
    assert [line for line in lines if re.search(words, line)], lines
    assert not any("blue-42" in line for line in lines)
    kept = bench.kept()
    assert kept.items() >= before.items()
    assert not any(name.endswith((".part", "/tls.pem")) for name in kept.keys() - before.keys())
    bench.server.script = lambda _: None
    bench.server.used.clear()
    bench.server.tokens["van-7"] = "green-7"
    assert bench.enrol(token="green-7") == 0
    assert bench.is_enrolled()


def test_server_that_is_not_there_is_named_and_the_token_is_still_good(bench: Bench) -> None:
    identity = {"mode": "required", "ca": "ca.pem", "fleet_key": "fleet-key.pem"}
    bench.device.configure(
        identity={**identity, "est": "https://127.0.0.1:9"},
        backend={"url": bench.server.url, "receipt_keys": []},
    )

    assert bench.enrol(url="https://127.0.0.1:9") == 75

    words = "Connection refused; run this again; the token is still good"
    assert f"https://127.0.0.1:9: the connection failed: {words}" in bench.said()


def test_other_authoritys_server_is_not_asked_for_anything(bench: Bench) -> None:
    (bench.device.folder / "ca.pem").write_bytes(new_authority("other").pem)

    assert bench.enrol() == 65

    said = bench.said()
    assert "certificate does not verify" in said
    assert "check identity.ca and this device's clock" in said
    assert bench.server.asked == []


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_invalid_file_of_an_authority_is_reported(bench: Bench, content: bytes | None) -> None:
    ca = bench.device.folder / "ca.pem"
    ca.unlink()
    if content is not None:
        ca.write_bytes(content)

    assert bench.enrol() == 2

    why = "does not exist" if content is None else "is not usable"
    said = bench.said()
    assert f"identity.ca: {ca} {why}; put the fleet's certificate authority there, PEM" in said
    assert "http" not in said.replace(bench.server.url, "")  # no library's advice


@pytest.mark.parametrize("name", ["tls.pem", "next-key.pem"])
def test_half_written_key_is_no_obstacle(bench: Bench, name: str) -> None:
    bench.enrol()
    keys = bench.device.layout.sync_keys
    whole = (keys / "tls.pem").read_bytes()
    (keys / "tls.pem").unlink()
    (keys / name).write_bytes(whole[:100])
    bench.server.used.clear()

    assert bench.enrol() == 0

    assert bench.is_enrolled()


@pytest.mark.parametrize(
    "url",
    [
        *("https://elsewhere.example", "http://127.0.0.1", "no address", "https://[::1"),
        "https://127.0.0.1:99999",
    ],
)
def test_address_must_be_the_configured_one(bench: Bench, url: str) -> None:
    assert bench.enrol(url=url) == 2

    assert "is not where backend.url leads" in bench.said()
    assert bench.server.asked == []


def test_enrol_has_nothing_to_do_without_identity(
    device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(device, "enrol", "https://127.0.0.1:9") == 2

    assert "identity.mode is off: there is nothing to enrol" in capsys.readouterr().err


@pytest.mark.parametrize("token", ["", "two words", "snow\N{SNOWMAN}", "x" * 5000])
def test_invalid_token_is_reported_and_not_sent(bench: Bench, token: str) -> None:
    assert bench.enrol(token=token) == 2

    assert "token" in bench.said()
    assert bench.server.asked == []


def test_new_device_without_a_token_reads_what_to_give(bench: Bench) -> None:
    assert bench.enrol(token=None) == 2

    words = "a TLS certificate needs a token: put the one-time token into a file (--token FILE)"
    assert words in bench.said()
    assert bench.server.asked == []


LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

PINNED: dict[str, tuple[Callable[[Authority], x509.Certificate], str]] = {
    "another name": (lambda real: forged(real, "Somebody else"), "which did not sign it itself"),
    "the same name": (lambda real: forged(real, "Test fleet CA"), "which did not sign it itself"),
    "an end in the past": (
        lambda real: real.issue(real.key.public_key(), "Test fleet CA", starts=LONG_AGO, ca=True),
        "it ended on 2020-12-31",
    ),
}


def forged(real: Authority, name: str) -> x509.Certificate:
    """The key that is pinned, in a certificate by somebody who does not have it."""
    return new_authority().issue(real.key.public_key(), name, ca=True)


@pytest.mark.parametrize("what", PINNED)
def test_certificate_with_the_pinned_key_alone_is_not_written(bench: Bench, what: str) -> None:
    """The certificate would be trusted, and lead nowhere once the attacker in between has gone."""
    ca = bench.device.folder / "ca.pem"
    ca.unlink()
    real = bench.server.authority
    make, words = PINNED[what]
    bench.answers("cacerts", Answered(200, certs_only([make(real)])))
    pin = certificates.key_sha256(real.certificate)

    assert bench.enrol("--ca-sha256", pin) == 65

    assert words in bench.said()
    assert not ca.exists()
    bench.answers("cacerts", Answered(200, certs_only([make(real), real.certificate])))
    assert bench.enrol("--ca-sha256", pin) == 0
    assert certificates.read_pem(ca.read_bytes()) == (real.certificate,)


def test_pinned_authority_that_the_server_is_not_of_is_not_written(bench: Bench) -> None:
    """Otherwise every later enrolment would end at a file that is in the way."""
    ca = bench.device.folder / "ca.pem"
    ca.unlink()
    other = new_authority()
    bench.answers("cacerts", Answered(404, b"what"))
    assert bench.enrol("--ca-sha256", certificates.key_sha256(other.certificate)) == 75
    assert 'cacerts was answered 404 "what", which is no answer of an EST server' in bench.said()
    bench.answers("cacerts", Answered(200, certs_only([other.certificate])))

    assert bench.enrol("--ca-sha256", certificates.key_sha256(other.certificate)) == 65

    assert "the EST server's certificate is not by the pinned authority" in bench.said()
    assert not ca.exists()
