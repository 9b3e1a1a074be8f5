"""Dispatch asks the device on the road how it is, and looks at what the backend knows of all."""

import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap
from typing import Final
from urllib.parse import urlsplit

from agent.status import words
from doorstep_backend.reports.shape import known_members, status_of
from tests.demo.driver import DemoDevice
from tests.support.backend import Backend

CLIENT: Final = "dispatch"
"""Whom the devices let ask (`serve.clients`)."""

WIDTH: Final = 72
"""Columns of a line: it is shown further in, on a terminal of 80."""

WITHIN_S: Final = 10.0
"""Longest wait for each step of an answer, of servers on this machine."""


def name_of(device_id: str) -> str:
    """Return the name of a device's own server; only the office gives such names."""
    return f"{device_id}.vans.example"


class Asking:
    """Dispatch's own program: an HTTPS client with a certificate for it."""

    def __init__(self, backend: Backend, folder: Path) -> None:
        self._backend = backend
        self._file = folder / f"{CLIENT}.pem"
        backend.command("clients", "add", CLIENT, "--out", str(self._file))

    def device(self, van: DemoDevice) -> Iterator[str]:
        """Return the answer of `doorstep serve` as text. Raises ValueError as `_get`."""
        address = f"https://{name_of(van.device_id)}:{van.serve()}/v1/status"
        text = self._get(address)
        yield f"GET {address}"
        yield f"with {CLIENT}.pem, the certificate of dispatch: {len(text)} bytes of JSON."
        yield "In words they say:"
        for line in words.lines(status_of(known_members(json.loads(text)))):
            if line.startswith("sync "):
                return
            yield from wrap(line, WIDTH, subsequent_indent=" " * 10)

    def fleet(self) -> Iterator[str]:
        """The last report of each device, on a request that it made anyway."""
        text = self._get(f"{self._backend.base_url}/fleet/status")
        for one in json.loads(text)["devices"]:
            needs = [need["what"] for need in one["needs"]]
            line = f"{one['id']}   {'; '.join(needs) or 'needs nobody'}"
            yield from wrap(line, WIDTH, subsequent_indent=" " * 10)

    def _get(self, address: str) -> str:
        """Return the body of a 200 from a server on this machine, whatever its name.

        Raises:
            ValueError: there was no answer, or not a 200; the message says which.
        """
        parts = urlsplit(address)
        name, port = parts.hostname or "", parts.port or 443
        trust = ssl.create_default_context(cafile=self._backend.ca_file)
        trust.load_cert_chain(self._file)
        try:
            with (
                socket.create_connection(("127.0.0.1", port), WITHIN_S) as plain,
                trust.wrap_socket(plain, server_hostname=name) as line,
            ):
                connection = http.client.HTTPConnection(name, port)
                connection.sock = line
                connection.request("GET", parts.path)
                answer = connection.getresponse()
                text = answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise ValueError(f"GET {address}: no answer: {error}") from error
        if answer.status != http.client.OK:
            raise ValueError(f"GET {address}: answered with {answer.status}: {text}")
        return text
