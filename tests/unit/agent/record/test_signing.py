"""Signatures: what a stranger can check with other tools, and what must never verify."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.errors import ConfigError, NotGenuine, UnknownSigner
from agent.record import signing
from tests.support.factory import decoded, encoded, is_high, respelled, signed_by_hand

KEY = signing.new_key()
TRUSTED = {signing.thumbprint(KEY.public_key()): KEY.public_key()}
TOKEN = signing.sign({"seq": 7, "text": "é"}, KEY, embed_key=True)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def header(**members: object) -> dict[str, object]:
    return {"alg": "ES256", "kid": signing.thumbprint(KEY.public_key())} | members


def test_a_stranger_verifies_the_signature_without_a_jws_library() -> None:
    """RFC 7518 section 3.4: r and s, 32 bytes each, over the first two segments."""
    first, second, third = TOKEN.split(".")
    raw = decoded(third)
    x, y = (decoded(json.loads(decoded(first))["jwk"][name]) for name in "xy")
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + x + y)
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))

    key.verify(der, f"{first}.{second}".encode(), ec.ECDSA(hashes.SHA256()))
    assert json.loads(decoded(second)) == {"seq": 7, "text": "é"}


def test_kid_is_the_rfc_7638_thumbprint() -> None:
    numbers = KEY.public_key().public_numbers()
    x, y = (encoded(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    canonical = f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'

    assert signing.thumbprint(KEY.public_key()) == encoded(
        hashlib.sha256(canonical.encode()).digest()
    )


def test_the_header_has_nothing_private() -> None:
    """Only the four members that name a public key."""
    members = json.loads(decoded(TOKEN.split(".")[0]))

    assert members.keys() == {"alg", "kid", "jwk"}
    assert members["jwk"].keys() == {"crv", "kty", "x", "y"}


@settings(max_examples=300)
@given(st.data())
def test_no_token_with_one_other_character_verifies(data: st.DataObject) -> None:
    """Replaced, inserted or removed anywhere: each label has one spelling."""
    at = data.draw(st.integers(0, len(TOKEN)))
    put = data.draw(st.characters(codec="ascii") | st.just(""))
    cut = data.draw(st.integers(0, 1))
    other = TOKEN[:at] + put + TOKEN[at + cut :]
    if other == TOKEN:
        return

    with pytest.raises(NotGenuine):
        signing.verify(other, TRUSTED)


def test_both_signatures_that_mathematics_allows_verify() -> None:
    """ES256 does not say which of s and n - s a signer writes: other libraries write either."""
    tokens = [signing.sign({"seq": n}, KEY) for n in range(40)]

    assert {is_high(token) for token in tokens} == {True, False}
    for token in tokens:
        other = respelled(token)
        assert other != token
        assert signing.verify(other, TRUSTED) == signing.verify(token, TRUSTED)
        assert signing.other_spelling(token) == other
        assert signing.other_spelling(other) == token


@pytest.mark.parametrize("tail", ["=", "==", "===", "\n", " ", "."])
def test_spelling_with_padding_or_white_space_is_another_one(tail: str) -> None:
    """JWS libraries pass over `==`; the digest of the label would be another one."""
    with pytest.raises(NotGenuine):
        signing.verify(TOKEN + tail, TRUSTED)


def test_alg_none_is_refused() -> None:
    first, second = encoded(json.dumps(header(alg="none")).encode()), TOKEN.split(".")[1]

    for third in ("", TOKEN.split(".")[2]):
        with pytest.raises(NotGenuine):
            signing.verify(f"{first}.{second}.{third}", TRUSTED)


def test_hs256_with_the_public_key_as_secret_is_refused() -> None:
    first = encoded(json.dumps(header(alg="HS256")).encode())
    signed = f"{first}.{TOKEN.split('.')[1]}"
    secret = signing.public_pem(KEY.public_key())
    mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()

    for third in (mac, mac * 2):
        with pytest.raises(NotGenuine):
            signing.verify(f"{signed}.{encoded(third)}", TRUSTED)


def test_a_trusted_kid_does_not_vouch_for_another_key() -> None:
    other = signing.new_key()
    token = signed_by_hand(header(jwk=signing.jwk(other.public_key())), b"{}", other)

    with pytest.raises(NotGenuine, match="not a valid signature"):
        signing.verify(token, TRUSTED)


@pytest.mark.parametrize(
    "payload",
    [
        b"[]",
        b"7",
        b"",
        b"{",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"seq": 1, "seq": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b"\xff\xfe{}",
        '{"a": 1}'.encode("utf-16"),
        b'{"a": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
    ],
    ids=lambda payload: str(payload[:20]),
)
def test_a_signed_payload_that_readers_would_read_differently_is_refused(payload: bytes) -> None:
    with pytest.raises(NotGenuine):
        signing.verify(signed_by_hand(header(), payload, KEY), TRUSTED)


@pytest.mark.parametrize(
    "head",
    [
        b"[]",
        b"{" * 100_000,
        header(kid=7),
        header(kid=None),
        header(crit=["x"], x=1),
        header(b64=False, crit=["b64"]),
        header(alg=["ES256"]),
        header(alg={}),
        pytest.param({"kid": signing.thumbprint(KEY.public_key())}, id="no alg"),
    ],
    ids=lambda head: str(head)[:20],
)
def test_a_hostile_header_is_refused(head: object) -> None:
    with pytest.raises(NotGenuine):
        signing.verify(signed_by_hand(head, b"{}", KEY), TRUSTED)


PRIVATE = {"d": encoded(KEY.private_numbers().private_value.to_bytes(32, "big"))}


@settings(max_examples=300)
@example("[]")
@example("7")
@example(json.dumps(signing.jwk(KEY.public_key())))
@example(signing.jwk(KEY.public_key()) | PRIVATE)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "kty": st.sampled_from(["EC", "OKP", "RSA", "oct"]) | json_values,
            "crv": st.sampled_from(["P-256", "P-384", "secp256k1"]) | json_values,
            "x": st.binary(max_size=48).map(encoded) | json_values,
            "y": st.binary(min_size=32, max_size=32).map(encoded) | json_values,
            "d": json_values,
        },
    )
    | json_values
)
def test_embedded_key_of_any_kind_is_refused_in_words(members: Any) -> None:
    """Wrong types, points off the curve, private keys, JSON within JSON, which PyJWT would read."""
    with pytest.raises(NotGenuine):
        signing.embedded_key(signed_by_hand(header(jwk=members), b"{}", KEY))


def test_nan_is_never_signed() -> None:
    """A label with NaN would verify nowhere."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        signing.sign({"accuracy_m": float("nan")}, KEY)


def test_a_key_survives_its_file(tmp_path: Path) -> None:
    private, public = tmp_path / "key.pem", tmp_path / "public.pem"
    private.write_bytes(signing.private_pem(KEY))
    public.write_bytes(signing.public_pem(KEY.public_key()))

    assert signing.read_private_key(private).private_numbers() == KEY.private_numbers()
    assert signing.thumbprint(signing.read_public_key(public)) in TRUSTED


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, password: bytes | None) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption(),
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        (b"", "not a usable private key"),
        (b"\xff\x00garbage", "not a usable private key"),
        (signing.public_pem(KEY.public_key()), "not a usable private key"),
        (_pem(KEY, b"secret"), "not a usable private key"),
        (_pem(ec.generate_private_key(ec.SECP384R1()), None), "not a P-256 private key"),
        (_pem(rsa.generate_private_key(65537, 2048), None), "not a P-256 private key"),
    ],
    ids=["missing", "empty", "garbage", "public", "encrypted", "p384", "rsa"],
)
def test_another_private_key_is_a_configuration_error(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigError, match=words) as caught:
        signing.read_private_key(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [None, b"", b"garbage", signing.private_pem(KEY)])
def test_another_public_key_is_a_configuration_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(
        ConfigError, match=r"(does not exist|is not usable); put a public key there, PEM$"
    ):
        signing.read_public_key(path)


def test_unknown_key_differs_from_a_wrong_signature() -> None:
    """Another key may be named by a fleet document that has not come yet."""
    token = signing.sign({"v": 1}, signing.new_key())

    with pytest.raises(UnknownSigner, match=r"^signed by a key that is not trusted here$"):
        signing.verify(token, {})


def test_verify_refuses_a_long_header_before_it_parses_it() -> None:
    """The header is read before the signature is verified: parsed, 4 MB took 132 MB."""
    _, payload, signature = signing.sign({"v": 1}, KEY).split(".")
    header = "W10s" * 3_000  # [],[],... in base64

    with pytest.raises(NotGenuine, match=r"^not a compact ES256 signature$"):
        signing.verify(f"{header}.{payload}.{signature}", {})
