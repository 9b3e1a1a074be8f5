"""The least that an upload can cost: the bytes of one request per record on one TLS connection.

`python -m tests.bench.upload_raw JOB`; starts a record over when the line is cut.
"""

import json
import socket
import ssl
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.bench.upload_jobs import AGAIN_S


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
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


def _request(record: dict[str, Any], host: str) -> bytes:
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
    """Sends a request and reads an answer without a body. Raises OSError when the line is cut."""
    line.sendall(request)
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        if not (got := line.recv(65_536)):
            raise ConnectionResetError("the server closed the connection")
        answer += got
    if not answer.startswith(b"HTTP/1.1 201 "):
        raise SystemExit(f"the server answered {answer[:200]!r}")


if __name__ == "__main__":
    main()
