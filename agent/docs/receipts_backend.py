"""The smallest backend, for a bench: it keeps records, signs receipts and gives out manifests.

integrate.md explains its rules. Here no client proves which device it is.
"""

import argparse
import asyncio
import hashlib
import json
import os
import re
import ssl
from base64 import b64decode, urlsafe_b64encode
from contextlib import closing, suppress
from http.client import HTTPMessage, parse_headers, responses
from io import BytesIO
from pathlib import Path
from time import gmtime, strftime

import jwt  # noqa: TID251 - an example for integrators, which uses nothing of the agent

SILENCE_S, MAX_BYTES, MAX_IDS = 30, 2**25, 100
CAPTURE_ID, DEVICE_ID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "[A-Za-z0-9][A-Za-z0-9._-]*"
Answer = tuple[int, dict[str, str], bytes]


class Uploads(dict[str, tuple[bytes, int, str]]):
    """The bytes, length and SHA-256 of unfinished uploads; a file of each is for a restart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for path in folder.glob("*[0-9a-f]"):  # not ID.new
            head, _, content = path.read_bytes().partition(b"\n")
            super().__setitem__(path.name, (content, *json.loads(head)))

    def __setitem__(self, capture_id: str, upload: tuple[bytes, int, str]) -> None:
        content, *announced = upload
        if content:
            keep(self.folder / capture_id, json.dumps(announced).encode() + b"\n" + content)
        super().__setitem__(capture_id, upload)

    def __delitem__(self, capture_id: str) -> None:
        (self.folder / capture_id).unlink(missing_ok=True)
        super().__delitem__(capture_id)


class Backend:
    """The whole records, in `received/ID.rec`, and the unfinished uploads, in `begun/ID`.

    A request changes an upload only once its body has arrived, and without a pause in between:
    each upload has one writer at a time.
    """

    def __init__(self, data: Path, key: str) -> None:
        self.data, self.key = data, key
        self.uploads = Uploads(data / "begun")
        es256 = jwt.get_algorithm_by_name("ES256")
        jwk = es256.to_jwk(es256.prepare_key(key), as_dict=True)
        members = ",".join(f'"{name}":"{jwk[name]}"' for name in ("crv", "kty", "x", "y"))
        digest = hashlib.sha256(f"{{{members}}}".encode()).digest()  # RFC 7638
        self.header = {"typ": "doorstep-receipt", "kid": urlsafe_b64encode(digest).decode()[:43]}
        for name in ("received", "begun", "manifests"):
            (data / name).mkdir(parents=True, exist_ok=True)
        flush(data)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of a connection until it ends, is cut off or is silent."""
        with closing(writer), suppress(ConnectionError, EOFError, TimeoutError, ssl.SSLError):
            unread = 0
            while not unread:
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), SILENCE_S)
                line, _, rest = head.partition(b"\r\n")
                method, path, _ = line.decode().split(" ")
                request = parse_headers(BytesIO(rest))
                is_endless = "Transfer-Encoding" in request
                length = -1 if is_endless else int(request.get("Content-Length", "0"))
                body = await read_body(reader, min(length, MAX_BYTES + 1))
                unread = length - len(body)  # it was cut off, is too long, or has no length
                status, headers, text = self.answer(method, path, request, body)
                headers |= {"Tus-Resumable": "1.0.0", "Cache-Control": "no-store"}
                headers |= {"Connection": "close"} if unread else {}
                headers |= {} if status == 204 else {"Content-Length": str(len(text))}
                lines = [f"HTTP/1.1 {status} {responses.get(status, '')}"]
                lines += [f"{name}: {value}" for name, value in headers.items()]
                sent = b"" if method == "HEAD" or status == 304 else text
                writer.write("\r\n".join([*lines, "", ""]).encode() + sent)
                await writer.drain()

    def answer(  # noqa: PLR0911 - a line for each request
        self, method: str, path: str, headers: HTTPMessage, body: bytes
    ) -> Answer:
        """Return the status, the headers and the text of the answer to a request."""
        try:
            match method, path.split("/")[1:]:
                case "POST", ["files"]:
                    return self.create(headers, body)
                case "HEAD", ["files", capture_id]:
                    arrived, length = self.progress(capture_id)
                    return 200, {"Upload-Offset": str(arrived), "Upload-Length": str(length)}, b""
                case "PATCH", ["files", capture_id]:
                    return self.append(204, capture_id, int(headers["Upload-Offset"]), body)
                case "POST", ["receipts"]:
                    return self.receipts(json.loads(body)["capture_ids"])
                case "GET", ["manifest"]:
                    return self.manifest(headers)
                case _, ["files", *_] | ["receipts"] | ["manifest"]:
                    return 405, {"Allow": "GET, HEAD, PATCH, POST"}, b"no such method here"
        except (KeyError, TypeError, ValueError) as error:
            return 400, {}, f"a header or the body is wrong: {error!r}".encode()
        except FileNotFoundError:
            pass
        return 404, {}, b"no such upload, path or manifest"

    def record(self, capture_id: str) -> Path:
        """Return the file of a whole record."""
        if not re.fullmatch(CAPTURE_ID, capture_id):
            raise ValueError("capture_id must be a UUID in lower case")
        return self.data / "received" / f"{capture_id}.rec"

    def progress(self, capture_id: str) -> tuple[int, int]:
        """Return how many bytes arrived, and of how many; or raise FileNotFoundError."""
        if capture_id in self.uploads:
            content, length, _ = self.uploads[capture_id]
            return len(content), length
        return (self.record(capture_id).stat().st_size,) * 2

    def create(self, headers: HTTPMessage, body: bytes) -> Answer:
        """Begin an upload, never twice, and append the body."""
        pairs = [pair.split(" ") for pair in headers.get("Upload-Metadata", "").split(",")]
        metadata = {name: b64decode(text, validate=True).decode() for name, text in pairs}
        capture_id, length = metadata["capture_id"], max(0, int(headers["Upload-Length"]))
        if length > MAX_BYTES:
            return 413, {}, b"the record is too long"
        if self.record(capture_id).exists() or capture_id in self.uploads:
            return 409, {}, b"this upload was begun before: ask for its offset by HEAD"
        self.uploads[capture_id] = b"", length, metadata["sha256"]
        return self.append(201, capture_id, 0, body)

    def append(self, status: int, capture_id: str, offset: int, body: bytes) -> Answer:
        """Append the body; a record that is whole now is kept, and its upload closed."""
        arrived, length = self.progress(capture_id)
        if offset != arrived:
            return 409, {}, f"the upload has {arrived} bytes".encode()
        if offset + len(body) > length:
            return 413, {}, b"the body is longer than what is missing"
        headers = {"Location": f"/files/{capture_id}", "Upload-Offset": str(offset + len(body))}
        if capture_id in self.uploads:
            content, _, sha256 = self.uploads[capture_id]
            content += body
            if len(content) < length:
                self.uploads[capture_id] = content, length, sha256
                return status, headers, b""
            del self.uploads[capture_id]
            if hashlib.sha256(content).hexdigest() != sha256:
                return 460, {}, b"the bytes have another digest: create the upload again"
            keep(self.record(capture_id), content)
        return status, headers | {"Doorstep-Receipt": self.receipt(capture_id)}, b""

    def receipt(self, capture_id: str) -> str:
        """Flush the file's name, and sign what is on the disk; or raise FileNotFoundError."""
        record = self.record(capture_id)
        flush(record.parent)
        content, at = record.read_bytes(), gmtime(record.stat().st_mtime)
        members = {"v": 1, "capture_id": capture_id, "sha256": hashlib.sha256(content).hexdigest()}
        members |= {"bytes": len(content), "received_at": strftime("%Y-%m-%dT%H:%M:%SZ", at)}
        return jwt.encode(members, self.key, "ES256", self.header)

    def receipts(self, capture_ids: list[str]) -> Answer:
        """Answer with the receipts of whole records, and null for others."""
        found: dict[str, dict[str, str] | None] = dict.fromkeys(capture_ids)
        if len(capture_ids) > MAX_IDS:
            return 400, {}, f"a question has {MAX_IDS} ids at most".encode()
        for capture_id in found:
            with suppress(FileNotFoundError):
                found[capture_id] = {"receipt": self.receipt(capture_id)}
        return 200, {"Content-Type": "application/json"}, json.dumps(found).encode()

    def manifest(self, headers: HTTPMessage) -> Answer:
        """Answer with the manifest that an operator signed: `manifests/DEVICE.jws`."""
        device_id = b64decode(headers.get("Authorization", "")[len("Basic ") :]).decode()[:-1]
        if not re.fullmatch(DEVICE_ID, device_id):
            return 401, {"WWW-Authenticate": 'Basic realm="device"'}, b"no device is named"
        return document(self.data / "manifests" / f"{device_id}.jws", headers)


def document(path: Path, headers: HTTPMessage) -> Answer:
    """Answer with a signed document. Raise FileNotFoundError without it."""
    token = path.read_bytes().strip()
    tag = f'"{hashlib.sha256(token).hexdigest()}"'
    status = 304 if tag in headers.get("If-None-Match", "") else 200
    return status, {"ETag": tag, "Content-Type": "application/jose"}, token


async def read_body(reader: asyncio.StreamReader, length: int) -> bytes:
    """Return a body, or the part that arrived before the connection was cut off or silent."""
    body = bytearray()
    with suppress(ConnectionError, TimeoutError):
        while len(body) < length and not reader.at_eof():
            body += await asyncio.wait_for(reader.read(length - len(body)), SILENCE_S)
    return bytes(body)


def keep(path: Path, content: bytes) -> None:
    """Write a file, and flush its bytes before it gets its name, so that no half of it is kept."""
    new = path.with_suffix(".new")
    new.write_bytes(content)
    flush(new)
    new.rename(path)


def flush(path: Path) -> None:
    """Flush the bytes of a file, or the names in a folder."""
    opened = os.open(path, os.O_RDONLY)
    os.fsync(opened)
    os.close(opened)


async def main() -> None:
    """Serve until a signal ends the process, at any moment."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--data", "--cert", "--key", "--receipt-key"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8443)
    args = parser.parse_args()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(args.cert, args.key)
    backend = Backend(args.data, args.receipt_key.read_text())
    server = await asyncio.start_server(backend.serve, args.host, args.port, ssl=tls)
    print(f"ready url=https://{args.host}:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
