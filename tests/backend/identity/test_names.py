"""The names of devices: no device gets a name of the backend or of another device."""

from datetime import timedelta
from pathlib import Path

import pytest
import trustme

from agent.record import signing
from doorstep_backend import keys
from doorstep_backend.identity.known import DeviceState
from doorstep_backend.identity.names import (
    NameRefusedError,
    Names,
    canonical,
    is_among,
    names_in,
)
from doorstep_backend.identity.register import Register
from tests.backend.issuing import VAN, Issuer
from tests.support.demo_office import NOON

NAME = "van-7.vans.example"


@pytest.fixture
def issuer(issuer: Issuer) -> Issuer:
    """Let two devices in."""
    for one in (VAN, "van-8"):
        issuer.register.let_in(one)
    return issuer


# --- what a name is


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("VAN-7.Vans.Example", "van-7.vans.example"),
        ("10.8.0.7", "10.8.0.7"),
        ("2001:DB8:0::7", "2001:db8::7"),
        ("van-7", "van-7"),
    ],
)
def test_a_name_has_one_spelling(text: str, name: str) -> None:
    assert canonical(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*.vans.example",
        "van 7",
        "van-7.example.",
        "127.1",
        "10.8.0.0/24",
        "0x7f000001",
        "a.0x1",
        "fe80::1%eth0",
        "van-7\n",
        "van-7\0.example",
        f"{'a' * 64}.example",
        ".example",
        "a" * 300,
        "väan.example",
    ],
)
def test_invalid_name_is_refused(text: str) -> None:
    with pytest.raises(NameRefusedError, match="no host name and no address"):
        canonical(text)


def test_a_pattern_of_the_backend_covers_what_it_covers() -> None:
    own = {"*.fleet.example", "fleet.example"}

    covered = ["fleet.example", "a.fleet.example", "a.b.fleet.example", "fleet.example.org"]

    assert [is_among(name, own) for name in covered] == [True, True, False, False]


# --- who gets one


def test_a_device_has_what_it_was_given_last(issuer: Issuer) -> None:
    issuer.names.give(VAN, [NAME, "10.8.0.7"])

    assert issuer.names.give(VAN, ["10.8.0.8", NAME.upper(), NAME]) == ("10.8.0.8", NAME)
    assert issuer.names.of(VAN) == ("10.8.0.8", NAME)
    assert issuer.names.of("van-8") == ()


@pytest.mark.parametrize(
    ("device_id", "name", "why"),
    [
        (VAN, "127.0.0.1", "the backend's own name"),
        (VAN, "LOCALHOST", "the backend's own name"),
        ("van-8", NAME.upper(), f"{NAME}: van-7 has that name"),
        ("van-8", "hall-9", "the device HALL-9 is called so"),
        ("localhost", "10.8.0.7", "the backend's own name"),
        (NAME.upper(), "10.8.0.7", "van-7 has that name"),
    ],
)
def test_no_device_gets_a_name_of_the_backend_or_of_another_device(
    issuer: Issuer, device_id: str, name: str, why: str
) -> None:
    """A device could pose as the other one, also by its id, which some clients read as a name."""
    issuer.names.give(VAN, [NAME])
    for one in ("HALL-9", device_id):
        issuer.register.let_in(one)

    with pytest.raises(NameRefusedError, match=why):
        issuer.names.give(device_id, ["x.example", name])

    assert issuer.names.of(VAN) == (NAME,)


def test_unknown_device_gets_no_name(issuer: Issuer) -> None:
    with pytest.raises(LookupError, match="no device van-9"):
        issuer.names.give("van-9", [NAME])


def test_device_loses_its_names_if_gone_and_keeps_them_if_revoked(issuer: Issuer) -> None:
    issuer.names.give(VAN, [NAME])
    issuer.names.give("van-8", ["van-8.vans.example"])

    issuer.register.shut_out(VAN, DeviceState.GONE)
    issuer.register.shut_out("van-8", DeviceState.REVOKED)

    assert (issuer.names.of(VAN), len(issuer.names.of("van-8"))) == ((), 1)


def test_former_device_is_listed_while_its_certificate_has_the_name(issuer: Issuer) -> None:
    issuer.names.give(VAN, [NAME, "10.8.0.7"])
    issuer.serve(signing.new_key(), NAME)
    issuer.names.give(VAN, [])
    given = issuer.names.give("van-8", [NAME])

    told = issuer.names.still_certified("van-8", given, NOON)

    assert [(name, one.device_id) for name, one in told] == [(NAME, VAN)]
    assert issuer.names.still_certified("van-8", given, NOON + timedelta(days=366)) == []


# --- what is asked for


def test_a_device_is_certified_for_names_that_it_was_given_and_for_no_others(
    issuer: Issuer,
) -> None:
    issuer.names.give(VAN, [NAME])

    assert issuer.names.objection(VAN, {NAME}) is None
    assert "no name in the request" in str(issuer.names.objection(VAN, ()))
    assert "x.example: this device was not given that name" in str(
        issuer.names.objection(VAN, {NAME, "x.example"})
    )


def test_a_name_that_became_the_backends_is_certified_no_more(
    tmp_path: Path, ca: keys.Certificates
) -> None:
    server = tmp_path / "server.pem"
    server.write_bytes(ca.chain_file.read_bytes())
    names, register = Names(tmp_path, server), Register(tmp_path)
    register.let_in(VAN)
    names.give(VAN, [NAME])

    server.write_bytes(trustme.CA().issue_cert("*.vans.example").cert_chain_pems[0].bytes())

    assert "the backend's own name" in str(names.objection(VAN, {NAME}))


# --- the certificate


def test_the_same_key_gets_the_same_certificate_until_half_its_life_is_over(
    issuer: Issuer,
) -> None:
    key = signing.new_key()
    first = issuer.serve(key, NAME)

    assert issuer.serve(key, NAME, now=NOON + timedelta(days=182)) == first
    assert issuer.serve(key, NAME, now=NOON + timedelta(days=183)) != first
    assert issuer.serve(signing.new_key(), NAME) != first


def test_other_names_get_another_certificate(issuer: Issuer) -> None:
    key = signing.new_key()
    first = issuer.serve(key, NAME)

    assert names_in(issuer.serve(key, "10.8.0.7").x509) == {"10.8.0.7"}
    assert issuer.serve(key, NAME) != first


def test_server_and_tls_certificates_do_not_supersede_each_other(issuer: Issuer) -> None:
    """Only TLS certificates supersede each other, whatever serial numbers the others have."""
    key = signing.new_key()
    before = issuer.serve(key, NAME)
    enrolled = issuer.renew()
    after = issuer.serve(key, "10.8.0.7")

    issuer.register.note_first_use(enrolled, NOON)

    found = [issuer.again(one).state.value for one in (before, enrolled, after)]
    assert found == ["live", "live", "live"]
