"""Mutual TLS: who this device shows itself as, and whom it trusts, also when that changes."""

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.config import BackendSettings
from agent.record import certificates, signing
from agent.wire.http import Backend, NoAnswer
from agent.wire.tls import Tls
from agent.wire.tus import Answer
from tests.support.authority import Authority, new_authority
from tests.support.est import Answered, Asked, EstServer, est_server
from tests.support.sending import QUICK


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EstServer]:
    with est_server(tmp_path / "est") as running:
        running.script = lambda _: Answered(200, b"{}")
        yield running


def identity(authority: Authority, name: str = "van-7") -> bytes:
    key = signing.new_key()
    leaf = authority.issue(key.public_key(), name)
    return signing.private_pem(key) + certificates.pem([leaf, *authority.above])


def put(path: Path, content: bytes) -> None:
    """As the store does: another file under the same name."""
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.rename(path)


def open_backend(server: EstServer, own: Path | None, ca: Path | None = None) -> Backend:
    tls = Tls(ca or server.ca_file, "identity.ca", own=own)
    return Backend(BackendSettings(server.url), QUICK, tls=tls)


def ask(backend: Backend) -> Answer:
    with backend.attempt():
        return backend.receipts(b"{}")


def names(server: EstServer) -> list[str | None]:
    return [certificates.common_name(one.peer) if one.peer else None for one in server.asked]


def test_certificate_is_shown_on_one_kept_connection(server: EstServer, tmp_path: Path) -> None:
    put(tmp_path / "tls.pem", identity(server.authority))
    with closing(open_backend(server, tmp_path / "tls.pem")) as backend:
        for _ in range(40):
            ask(backend)

    assert set(names(server)) == {"van-7"}
    assert server.connections / len(server.asked) <= 0.05


def test_new_certificate_is_shown_from_the_next_request_on(
    server: EstServer, tmp_path: Path
) -> None:
    own = tmp_path / "tls.pem"
    put(own, identity(server.authority))
    with closing(open_backend(server, own)) as backend:
        ask(backend)
        put(own, identity(server.authority))
        ask(backend)
        ask(backend)

    first, second, third = (one.peer for one in server.asked)
    assert first != second
    assert second == third
    assert server.connections == 2


def test_intermediates_are_shown_too(tmp_path: Path) -> None:
    root = new_authority()
    below = root.below("North")
    with est_server(tmp_path / "est", below, root) as server:
        server.script = lambda _: Answered(200)
        put(tmp_path / "tls.pem", identity(below))
        with closing(open_backend(server, tmp_path / "tls.pem")) as backend:
            assert ask(backend).status == 200


def test_pinned_intermediate_is_enough(tmp_path: Path) -> None:
    below = new_authority().below("North")
    with est_server(tmp_path / "est", below) as server:
        server.script = lambda _: Answered(200)
        with closing(open_backend(server, None)) as backend:
            assert ask(backend).status == 200


def test_device_without_certificate_says_what_to_do_and_goes_on_once_it_is_there(
    server: EstServer, tmp_path: Path
) -> None:
    own = tmp_path / "tls.pem"
    with closing(open_backend(server, own)) as backend:
        with pytest.raises(NoAnswer, match=r"not enrolled.*doorstep enrol URL"):
            ask(backend)
        own.write_bytes(identity(server.authority)[:300])
        with pytest.raises(NoAnswer, match=r"tls\.pem: cannot be used: .*doorstep enrol URL"):
            ask(backend)
        put(own, identity(server.authority))

        assert ask(backend).status == 200

    assert names(server) == ["van-7"]


def test_ca_that_comes_later_is_waited_for(server: EstServer, tmp_path: Path) -> None:
    own, ca = tmp_path / "tls.pem", tmp_path / "ca.pem"
    put(own, identity(server.authority))
    with closing(open_backend(server, own, ca)) as backend:
        with pytest.raises(NoAnswer, match=r"identity\.ca: .*doorstep enrol"):
            ask(backend)
        put(ca, server.authority.pem)

        assert ask(backend).status == 200


def test_next_authority_of_the_fleet_is_trusted_once_it_is_named(
    server: EstServer, tmp_path: Path
) -> None:
    put(tmp_path / "tls.pem", identity(server.authority))
    (tmp_path / "other.pem").write_bytes(new_authority("old").pem)
    document = tmp_path / "fleet.jws"
    tls = Tls(
        tmp_path / "other.pem",
        "identity.ca",
        own=tmp_path / "tls.pem",
        next_ca=lambda: document.read_text() if document.exists() else None,
        watched=[document],
    )
    with closing(Backend(BackendSettings(server.url), QUICK, tls=tls)) as backend:
        with pytest.raises(NoAnswer, match="certificate does not verify"):
            ask(backend)
        document.write_bytes(server.authority.pem)

        assert ask(backend).status == 200


def test_certificate_of_another_fleet_is_told_in_words(server: EstServer, tmp_path: Path) -> None:
    put(tmp_path / "tls.pem", identity(new_authority("elsewhere")))
    with (
        closing(open_backend(server, tmp_path / "tls.pem")) as backend,
        pytest.raises(NoAnswer, match=r"(refuses this device's certificate|cut)"),
    ):
        ask(backend)


def test_encrypted_key_cannot_be_used(server: EstServer, tmp_path: Path) -> None:
    words = "openssl ecparam -name prime256v1 -genkey | openssl ec -aes128 -passout pass:x"
    (tmp_path / "tls.pem").write_bytes(subprocess.check_output(f"{words} 2>/dev/null", shell=True))
    with (
        closing(open_backend(server, tmp_path / "tls.pem")) as backend,
        pytest.raises(NoAnswer, match="cannot be used"),
    ):
        ask(backend)


def test_403_is_an_answer_with_its_words(server: EstServer, tmp_path: Path) -> None:
    def revoked(_: Asked) -> Answered:
        return Answered(403, b"certificate revoked")

    server.script = revoked
    put(tmp_path / "tls.pem", identity(server.authority))
    with closing(open_backend(server, tmp_path / "tls.pem")) as backend:
        answer = ask(backend)

    assert (answer.status, answer.body) == (403, b"certificate revoked")
