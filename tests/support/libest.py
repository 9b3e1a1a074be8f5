"""Debian's estserver (libest-utils): a server that others wrote, over openssl's own CA.

TLS 1.2 only, base64 in lines, no labels; its user and password are built in.
"""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.record import certificates, signing
from tests.support.authority import Authority
from tests.support.waiting import until

USER: Final = "estuser"
PASSWORD: Final = "estpwd"

_CONFIG: Final = """
[ca]
default_ca = fleet
[fleet]
database = index.txt
new_certs_dir = issued
certificate = ca.pem
private_key = ca.key
serial = serial
default_days = 365
default_md = sha256
policy = any
x509_extensions = device
unique_subject = no
[any]
commonName = supplied
[device]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


@dataclass(frozen=True)
class LibEst:
    url: str
    folder: Path


@contextmanager
def libest(folder: Path, authority: Authority, *options: str) -> Iterator[LibEst]:
    assert shutil.which("estserver"), "this test needs estserver: apt install libest-utils"
    folder.mkdir()
    (folder / "issued").mkdir()
    _write(folder, authority)
    places = {"TRUSTED_CERTS": "ca.pem", "CACERTS_RESP": "ca.pem", "OPENSSL_CACONFIG": "ca.cnf"}
    environment = os.environ | {f"EST_{name}": place for name, place in places.items()}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["estserver", "-p", str(port), "-c", "tls.pem", "-k", "tls.key", "-r", "fleet", "-b"]
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(
            [*words, "-o", *options], env=environment, cwd=folder, stdout=log, stderr=log
        )
    try:
        until(lambda: _listens(port), told=(folder / "log").read_text)
        yield LibEst(f"https://127.0.0.1:{port}", folder)
    finally:
        running.kill()
        running.wait()


def _write(folder: Path, authority: Authority) -> None:
    key = signing.new_key()
    leaf = authority.issue(key.public_key(), "127.0.0.1", server=True)
    for name, content in {
        "ca.pem": authority.pem,
        "ca.key": signing.private_pem(authority.key),
        "tls.pem": certificates.pem([leaf]),
        "tls.key": signing.private_pem(key),
        "index.txt": b"",
        "serial": b"1000\n",
        "ca.cnf": _CONFIG.encode(),
    }.items():
        (folder / name).write_bytes(content)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
