"""Readers of answers of tus and HTTP, which trust nothing; pure."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urljoin, urlsplit

from agent.models import printable

FILE_TYPE: Final = "application/octet-stream"
"""`filetype` in Upload-Metadata: a label line and a tar have no registered type."""

RETRY_AFTER_LIMIT_S: Final = 86_400.0
"""Longest wait that an answer can impose: a day, after which a suspect record is tried too."""

URL_LIMIT: Final = 2048
"""Longest Location that is kept, in characters: a quarter of the request line that proxies take."""

QUOTE_LIMIT: Final = 120
"""Most of an answer's text that is quoted, in characters: one line on a terminal."""


_READ_IN_TWO_WAYS: Final = r"\\|%(?i:00|25|2e|2f|5c)"
"""A backslash, and an encoded NUL, percent sign, dot, slash or backslash. Source: RFC 3986, 7.3."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer from any server.

    Attributes:
        status: 100 to 999. A status below 200 is final here, although no server of ours sends one.
        headers: by name in any case; repeated ones are joined by a comma.
        body: as sent, and cut off at the limit of an answer.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


def metadata(capture_id: str, sha256: str) -> str:
    """Return Upload-Metadata: these three only, since proxies log it and limit it to 2 KB."""
    pairs = {"capture_id": capture_id, "sha256": sha256, "filetype": FILE_TYPE}
    return ",".join(f"{key} {base64.b64encode(pairs[key].encode()).decode()}" for key in pairs)


def own_address(base: str, location: str | None) -> str | None:
    """Return the address of an upload below our own base; None for a Location without one.

    A proxy may rewrite scheme, port and Host, so the path is taken and the origin stays ours.
    The path must mean the same to every server, proxy and library: dots go up in any spelling,
    encoded slashes are slashes to some, and some decode twice.
    """
    if not location or len(location) > URL_LIMIT or not re.fullmatch(r"[!-~]+", location):
        return None
    ours = urlsplit(f"{base}/files/")
    try:
        theirs = urlsplit(urljoin(f"{base}/files", location))
    except ValueError:
        return None
    is_below = theirs.path.startswith(ours.path) and theirs.path != ours.path
    place = theirs.path.removeprefix(ours.path)
    goes_up = any(step.partition(";")[0] in {".", ".."} for step in place.split("/"))
    is_plain = not goes_up and not re.search(_READ_IN_TWO_WAYS, place)
    if theirs.scheme not in {"http", "https"} or not is_below or not is_plain or theirs.fragment:
        return None
    return theirs._replace(scheme=ours.scheme, netloc=ours.netloc).geturl()


def number(answer: Answer, name: str) -> int | None:
    """Return a header that counts bytes; None if it is missing or anything else."""
    text = answer.headers.get(name, "")
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def retry_after_s(answer: Answer) -> float | None:
    """Return the seconds until the time that Retry-After names, on the sender's own clock."""
    text = answer.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,18}", text):
        return min(float(text), RETRY_AFTER_LIMIT_S)
    until, now = _date(text), _date(answer.headers.get("Date", ""))
    if until is None or now is None:
        return None
    return min(max((until - now).total_seconds(), 0.0), RETRY_AFTER_LIMIT_S)


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return date if date.tzinfo is not None else None


def quoted(what: str, answer: Answer) -> str:
    """Describe a request and its answer in one line of printable characters."""
    text = printable(answer.body[: 4 * QUOTE_LIMIT].decode("utf-8", "replace"))
    words = " ".join(text.split())[:QUOTE_LIMIT]
    return f"{what} was answered {answer.status}" + (f' "{words}"' if words else "")
