"""Receipts and refusals that are wrong, missing or another's, in place of the true ones."""

import json
from collections.abc import Callable
from typing import Any, Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.record import signing
from agent.record.receipt import RECEIPT_TYPE, REFUSAL_TYPE
from tests.support.faulty.switches import IN_FORCE, ReceiptMode

HEADERS: Final = {"Doorstep-Receipt": RECEIPT_TYPE, "Doorstep-Refusal": REFUSAL_TYPE}

MEMBERS: Final = {"receipt": RECEIPT_TYPE, "refusal": REFUSAL_TYPE}
"""Members of the answer of POST /receipts for one id, and the type of each."""

WRONG: Final = {
    ReceiptMode.OTHER_ID: {"capture_id": "00000000-0000-4000-8000-000000000000"},
    ReceiptMode.OTHER_DIGEST: {"sha256": "0" * 64},
    ReceiptMode.OTHER_KEY: dict[str, str](),
}
"""Members of a payload that are replaced before it is signed again."""

GARBAGE: Final = "bm90.YQ.signature"


class Forger:
    """ASGI middleware: sends the application's answer with the receipts that are switched on.

    Args:
        key: returns the key that signs the true receipts.
    """

    def __init__(self, app: ASGIApp, key: Callable[[], signing.PrivateKey]) -> None:
        self._app = app
        self._key = key
        self._strange_key = signing.new_key()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self._app(scope, receive, keep)
        start, *rest = messages
        headers, body = MutableHeaders(raw=start["headers"]), b"".join(m["body"] for m in rest)
        self._change_headers(headers)
        if scope["path"] == "/receipts" and start["status"] == 200:
            body = json.dumps(self._changed(json.loads(body))).encode()
            headers["Content-Length"] = str(len(body))
        await send({**start, "headers": headers.raw})
        await send({"type": "http.response.body", "body": body})

    def _change_headers(self, headers: MutableHeaders) -> None:
        mode = IN_FORCE.get().receipt
        for name in HEADERS.keys() & {one.title() for one in headers}:
            if mode is ReceiptMode.NONE:
                del headers[name]
            else:
                headers[name] = self._forged(headers[name], HEADERS[name], mode)

    def _changed(self, told: dict[str, Any]) -> dict[str, Any]:
        switches = IN_FORCE.get()
        if switches.receipts_null:
            return dict.fromkeys(told)
        return {
            capture_id: found
            and {name: self._forged(found[name], MEMBERS[name], switches.receipt) for name in found}
            for capture_id, found in told.items()
        }

    def _forged(self, jws: str, typ: str, mode: ReceiptMode) -> str:
        if mode is ReceiptMode.GARBAGE:
            return GARBAGE
        if mode not in WRONG:
            return jws
        key = self._strange_key if mode is ReceiptMode.OTHER_KEY else self._key()
        return signing.sign(signing.unverified_payload(jws) | WRONG[mode], key, typ=typ)
