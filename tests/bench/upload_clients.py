"""Two of those that upload: `python -m tests.bench.upload_clients raw|tuspy JOB`.

`raw` is the least that an upload can cost: the bytes of one request per record on one TLS
connection; it starts a record over when the line is cut. `tuspy` is used as its README does it.
"""

import json
import socket
import ssl
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError, TusUploadFailed

AGAIN_S: Final = 1
"""Wait after a cut if the contender's library or option asks for one.

tuspy's own default is no retry, and 30 s; curl's is 1 s, doubling.
"""

Job = Mapping[str, Any]
"""The content that upload_jobs.Job writes."""


def raw(job: Job) -> None:
    address = urlsplit(job["url"])
    context = ssl.create_default_context(cafile=job["ca"])
    context.load_cert_chain(job["certificate"], job["key"])
    line: ssl.SSLSocket | None = None
    for record in job["records"]:
        request = _request(record, address.netloc)
        while True:
            try:
                line = line or _connected(address.hostname, address.port, context)
                _exchange(line, request)
                break
            except OSError:
                line = None
                time.sleep(AGAIN_S)


def _connected(host: str | None, port: int | None, context: ssl.SSLContext) -> ssl.SSLSocket:
    plain = socket.create_connection((host or "", port or 0))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(plain, server_hostname=host)


def _request(record: Mapping[str, Any], host: str) -> bytes:
    content = Path(record["path"]).read_bytes()
    lines = {
        "Host": host,
        "Content-Length": str(len(content)),
        "Upload-Length": str(len(content)),
        "Upload-Metadata": record["metadata"],
    }
    head = "".join(f"{name}: {text}\r\n" for name, text in lines.items())
    return f"PUT /put/{record['capture_id']} HTTP/1.1\r\n{head}\r\n".encode() + content


def _exchange(line: ssl.SSLSocket, request: bytes) -> None:
    """Send a request and read an answer without a body. Raises OSError when the line is cut."""
    line.sendall(request)
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        if not (got := line.recv(65_536)):
            raise ConnectionResetError("the server closed the connection")
        answer += got
    if not answer.startswith(b"HTTP/1.1 201 "):
        raise SystemExit(f"the server answered {answer[:200]!r}")


def tuspy(job: Job) -> None:
    client = TusClient(f"{job['url']}/files", client_cert=(job["certificate"], job["key"]))
    for record in job["records"]:
        known = None
        while True:
            try:
                client.uploader(
                    file_path=record["path"],
                    metadata=record["said"],
                    url=known,
                    retries=100,
                    retry_delay=AGAIN_S,
                ).upload()
                break
            except (TusCommunicationError, TusUploadFailed) as error:
                if error.status_code == 409:  # it was created, but the answer was lost
                    known = f"{job['url']}/files/{record['capture_id']}"
                time.sleep(AGAIN_S)


if __name__ == "__main__":
    {"raw": raw, "tuspy": tuspy}[sys.argv[1]](json.loads(Path(sys.argv[2]).read_text()))
