"""The smallest backend for the road: that of receipts_backend.py, over mutual TLS.

integrate.md explains its rules. The operator puts two more kinds of files into DATA: `fleet.jws`,
and for each device `evidence/DEVICE.pem`, its evidence certificates. To shut a device out, delete
its file.
"""

import argparse
import asyncio
import hashlib
import re
import ssl
from contextvars import ContextVar
from http.client import HTTPMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt  # noqa: TID251 - an example for integrators, which uses nothing of the agent
from cryptography.x509 import load_pem_x509_certificates

if TYPE_CHECKING:
    from agent.docs.receipts_backend import DEVICE_ID, Answer, Backend, document, keep
else:
    from receipts_backend import DEVICE_ID, Answer, Backend, document, keep

DEVICE: ContextVar[str] = ContextVar("DEVICE")
"""The common name of the certificate on this connection; empty without one."""


class RoutesBackend(Backend):
    """A backend that knows who asks: an upload, a record and a manifest belong to one device."""

    def __init__(self, data: Path, key: str) -> None:
        super().__init__(data, key)
        (data / "owners").mkdir(exist_ok=True)  # of unfinished uploads

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read the device's name from the certificate, and answer."""
        subject = (writer.get_extra_info("peercert") or {}).get("subject", ())
        name = dict(pair for names in subject for pair in names).get("commonName", "")
        DEVICE.set(name if re.fullmatch(DEVICE_ID, name) else "")
        await super().serve(reader, writer)

    def answer(self, method: str, path: str, headers: HTTPMessage, body: bytes) -> Answer:
        """Answer a device that shows its certificate."""
        if not DEVICE.get():
            return 403, {}, b"no certificate"
        if not (self.data / "evidence" / f"{DEVICE.get()}.pem").exists():
            return 403, {}, b"certificate unknown"
        try:
            if (method, path) == ("GET", "/fleet"):
                return document(self.data / "fleet.jws", headers)
            return super().answer(method, path, headers, body)
        except PermissionError as error:
            return 403, {}, str(error).encode()

    def manifest(self, headers: HTTPMessage) -> Answer:
        """Answer with the manifest of the device in the certificate."""
        return document(self.data / "manifests" / f"{DEVICE.get()}.jws", headers)

    def progress(self, capture_id: str) -> tuple[int, int]:
        """Return how much arrived of an upload; the device that begins it owns it."""
        progress = super().progress(capture_id)
        if capture_id in self.uploads:
            path = self.data / "owners" / capture_id
            if not path.exists():
                keep(path, DEVICE.get().encode())
            owner = path.read_text()
        else:
            owner = label(self.record(capture_id).read_bytes())[0]["device_id"]
        if owner != DEVICE.get():
            raise PermissionError("this upload is another device's")
        return progress

    def append(self, status: int, capture_id: str, offset: int, body: bytes) -> Answer:
        """Append the body; before a record is whole, check who signed it."""
        if self.progress(capture_id)[0] == offset and capture_id in self.uploads:
            content, _, sha256 = self.uploads[capture_id]
            if hashlib.sha256(content + body).hexdigest() == sha256:
                self.check(capture_id, content + body)
        answer = super().append(status, capture_id, offset, body)
        if capture_id not in self.uploads:
            (self.data / "owners" / capture_id).unlink(missing_ok=True)
        return answer

    def check(self, capture_id: str, content: bytes) -> None:
        """Raise PermissionError unless this device signed the record with a certified key."""
        try:
            members, key = label(content)
            found = members["device_id"], members["capture_id"], members["body"]["sha256"]
            evidence = (self.data / "evidence" / f"{DEVICE.get()}.pem").read_bytes()
        except (jwt.PyJWTError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise PermissionError(f"the record has no label of a device: {error!r}") from None
        is_known = any(key == one.public_key() for one in load_pem_x509_certificates(evidence))
        body = hashlib.sha256(content.partition(b"\n")[2]).hexdigest()
        if not is_known or found != (DEVICE.get(), capture_id, body):
            raise PermissionError("the record is another device's, or its key is not certified")

    def receipt(self, capture_id: str) -> str:
        """Sign for a record of this device. Raise FileNotFoundError without one."""
        try:
            self.progress(capture_id)
        except PermissionError as error:
            raise FileNotFoundError from error
        return super().receipt(capture_id)


def label(content: bytes) -> tuple[dict[str, Any], object]:
    """Return the members of a record's label, and the key in it, which must have signed it."""
    line = content.partition(b"\n")[0]
    key = jwt.PyJWK(jwt.get_unverified_header(line)["jwk"], "ES256")
    return jwt.decode(line, key, ["ES256"]), key.key


async def main() -> None:
    """Serve until a signal ends it."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--data", "--cert", "--key", "--receipt-key", "--ca"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--port", type=int, default=8443)
    args = parser.parse_args()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=args.ca)
    tls.verify_flags &= ~ssl.VERIFY_X509_STRICT  # as devices do: see identity.md
    tls.verify_mode = ssl.CERT_OPTIONAL  # without a certificate the answer is 403, with a text
    tls.load_cert_chain(args.cert, args.key)
    backend = RoutesBackend(args.data, args.receipt_key.read_text())
    server = await asyncio.start_server(backend.serve, "127.0.0.1", args.port, ssl=tls)
    print(f"ready url=https://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
