"""Edits of a sample's parts that keep the lengths, digests and quotes around them valid.

An edit by bytes alone would rarely get behind the first check of a length.
"""

import base64
import json
import random
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

Node = tuple[int, "list[Node] | bytes"]
"""A tag of DER, and its content."""


class Shape(StrEnum):
    """The format of a parser's samples; BYTES is an unknown format."""

    BYTES = "bytes"
    JSON = "json"
    JWS = "jws"
    DER = "der"
    JPEG = "jpeg"
    TAR = "tar"


_RAW: Final = (
    "[" * 50_000 + "]" * 50_000,
    '{"a":' * 900 + "1" + "}" * 900,
    "9" * 5_000, "1e999", "-1e999", "NaN", "-Infinity", "-0", "1e-400", "0.1", "9007199254740993",
    '{"a":1,"a":2}', r'"\ud800"', r'"\u0000"', '""', "[]", "{}", "null", "true", "-1", "[[]]",
    '"' + "x" * 70_000 + '"', "[" + "[]," * 3_000 + "0]", '"2026-12-01T09:15:02Z"', "1" * 30,
    '"0000-00-00T00:00:00Z"', r'"\u202e\u0007"', "1.5", "[null]", '{"class":[]}', "255", "65536",
)  # fmt: skip
"""Values of JSON of another kind, size or depth, as text."""

_MARK: Final = "\ue000"
"""Placeholder for raw text that json.dumps cannot write."""


def edited(shape: Shape, content: bytes, rng: random.Random) -> bytes:
    """Return `content` with one edit; unchanged if it is not of this shape."""
    try:
        return SHAPES[shape](content, rng)
    except (ValueError, IndexError, RecursionError, OverflowError):
        return content


def _json(content: bytes, rng: random.Random) -> bytes:
    tree = [json.loads(content)]
    places = list(_places(tree))
    holder, name = rng.choice(places)
    raw = rng.choice(_RAW)
    other, theirs = rng.choice(places)
    match rng.randrange(4):
        case 0:
            holder[name], raw = other[theirs], ""
        case 1 if isinstance(holder, dict):
            holder[f"{name}{rng.randrange(10)}"] = holder.pop(name)
        case 2 if holder is not tree:
            del holder[name]
        case _:
            holder[name] = _MARK
    text = json.dumps(tree[0], ensure_ascii=False)
    return text.replace(f'"{_MARK}"', raw).encode(errors="surrogatepass")


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    names = list(tree) if isinstance(tree, dict) else range(len(tree))
    for name in names:
        yield tree, name
        if isinstance(tree[name], dict | list):
            yield from _places(tree[name])


def _jws(content: bytes, rng: random.Random) -> bytes:
    """Edit the JSON of the header or the payload; the signature stays."""
    parts = content.split(b".")
    at = rng.randrange(min(len(parts), 2))
    text = base64.urlsafe_b64decode(parts[at] + b"=" * (-len(parts[at]) % 4))
    parts[at] = base64.urlsafe_b64encode(_json(text, rng)).rstrip(b"=")
    return b".".join(parts)


def _der(content: bytes, rng: random.Random) -> bytes:
    nodes = _nodes(content)
    lists = [nodes, *_lists(nodes)]
    holder = rng.choice([one for one in lists if one])
    at = rng.randrange(len(holder))
    tag, inside = holder[at]
    match rng.randrange(7):
        case 0:
            del holder[at]
        case 1:
            holder[at:at] = [holder[at]] * rng.choice((1, 2, 50))
        case 2:
            holder[at] = rng.choice(rng.choice([one for one in lists if one]))
        case 3:
            holder[at] = rng.choice((1, 2, 3, 4, 5, 6, 12, 19, 23, 24, 48, 49, 160, 163)), inside
        case 4:
            for _ in range(rng.choice((1, 5, 300))):
                holder[at] = (48, [holder[at]])
        case 5 if isinstance(inside, bytes):
            holder[at] = tag, rng.randbytes(rng.choice((0, 1, 8, 3_000)))
        case _:
            rng.shuffle(holder)
    return _encoded(nodes)


def _nodes(content: bytes) -> list[Node]:
    found: list[Node] = []
    at = 0
    while at < len(content):
        tag, size, at = content[at], content[at + 1], at + 2
        if size & 0x80:
            width = size & 0x7F
            size, at = int.from_bytes(content[at : at + width]), at + width
        if at + size > len(content):
            raise ValueError("cut off")
        inside = content[at : at + size]
        found.append((tag, _nodes(inside) if tag & 0x20 else inside))
        at += size
    return found


def _lists(nodes: list[Node]) -> Iterator[list[Node]]:
    for _, inside in nodes:
        if isinstance(inside, list):
            yield inside
            yield from _lists(inside)


def _encoded(nodes: list[Node]) -> bytes:
    parts = []
    for tag, inside in nodes:
        content = inside if isinstance(inside, bytes) else _encoded(inside)
        size = len(content)
        width = (size.bit_length() + 7) // 8
        length = bytes([size]) if size < 0x80 else bytes([0x80 | width]) + size.to_bytes(width)
        parts.append(bytes([tag]) + length + content)
    return b"".join(parts)


def _jpeg(content: bytes, rng: random.Random) -> bytes:
    """Edit the segments before the picture, with their lengths."""
    parts, at = [], 2
    while content[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4])
        parts.append((content[at + 1], content[at + 4 : end]))
        at = end
    one = rng.randrange(len(parts))
    marker, inside = parts[one]
    match rng.randrange(6):
        case 0:
            del parts[one]
        case 1:
            parts[one:one] = [parts[one]] * rng.choice((1, 2, 300))
        case 2:
            rng.shuffle(parts)
        case 3:
            parts[one] = rng.choice((0xC0, 0xC2, 0xC4, 0xDB, 0xE0, 0xE1, 0xEB, 0xFE)), inside
        case 4:
            parts[one] = marker, inside + rng.randbytes(rng.choice((1, 1_000, 60_000)))
        case _:
            place = rng.randrange(len(inside) + 1)
            parts[one] = marker, inside[:place] + rng.randbytes(2) + inside[place + 2 :]
    packed = (bytes([0xFF, kind]) + (len(one) + 2).to_bytes(2) + one for kind, one in parts)
    return content[:2] + b"".join(packed) + content[at:]


def _tar(content: bytes, rng: random.Random) -> bytes:
    """Edit a header, or repeat a block; then correct the checksums of headers."""
    blocks = [content[at : at + 512] for at in range(0, len(content), 512)]
    headers = [at for at, block in enumerate(blocks) if block[257:262] == b"ustar"]
    at = rng.choice(headers)
    if rng.random() < 0.3:
        blocks[at:at] = [blocks[rng.randrange(len(blocks))]] * rng.choice((1, 2, 40))
        return b"".join(blocks)
    place, size = rng.choice(((0, 100), (100, 8), (124, 12), (136, 12), (156, 1), (345, 155)))
    fresh = rng.choice((rng.randbytes(size), b"7" * size, b"\x80" + b"\xff" * (size - 1), b"a"))
    block = blocks[at][:place] + fresh[:size].ljust(size, b"\0") + blocks[at][place + size :]
    checksum = sum(block[:148]) + sum(block[156:]) + 8 * 0x20
    blocks[at] = block[:148] + b"%06o\0 " % checksum + block[156:]
    return b"".join(blocks)


SHAPES: Final[Mapping[Shape, Callable[[bytes, random.Random], bytes]]] = {
    Shape.JSON: _json,
    Shape.JWS: _jws,
    Shape.DER: _der,
    Shape.JPEG: _jpeg,
    Shape.TAR: _tar,
}
"""The function that edits each shape once."""
