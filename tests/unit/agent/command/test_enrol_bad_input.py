"""What goes wrong at an enrolment: one sentence that says what to do, and nothing is lost."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from agent.record import certificates, signing
from agent.wire.http import Limits
from tests.support.authority import Authority, certs_only, new_authority
from tests.support.device import Device
from tests.support.est import (
    PREFIX,
    Answered,
    Asked,
    requested,
)
from tests.unit.agent.command.enrolling import Bench

KEY = signing.new_key()


def told(bench: Bench, path: str, answer: Callable[[Asked], Answered]) -> None:
    bench.server.script = lambda asked: answer(asked) if asked.path == PREFIX + path else None


def misissue(bench: Bench, path: str = "simpleenroll", **how: Any) -> None:
    """A certificate that is not what was asked for."""

    def issue(asked: Asked) -> Answered:
        key: Any = how.get("key") or requested(asked).public_key()
        by = how.get("by") or bench.server.authority
        leaf = by.issue(key, how.get("name", "van-7"), **how.get("validity", {}))
        return Answered(200, certs_only([leaf]))

    told(bench, path, issue)


def raw(body: bytes, status: int = 200) -> Callable[[Bench], None]:
    return lambda bench: told(bench, "simpleenroll", lambda _: Answered(status, body))


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
    "html": (raw(b"<html>sign in</html>"), 65, "not genuine.*something in between"),
    "garbage": (raw(b"\xff\xfe" * 100), 65, "not genuine.*something in between"),
    "nothing": (raw(b""), 65, "not genuine.*something in between"),
    "too long": (raw(b"A" * 5_000_000), 65, "not genuine.*something in between"),
    "redirect": (raw(b"", 302), 75, "answered 302, which is no answer of an EST server"),
    "busy": (raw(b"come later", 503), 75, 'answered 503 "come later".*try again later'),
    "no est": (raw(b"what", 404), 65, 'answered 404 "what".*ask whoever runs it'),
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("enrolled", [False, True], ids=["first", "again"])
def test_bad_answer_is_one_sentence_and_leaves_what_was_there(
    bench: Bench, what: str, enrolled: bool
) -> None:
    spoil, code, words = BAD[what]
    if enrolled:
        assert bench.enrol() == 0
        identity = bench.identity()
        assert identity is not None
        bench.server.revoked.add(identity.chain[0].serial_number)
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
    assert {name: kept[name] for name in before} == before
    assert not any(name.endswith((".part", "/tls.pem")) for name in kept.keys() - before.keys())
    bench.server.script = lambda _: None
    bench.server.used.clear()
    bench.server.tokens["van-7"] = "green-7"
    assert bench.enrol(token="green-7") == 0
    assert bench.identity() is not None


def test_server_that_is_not_there_is_named_and_the_token_is_still_good(bench: Bench) -> None:
    identity = {"mode": "required", "ca": "ca.pem", "fleet_key": "fleet-key.pem"}
    bench.device.configure(
        identity={**identity, "est": "https://127.0.0.1:9"},
        backend={"url": bench.server.url, "receipt_keys": []},
    )

    assert bench.enrol(url="https://127.0.0.1:9") == 75

    words = "Connection refused; run this again; the token is still good"
    assert f"https://127.0.0.1:9: the connection failed: {words}" in bench.said()


def test_server_that_never_answers_is_left(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.identity.sync_part.LIMITS", Limits(2, 0.3, 0.6, 1.0))

    def never(_: Asked) -> Answered:
        time.sleep(1.5)
        return Answered(200)

    bench.server.script = never

    assert bench.enrol() == 75

    assert "the EST server went silent" in bench.said()


def test_other_authoritys_server_is_not_asked_for_anything(bench: Bench) -> None:
    (bench.device.folder / "ca.pem").write_bytes(new_authority("other").pem)

    assert bench.enrol() == 65

    said = bench.said()
    assert "certificate does not verify" in said
    assert "check identity.ca and this device's clock" in said
    assert bench.server.asked == []


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_authoritys_file_that_is_none_is_told(bench: Bench, content: bytes | None) -> None:
    ca = bench.device.folder / "ca.pem"
    if content is None:
        ca.unlink()
    else:
        ca.write_bytes(content)

    assert bench.enrol() == 2

    why = "does not exist" if content is None else "is not usable"
    words = f"identity.ca: {ca} {why}; put the fleet's certificate authority there, PEM"
    said = bench.said()
    assert words in said
    assert "http" not in said.replace(bench.server.url, "")  # no library's advice


@pytest.mark.parametrize("name", ["tls.pem", "next-key.pem"])
def test_half_written_key_is_no_obstacle(bench: Bench, name: str) -> None:
    bench.enrol()
    whole = (bench.device.layout.sync_keys / "tls.pem").read_bytes()
    (bench.device.layout.sync_keys / "tls.pem").unlink()
    (bench.device.layout.sync_keys / name).write_bytes(whole[:100])
    bench.server.used.clear()

    assert bench.enrol() == 0

    assert bench.identity() is not None


def test_half_written_signing_key_is_told_and_left_alone(bench: Bench) -> None:
    bench.device.layout.make()
    file = bench.device.layout.capture_keys / "device.pem"
    file.write_bytes(b"-----BEGIN PRIVATE KEY-----\nMIGH")

    assert bench.enrol() == 70

    assert "put it back from a copy, or move it away" in bench.said()
    assert file.read_bytes() == b"-----BEGIN PRIVATE KEY-----\nMIGH"


@pytest.mark.parametrize(
    ("words", "told_words"),
    [
        (["https://elsewhere.example"], "is not where backend.url leads"),
        (["http://127.0.0.1"], "is not where backend.url leads"),
        (["no address"], "is not where backend.url leads"),
        (["https://[::1"], "is not where backend.url leads"),
        (["https://127.0.0.1:99999"], "is not where backend.url leads"),
    ],
)
def test_address_must_be_the_configured_one(
    bench: Bench, words: list[str], told_words: str
) -> None:
    assert bench.enrol(url=words[0]) == 2

    assert told_words in bench.said()
    assert bench.server.asked == []


def test_without_identity_there_is_nothing_to_enrol(tmp_path: Path) -> None:
    ended = Device(tmp_path / "off").run("enrol", "https://127.0.0.1:9")

    assert ended.returncode == 2
    assert "identity.mode is off: there is nothing to enrol" in ended.stderr


@pytest.mark.parametrize("token", ["", "two words", "snow\N{SNOWMAN}", "x" * 5000])
def test_what_is_no_token_is_told_and_not_sent(bench: Bench, token: str) -> None:
    assert bench.enrol(token=token) == 2

    assert "token" in bench.said()
    assert bench.server.asked == []


def test_pin_that_is_none_is_a_usage_error(bench: Bench) -> None:
    with pytest.raises(SystemExit) as ended:
        bench.enrol("--ca-sha256", "abc")

    assert ended.value.code == 2


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
    """It would be trusted, and lead nowhere once whoever is in between has gone."""
    ca = bench.device.folder / "ca.pem"
    ca.unlink()
    real = bench.server.authority
    make, words = PINNED[what]
    told(bench, "cacerts", lambda _: Answered(200, certs_only([make(real)])))
    pin = certificates.key_sha256(real.certificate)

    assert bench.enrol("--ca-sha256", pin) == 65

    assert words in bench.said()
    assert not ca.exists()
    both = [make(real), real.certificate]
    told(bench, "cacerts", lambda _: Answered(200, certs_only(both)))
    assert bench.enrol("--ca-sha256", pin) == 0
    assert certificates.read_pem(ca.read_bytes()) == (real.certificate,)


def test_pinned_authority_that_the_server_is_not_of_is_not_written(bench: Bench) -> None:
    """Else every later enrolment would end at a file that is in the way."""
    ca = bench.device.folder / "ca.pem"
    ca.unlink()
    other = new_authority()
    told(bench, "cacerts", lambda _: Answered(200, certs_only([other.certificate])))

    assert bench.enrol("--ca-sha256", certificates.key_sha256(other.certificate)) == 65

    assert "the EST server's certificate is not by the pinned authority" in bench.said()
    assert not ca.exists()


def test_without_a_token_a_device_that_never_enrolled_is_told_what_to_give(bench: Bench) -> None:
    ended = bench.device.run("enrol", bench.server.url, input="")

    assert ended.returncode == 2
    words = "a TLS certificate needs a token: put the one-time token into a file (--token FILE)"
    assert words in ended.stderr
    assert bench.server.asked == []
