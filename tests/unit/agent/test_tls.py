"""The demands of TLS on a certificate, at both ends."""

import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agent.record import certificates, signing
from agent.tls import new_context
from tests.support.authority import Authority, new_authority

WITHIN_S = 10


@pytest.mark.parametrize("key_usage", [True, False])
@pytest.mark.parametrize("trusts_intermediate", [True, False])
def test_authority_is_trusted_with_or_without_a_key_usage(
    tmp_path: Path, key_usage: bool, trusts_intermediate: bool
) -> None:
    """Python's defaults refuse a trusted intermediate before 3.13, and no key usage since."""
    root = new_authority(key_usage=key_usage)
    below = root.below("intermediate")
    ca = tmp_path / "ca.pem"
    ca.write_bytes(below.pem if trusts_intermediate else root.pem)
    server, client = (
        new_context(side, ca) for side in (ssl.Purpose.CLIENT_AUTH, ssl.Purpose.SERVER_AUTH)
    )
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_cert_chain(own(tmp_path / "server.pem", below, server=True))
    client.load_cert_chain(own(tmp_path / "client.pem", below))

    assert exchanged(server, client) == b"hello"
    assert server.minimum_version is client.minimum_version is ssl.TLSVersion.TLSv1_2


def own(path: Path, authority: Authority, *, server: bool = False) -> Path:
    key = signing.new_key()
    leaf = authority.issue(key.public_key(), "van-7", server=server)
    path.write_bytes(signing.private_pem(key) + certificates.pem([leaf, *authority.above]))
    return path


def exchanged(server: ssl.SSLContext, client: ssl.SSLContext) -> bytes:
    """Return what the server sends after it has verified the client."""
    near, far = socket.socketpair()
    near.settimeout(WITHIN_S)
    far.settimeout(WITHIN_S)

    def serve() -> None:
        with server.wrap_socket(far, server_side=True) as line:
            line.sendall(b"hello")

    with ThreadPoolExecutor(1) as pool:
        serving = pool.submit(serve)
        with client.wrap_socket(near, server_hostname="127.0.0.1") as line:
            told = line.recv(5)
        serving.result()
    return told
