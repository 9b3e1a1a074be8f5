"""A small tus server as a script of the raw server, with answers that a test puts first."""

import base64
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from agent.models import Item
from agent.record import signing
from tests.support.rawserver import RawServer, Request, whole

Bytes = Iterable[bytes]


@dataclass
class TusScript:
    """Honest until told otherwise.

    Attributes:
        instead: answers by method and kind of path, as in `POST /files`; used up one by one.
        uploads: what arrived, by path.
        signed: what is put on a finished upload's answer, by header; None for the true receipt.
        place: Location of new uploads; None for the path.
    """

    server: RawServer
    instead: dict[str, list[Bytes]] = field(default_factory=lambda: defaultdict(list))
    uploads: dict[str, bytearray] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    signed: dict[str, str] | None = None
    place: str | None = None

    @property
    def asked(self) -> list[str]:
        """Method and path of all requests, in order."""
        return [f"{request.method} {request.path}" for request in self.server.requests]

    def __call__(self, request: Request) -> Bytes:
        kind = f"{request.method} /{request.path.split('/')[1]}"
        if self.instead[kind]:
            return self.instead[kind].pop(0)
        match kind:
            case "POST /files":
                return self._create(request)
            case "POST /receipts":
                return self._receipts(json.loads(request.body)["capture_ids"])
        if request.path not in self.uploads:
            return whole(404)
        return self._head(request) if request.method == "HEAD" else self._append(request)

    def receipt(self, capture_id: str) -> str:
        content = bytes(self.uploads[f"/files/{capture_id}"])
        return receipt(self.server.key, capture_id, content)

    def _create(self, request: Request) -> Bytes:
        pairs = dict(pair.split(" ") for pair in request.headers["upload-metadata"].split(","))
        capture_id = base64.b64decode(pairs["capture_id"]).decode()
        path = f"/files/{capture_id}"
        self.uploads[path] = bytearray(request.body)
        self.lengths[path] = int(request.headers["upload-length"])
        return self._answer(201, path, Location=self.place or path)

    def _head(self, request: Request) -> Bytes:
        length = self.lengths[request.path]
        offset = len(self.uploads[request.path])
        return whole(200, Upload_Offset=offset, Upload_Length=length)

    def _append(self, request: Request) -> Bytes:
        if int(request.headers["upload-offset"]) != len(self.uploads[request.path]):
            return whole(409)
        self.uploads[request.path] += request.body
        return self._answer(204, request.path)

    def _answer(self, status: int, path: str, **headers: object) -> Bytes:
        offset = len(self.uploads[path])
        if offset == self.lengths[path]:
            token = {"Doorstep-Receipt": self.receipt(path.rpartition("/")[2])}
            headers |= token if self.signed is None else self.signed
        return whole(status, b"", Upload_Offset=offset, **headers)

    def _receipts(self, capture_ids: list[str]) -> Bytes:
        known = [one for one in capture_ids if f"/files/{one}" in self.uploads]
        found = {one: {"receipt": self.receipt(one)} for one in known}
        return whole(200, json.dumps(found).encode())


def receipt(key: signing.PrivateKey, capture_id: str, content: bytes, **other: Any) -> str:
    """Make a receipt, with fields replaced; one replaced by `...` is left out."""
    payload = {
        "v": 1,
        "capture_id": capture_id,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "received_at": "2026-12-01T09:15:07.412Z",
    }
    told = {name: value for name, value in (payload | other).items() if value is not ...}
    return signing.sign(told, key)


def refusal(key: signing.PrivateKey, item: Item, content: bytes, **other: Any) -> str:
    """Make a refusal, with fields replaced."""
    refused = {"received_at": ..., "reason": "damaged", "refused_at": "2026-12-01T09:15:07.412Z"}
    return receipt(key, item.capture_id, content, **(refused | other))
