"""What an upload contender gets to do, and the five of them as processes."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.models import Item
from agent.trust.store import TrustStore
from tests.bench.upload_clients import AGAIN_S
from tests.bench.upload_server import Server
from tests.support.backend import REPOSITORY
from tests.support.device import Device
from tests.support.enrolment import Enrolled, required
from tests.support.npm import install, program

NODE_FOLDER: Final = Path(__file__).parent / "upload_js"
"""Holds package.json; `npm ci` puts node_modules here, which git ignores."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record file to upload, and what is announced of it."""

    capture_id: str
    path: Path
    bytes: int
    sha256: str

    @classmethod
    def of(cls, item: Item, path: Path) -> "Record":
        return cls(item.capture_id, path, item.bytes, item.sha256)

    @property
    def said(self) -> dict[str, str]:
        kind = "application/octet-stream"
        return {"capture_id": self.capture_id, "sha256": self.sha256, "filetype": kind}

    @property
    def metadata(self) -> str:
        """The header Upload-Metadata."""
        pairs = ((key, base64.b64encode(text.encode()).decode()) for key, text in self.said.items())
        return ",".join(f"{key} {text}" for key, text in pairs)


@dataclass(frozen=True, slots=True)
class Job:
    """One contender's work on one line.

    Attributes:
        folder: a new one for its files.
        server: where the records go.
        port: to connect to: the server's own, or that of a proxy before it.
        device: whose records they are; `doorstep sync` sends them from its queue.
        identity: the device's own certificate, which every contender shows.
    """

    folder: Path
    server: Server
    port: int
    device: Device
    records: Sequence[Record]
    identity: Enrolled

    @property
    def url(self) -> str:
        return f"https://{self.server.name}:{self.port}"

    def write(self) -> str:
        """Return a file that says all of it, as JSON."""
        records = [
            {"metadata": one.metadata, "said": one.said, "path": str(one.path)}
            | {"capture_id": one.capture_id, "bytes": one.bytes}
            for one in self.records
        ]
        certificate, key = map(str, self.identity.files)
        told = {"url": self.url, "ca": str(self.server.ca_file), "records": records}
        path = self.folder / "job.json"
        path.write_text(json.dumps(told | {"certificate": certificate, "key": key}))
        return str(path)


def ours(job: Job) -> list[str]:
    """`doorstep sync`, the real process, on the queue that the stock has filled."""
    layout = job.device.layout
    tables = required(job.server, job.url)
    job.device.configure(device={"id": job.identity.device_id}, **tables)
    job.identity.into(layout.sync_keys)
    TrustStore(layout).keep_fleet((job.server.fleet_document(),))
    return job.device.words("sync")


def raw(job: Job) -> list[str]:
    return [sys.executable, "-m", "tests.bench.upload_clients", "raw", job.write()]


def curl(job: Job) -> list[str]:
    """One process, one kept connection, one PUT per record."""
    config = job.folder / "curl.config"
    config.write_text("next\n".join(_curl_step(job, one) for one in job.records))
    return [program("curl", "curl"), "--disable", "--config", str(config)]


def tuspy(job: Job) -> list[str]:
    python = [sys.executable, "-W", "ignore"]
    return [*python, "-m", "tests.bench.upload_clients", "tuspy", job.write()]


def tus_js(job: Job) -> list[str]:
    install(NODE_FOLDER)
    return [program("node", "nodejs"), str(NODE_FOLDER / "upload.mjs"), job.write()]


CONTENDERS: Final[dict[str, Callable[[Job], list[str]]]] = {
    "ours": ours,
    "raw socket": raw,
    "curl": curl,
    "tuspy": tuspy,
    "tus-js-client": tus_js,
}
"""Each prepares a job and returns the command that does it."""


def start(name: str, job: Job) -> "subprocess.Popen[bytes]":
    """Start a contender; what it says is in a log in the job's folder."""
    command = CONTENDERS[name](job)
    trusted = dict.fromkeys(("REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"), str(job.server.ca_file))
    with (job.folder / "log").open("wb") as log:
        return subprocess.Popen(
            command, cwd=REPOSITORY, stdout=log, stderr=log, env={**os.environ, **trusted}
        )


def _curl_step(job: Job, record: Record) -> str:
    lines = {
        "url": f"{job.url}/put/{record.capture_id}",
        "upload-file": record.path,
        "output": os.devnull,
        "cacert": job.server.ca_file,
        "cert": job.identity.certificate_file,
        "key": job.identity.key_file,
        "retry": 1_000,
        "retry-delay": AGAIN_S,
    }
    said = (f"Upload-Length: {record.bytes}", f"Upload-Metadata: {record.metadata}", "Expect:")
    words = ["silent", "show-error", "fail", "retry-all-errors"]
    words += [f'{name} = "{value}"' for name, value in lines.items()]
    return "\n".join([*words, *(f'header = "{one}"' for one in said)]) + "\n"
