"""Mutual TLS: who this device shows itself as, and whom it trusts, also when that changes."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
import trustme

from agent.config import BackendSettings, load
from agent.record import certificates, signing
from agent.status.troubles import Trouble
from agent.trust.store import TrustStore
from agent.wire.http import Backend, NoAnswer
from agent.wire.tls import ClientTls, for_backend
from agent.wire.tus import Answer
from tests.support.authority import Authority, new_authority
from tests.support.device import Device
from tests.support.est import Answered, EstServer, est_server, required
from tests.support.fleet_documents import fleet_document
from tests.support.sending import QUICK


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EstServer]:
    with est_server(tmp_path / "est") as running:
        running.script = lambda _: Answered(200, b"{}")
        yield running


@pytest.fixture
def own(server: EstServer, tmp_path: Path) -> Path:
    """The key and certificate of a device of the server's fleet."""
    put(tmp_path / "tls.pem", identity(server.authority))
    return tmp_path / "tls.pem"


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
    tls = ClientTls(ca or server.ca_file, "identity.ca", own=own)
    return Backend(BackendSettings(server.url), QUICK, tls=tls)


def ask(backend: Backend) -> Answer:
    with backend.attempt():
        return backend.receipts(b"{}")


def names(server: EstServer) -> list[str | None]:
    return [certificates.common_name(one.peer) if one.peer else None for one in server.asked]


def test_certificate_is_shown_on_one_kept_connection(server: EstServer, own: Path) -> None:
    with closing(open_backend(server, own)) as backend:
        for _ in range(40):
            ask(backend)

    assert set(names(server)) == {"van-7"}
    assert server.connections / len(server.asked) <= 0.05


def test_new_certificate_is_shown_from_the_next_request_on(server: EstServer, own: Path) -> None:
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
        with pytest.raises(NoAnswer, match=r"not enrolled.*doorstep enrol` gets one") as raised:
            ask(backend)
        assert raised.value.blocked_reason is Trouble.NOT_ENROLLED
        own.write_bytes(identity(server.authority)[:300])
        with pytest.raises(NoAnswer, match=r"tls\.pem: cannot be used: .*enrol` gets another"):
            ask(backend)
        put(own, identity(server.authority))

        assert ask(backend).status == 200

    assert names(server) == ["van-7"]


def test_ca_that_comes_later_is_waited_for(server: EstServer, own: Path, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    with closing(open_backend(server, own, ca)) as backend:
        with pytest.raises(NoAnswer, match=r"identity\.ca: .*doorstep enrol"):
            ask(backend)
        put(ca, server.authority.pem)

        assert ask(backend).status == 200


def test_invalid_authority_is_refused_with_the_remedy(server: EstServer, tmp_path: Path) -> None:
    authority, ca = server.authority, tmp_path / "ca.pem"
    no_ca = authority.issue(authority.key.public_key(), "Test fleet CA")
    put(ca, certificates.pem([no_ca]))

    with (
        closing(open_backend(server, None, ca)) as backend,
        pytest.raises(NoAnswer, match=r"does not verify: invalid CA .* keyCertSign .*identity\.ca"),
    ):
        ask(backend)


def test_next_authority_of_the_fleet_is_trusted_once_it_is_named(
    server: EstServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A backend that has moved to it already is reached; a name of nothing locks nobody out."""
    fleet_key = signing.new_key()
    device = Device(tmp_path, **required(server, tmp_path, fleet_key.public_key()))
    device.layout.make()
    put(device.layout.sync_keys / "tls.pem", identity(server.authority))
    trust = TrustStore(device.layout)
    (tmp_path / "ca.pem").write_bytes(new_authority("old").pem)
    config = load(device.config)
    with closing(Backend(config.backend, QUICK, tls=for_backend(config))) as backend:
        for next_ca in (None, "-----BEGIN CERTIFICATE-----\nAAAA\n"):
            trust.keep_fleet((fleet_document(fleet_key, 1, next_ca=next_ca),))
            with pytest.raises(NoAnswer, match="certificate does not verify"):
                ask(backend)
        trust.keep_fleet((fleet_document(fleet_key, 2, next_ca=server.authority.pem.decode()),))

        assert ask(backend).status == 200

    assert caplog.text.count("event=next_ca_unusable") == 1


@contextmanager
def strict_server(ours: trustme.CA, theirs: trustme.CA) -> Iterator[str]:
    """A server by `ours` that takes certificates by `theirs` only, and says so by an alert."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.issue_cert("127.0.0.1").configure_cert(context)
    theirs.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED

    def serve() -> None:
        with suppress(OSError):
            while True:
                plain, _ = listener.accept()
                with context.wrap_socket(
                    plain, server_side=True, do_handshake_on_connect=False
                ) as client:
                    refuse(client)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=serve)
        serving.start()
        try:
            yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            serving.join()


def refuse(client: ssl.SSLSocket) -> None:
    """By an alert that arrives: what is closed with something unread in it takes it back."""
    client.settimeout(5.0)
    with suppress(OSError):
        client.do_handshake()
    with suppress(OSError):
        socket.socket.shutdown(client, socket.SHUT_WR)
        while socket.socket.recv(client, 65_536):
            pass


REFUSED = r"refuses this device's certificate \(.+\); `doorstep doctor` says how it is"


def test_certificate_of_another_fleet_is_reported_in_words(tmp_path: Path) -> None:
    """The backend's alert must arrive; without it, the line counts as cut."""
    own, ca, ours = tmp_path / "tls.pem", tmp_path / "ca.pem", trustme.CA()
    own.write_bytes(identity(new_authority("elsewhere")))
    ours.cert_pem.write_to_path(str(ca))

    with strict_server(ours, trustme.CA()) as url:
        for _ in range(20):
            tls = ClientTls(ca, "identity.ca", own=own)
            with closing(Backend(BackendSettings(url), QUICK, tls=tls)) as backend:
                with pytest.raises(NoAnswer, match=REFUSED) as raised:
                    ask(backend)
                assert raised.value.blocked_reason is Trouble.CERTIFICATE


def test_encrypted_key_cannot_be_used(server: EstServer, tmp_path: Path) -> None:
    words = "openssl ecparam -name prime256v1 -genkey | openssl ec -aes128 -passout pass:x"
    (tmp_path / "tls.pem").write_bytes(subprocess.check_output(f"{words} 2>/dev/null", shell=True))
    with (
        closing(open_backend(server, tmp_path / "tls.pem")) as backend,
        pytest.raises(NoAnswer, match="cannot be used"),
    ):
        ask(backend)
