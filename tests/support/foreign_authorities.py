"""Authorities that others wrote, and that get requests and give certificates as files."""

import shutil
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final

SUBJECT: Final = "/C=DE/ST=Hessen/O=Parcels/CN=Fleet CA"

SERVER: Final = "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n"

_CURVE: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")

_DATABASE: Final = "demoCA"
"""Folder of `openssl ca`. Source: OpenSSL's openssl.cnf, CA_default."""


def run(*words: object, cwd: Path | None = None) -> bytes:
    """Run one program to its end. Raises AssertionError, with what it said."""
    told = [str(word) for word in words]
    ran = subprocess.run(told, cwd=cwd, capture_output=True, check=False, timeout=30)
    assert ran.returncode == 0, ran.stderr.decode()[-2000:]
    return ran.stdout


class ForeignAuthority(ABC):
    """A CA in a folder, with its certificate in `ca.pem` and its key in `ca.key`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.ca_file, self.key_file = folder / "ca.pem", folder / "ca.key"
        self.make()

    def make(self) -> None:
        """Make the CA's key and its certificate."""
        out = ("-keyout", self.key_file, "-out", self.ca_file)
        run("openssl", "req", "-x509", *_CURVE, *out, "-subj", SUBJECT, "-days", "3650")

    @abstractmethod
    def sign(self, csr: Path, *, days: int = 90) -> Path:
        """Make a certificate of a request; return its file."""

    def server(self) -> tuple[Path, Path]:
        """Return the certificate and the key of a server on this machine."""
        key, csr, out = (self.folder / f"server.{end}" for end in ("key", "csr", "pem"))
        run("openssl", "req", *_CURVE, "-keyout", key, "-out", csr, "-subj", "/CN=127.0.0.1")
        extensions = self.folder / "server.cnf"
        extensions.write_text(SERVER)
        by = ("-CA", self.ca_file, "-CAkey", self.key_file, "-days", "90")
        run("openssl", "x509", "-req", "-in", csr, *by, "-extfile", extensions, "-out", out)
        return out, key


class OpensslCa(ForeignAuthority):
    """`openssl ca` with the configuration that OpenSSL brings, as in Debian.

    Attributes:
        copies: whether the line `copy_extensions = copy` is no comment, as it is in that file.
    """

    copies = True

    def make(self) -> None:
        super().make()
        database = self.folder / _DATABASE
        for name in ("newcerts", "private"):
            (database / name).mkdir(parents=True)
        shutil.copy(self.ca_file, database / "cacert.pem")
        shutil.copy(self.key_file, database / "private/cakey.pem")
        (database / "index.txt").touch()
        (database / "serial").write_text("01\n")

    def sign(self, csr: Path, *, days: int = 90) -> Path:
        out = csr.with_suffix(".pem")
        words = ("-batch", "-notext", "-days", days, "-in", csr, "-out", out)
        run("openssl", "ca", "-config", self._configuration(), *words, cwd=self.folder)
        return out

    def _configuration(self) -> Path:
        place = run("openssl", "version", "-d").decode().split('"')[1]
        text = Path(place, "openssl.cnf").read_text()
        commented, line = "# copy_extensions = copy", "copy_extensions = copy"
        assert text.count(commented) == 1
        made = self.folder / "openssl.cnf"
        made.write_text(text.replace(commented, line) if self.copies else text)
        return made


class OpensslX509(ForeignAuthority):
    """`openssl x509 -req`, told to copy what the request asks for, but to make no authority."""

    def sign(self, csr: Path, *, days: int = 90) -> Path:
        out, extensions = csr.with_suffix(".pem"), self.folder / "device.cnf"
        extensions.write_text("basicConstraints = critical, CA:FALSE\n")
        by = ("-CA", self.ca_file, "-CAkey", self.key_file, "-days", days)
        how = ("-copy_extensions", "copy", "-extfile", extensions)
        run("openssl", "x509", "-req", "-in", csr, *by, *how, "-out", out)
        return out


class Pki(ForeignAuthority):
    """strongSwan's `pki`."""

    def make(self) -> None:
        key = run("pki", "--gen", "--type", "ecdsa", "--size", "256", "--outform", "pem")
        self.key_file.write_bytes(key)
        name = ", ".join(SUBJECT.strip("/").split("/"))
        how = ("--in", self.key_file, "--type", "ecdsa", "--lifetime", "3650", "--outform", "pem")
        self.ca_file.write_bytes(run("pki", "--self", "--ca", "--dn", name, *how))

    def sign(self, csr: Path, *, days: int = 90) -> Path:
        out = csr.with_suffix(".pem")
        by = ("--cacert", self.ca_file, "--cakey", self.key_file, "--lifetime", days)
        how = ("--type", "pkcs10", "--in", csr, "--outform", "pem")
        out.write_bytes(run("pki", "--issue", *by, *how))
        return out
