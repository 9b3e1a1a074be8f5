"""Readers of requests in JSON, which trust nothing."""

from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

from doorstep_backend.wire import headers
from hardware.foreign import read_json

MAX_QUESTION_BYTES: Final = 16_384
"""A hundred ids are 4 KB, and twice that with every blank that a JSON library puts in."""

MAX_IDS: Final = 100
"""Ids in one POST to /receipts: the wire's limit, whose answer of 40 KB a device still reads."""


async def json_object(request: Request, most_bytes: int = MAX_QUESTION_BYTES) -> dict[str, Any]:
    """Read the body. Raises 413 as soon as it is too long, 400 when it is no JSON object."""
    body = await _body(request, most_bytes)
    try:
        found = read_json(body)
    except ValueError as error:
        raise HTTPException(400, "the body is not JSON") from error
    if not isinstance(found, dict):
        raise HTTPException(400, "the body is not a JSON object")
    return found


def asked_ids(question: dict[str, Any]) -> list[str]:
    """Return the ids that receipts are asked for, each once. Raises 400 for anything else."""
    ids = question.get("capture_ids")
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
        raise HTTPException(400, 'expected {"capture_ids": [...]}')
    if len(ids) > MAX_IDS:
        raise HTTPException(400, f"at most {MAX_IDS} ids in one request")
    return [headers.uuid(one) for one in dict.fromkeys(ids)]


async def _body(request: Request, most_bytes: int) -> bytes:
    length, body = headers.body_length(request) or 0, bytearray()
    if length <= most_bytes:
        async for chunk in request.stream():
            body += chunk
            length = max(length, len(body))
            if length > most_bytes:
                break
    if length > most_bytes:
        raise HTTPException(413, f"at most {most_bytes} bytes in one question")
    return bytes(body)
