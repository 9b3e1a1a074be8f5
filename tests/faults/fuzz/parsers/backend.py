"""Parsers of what the reference backend gets from devices, browsers and other systems."""

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final
from urllib.parse import parse_qsl

import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import Request

from agent.status import header
from doorstep_backend import zones
from doorstep_backend.api import addresses, day_routes, orders, service
from doorstep_backend.copies import labels, making
from doorstep_backend.copies.shows import Shows
from doorstep_backend.languages import Languages, drafts
from doorstep_backend.office import picture, segments
from doorstep_backend.pages import auth, limits
from doorstep_backend.reports import asked, pull_one, read
from doorstep_backend.wire import headers, questions
from tests.faults.fuzz.parsers.asked import asked_with
from tests.faults.fuzz.parsers.keys import DEVICE
from tests.faults.fuzz.parsers.parser import Parser
from tests.faults.fuzz.shapes import Shape

_UPLOAD: Final = 33_554_432
_HEADER: Final = 65_536
"""Longest header that the server in front passes on."""

NOW: Final = datetime(2026, 12, 1, 12, tzinfo=UTC)


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


def _metadata(content: bytes) -> object:
    given = {b"upload-length": b"512000", b"upload-metadata": content}
    return headers.announced(asked_with(given))


def _numbers(content: bytes) -> object:
    given = {b"upload-length": content, b"upload-offset": content}
    request = asked_with(given)
    return headers.number(request, "Upload-Offset"), headers.number(request, "Upload-Length")


def _question(content: bytes) -> object:
    return questions.asked_ids(_loop().run_until_complete(_json(asked_with({}, content))))


async def _json(request: Request, most_bytes: int = questions.MAX_QUESTION_BYTES) -> dict[str, Any]:
    return await questions.json_object(request, most_bytes)


def _documents(content: bytes) -> object:
    """Read a document of another system as each of those that there are."""
    given = _loop().run_until_complete(_json(asked_with({}, content), service.MOST_BYTES))
    route = DEVICE, str(given.get("day", ""))
    return (
        addresses.read("home", given),
        orders.read("2001", given, {"PRACTICE"}),
        day_routes.read(route, given, zones.UTC_ZONE, NOW),
    )


def _report(content: bytes) -> object:
    """Parse a device's header; JSON is first put into a header."""
    text = content.decode("latin-1")
    if content.startswith(b"{"):
        text = header.base64.urlsafe_b64encode(content).rstrip(b"=").decode()  # type: ignore[attr-defined]
    return _told(read.read(text, DEVICE, NOW))


def _told(found: read.StatusReport | str) -> object:
    """Read everything that the fleet's pages and numbers use of a report."""
    if isinstance(found, str):
        return found
    return (
        json.dumps(found.document),
        *(found.needs, found.unknown_needs, found.worst, found.waiting, found.oldest_utc),
        *(found.agent, found.bench_mode),
    )


def _pulled(content: bytes) -> object:
    """Parse a device's answer to a request for its status."""
    if content.startswith(b"{"):
        content = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content)
    return _told(pull_one._read(content[: pull_one.MOST_BYTES], DEVICE))  # noqa: SLF001 - off a line


def _query(content: bytes) -> object:
    """Parse the query of `/fleet/status` and of the fleet's page; only ASCII gets this far."""
    content = bytes(one for one in content if 0x20 < one < 0x7F)
    request = asked_with({}, query=content)
    with suppress(asked.NotAskedRightError):
        asked.StatusQuery.read(request.query_params.multi_items())
    return asked.StatusQuery.read(parse_qsl(content.decode("latin-1"))), auth.fields(
        request.url.query
    )


def _form(content: bytes) -> object:
    request = asked_with({}, content)
    return _loop().run_until_complete(_fields(request))


async def _fields(request: Request) -> dict[str, str]:
    return await auth._form(request)  # noqa: SLF001 - behind a session


@cache
def _spoken() -> Languages:
    return Languages.read(drafts())


def _languages(content: bytes) -> object:
    return _spoken().choose("", "", content.decode("latin-1"))


def _network(content: bytes) -> object:
    return limits.Try("a", content.decode("latin-1"), "").place()


def _copy(content: bytes) -> object:
    return picture.customer_copy(content)


class _NoFaces:
    """A stand-in that finds no faces: the real one is a network over pixels, and not a parser."""

    def areas(self, pixels: object) -> list[Any]:
        del pixels
        return []


def _decoded(content: bytes) -> object:
    """Run the decoder and the code reader on a photo that passed as a picture."""
    return making.made(content, Shows.NO_LABEL, _NoFaces())  # type: ignore[arg-type]


def _allowed(content: bytes) -> tuple[float, float]:
    """Return the seconds and megabytes that decoding a picture and searching it for codes may take.

    Seconds: ten times what was measured in November 2026 on x86-64, 25 ns a pixel for decoding and
    90 ns for reading codes, in three turned copies. Memory: 3 bytes a pixel of colours, and 5 bytes
    a pixel of a turned copy, because zxing-cpp makes copies of what it searches.
    """
    pixels = turned = 0.0
    try:
        for marker, segment in segments.segments(content):
            if marker in segments.FRAMES:
                width, height = segments.frame_size(segment)
                pixels = max(pixels, width * height)
                turned = max(turned, min(width**2 + height**2, labels.MOST_TURNED_PX))
    except (ValueError, IndexError, picture.struct.error):  # type: ignore[attr-defined]
        pass
    return pixels * 1e-6, (3 * pixels + 5 * turned) / 1e6


def _labels(content: bytes) -> object:
    """Read the codes on a decoded picture that is no narrower than `picture` allows."""
    width = int.from_bytes(content[:2], "big") % 1_000 or 1
    height = min((len(content) - 2) // width, picture.MAX_RATIO * width)
    if height < 1 or width > picture.MAX_RATIO * height:
        return None
    grey = np.frombuffer(content, np.uint8, height * width, 2).reshape(height, width)
    return labels.areas(np.repeat(grey[:, :, None], 3, axis=2))


BACKEND: Final = (
    Parser("metadata", _metadata, (HTTPException,), most_bytes=_HEADER),
    Parser("numbers", _numbers, (HTTPException,), most_bytes=_HEADER),
    Parser("question", _question, (HTTPException,), Shape.JSON, 40_000),
    Parser("office-document", _documents, (HTTPException,), Shape.JSON, service.MOST_BYTES),
    Parser("report", _report, (), Shape.JSON, _HEADER),
    Parser("pulled", _pulled, (), Shape.JSON, pull_one.MOST_BYTES),
    Parser("query", _query, (HTTPException, asked.NotAskedRightError), most_bytes=_HEADER),
    Parser("form", _form, (HTTPException,), most_bytes=20_000),
    Parser("languages", _languages, (), most_bytes=_HEADER),
    Parser("network", _network, (), most_bytes=1_000),
    Parser("picture", _copy, (ValueError,), Shape.JPEG, _UPLOAD, _allowed),
    Parser("pixels", _decoded, (ValueError, making.NotMade), Shape.JPEG, 2_000_000, _allowed),
    Parser("codes", _labels, (), most_bytes=200_000),
)
