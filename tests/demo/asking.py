"""Dispatch asks the device on the road how it is, and looks at what the backend knows of all."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap
from typing import Final

from agent.status import words
from tests.backend.process import Backend
from tests.demo.driver import Van

CLIENT: Final = "dispatch"
"""Whom the devices let ask (`serve.clients`)."""

WIDTH: Final = 72
"""Columns of a line: it is shown further in, on a terminal of 80."""


def name_of(device_id: str) -> str:
    """What a device's own server is called: only the office gives such names."""
    return f"{device_id}.vans.example"


class Asking:
    """Dispatch's own program: `curl`, with a certificate for it."""

    def __init__(self, backend: Backend, folder: Path) -> None:
        self._backend = backend
        self._file = folder / f"{CLIENT}.pem"
        backend.command("clients", "add", CLIENT, "--out", str(self._file))

    def device(self, van: Van) -> Iterator[str]:
        """What `doorstep serve` on a device answers, in words; raises ValueError as `_curl`."""
        port, name = van.serve(), name_of(van.device_id)
        address = f"https://{name}:{port}/v1/status"
        text = self._curl("--connect-to", f"{name}:{port}:127.0.0.1:{port}", address)
        yield f"curl --cert {CLIENT}.pem --cacert ca.pem \\"
        yield f"    --connect-to {name}:{port}:127.0.0.1:{port} \\"
        yield f"    {address}"
        yield f"{len(text)} bytes of JSON, which in words say:"
        for line in words.lines(json.loads(text)):
            if line.startswith("sync "):
                return
            yield from wrap(line, WIDTH, subsequent_indent=" " * 10)

    def fleet(self) -> Iterator[str]:
        """What each device told last, on a request that it made anyway."""
        text = self._curl(f"{self._backend.base_url}/fleet/status")
        for one in json.loads(text)["devices"]:
            needs = [need["what"] for need in one["needs"]]
            line = f"{one['id']}   {'; '.join(needs) or 'needs nobody'}"
            yield from wrap(line, WIDTH, subsequent_indent=" " * 10)

    def _curl(self, *arguments: str) -> str:
        """An answer; raises ValueError where there is none, and says why."""
        curl = shutil.which("curl")
        if curl is None:
            raise ValueError("curl is missing. On Debian: apt install curl")
        command = [curl, "--silent", "--show-error", "--fail-with-body", "--max-time", "10"]
        command += ["--cert", str(self._file), "--cacert", str(self._backend.ca_file)]
        ended = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
        if ended.returncode != 0:
            raise ValueError(f"curl {arguments[-1]}: {ended.stdout}{ended.stderr}")
        return ended.stdout
