"""The one form in which a device's photo holds its manifest; bytes to some parts of it.

A C2PA reader passes over a thousand bytes of a manifest: the headers of boxes, and the room that
the signature did not need. Who asks for this form lets nothing stand there but what a device wrote.
Source: C2PA Technical Specification 2.2 section 11; RFC 9052 section 4.2 (COSE_Sign1).
"""

from dataclasses import dataclass
from typing import Final

from agent.errors import NotGenuine
from agent.record.segments import APP11, SCAN, before_picture

_ANOTHER: Final = "they are not in the form in which a device writes them"

_TAIL: Final = bytes.fromhex("00110010800000aa00389b71")
"""End of a box's kind, behind its four letters. Source: ISO/IEC 19566-5, annex B."""

_SALTED: Final = b"cbor" + _TAIL + b"\x13"
"""Kind of an assertion: CBOR, with a name and a salt."""

_HASH: Final = _SALTED + b"c2pa.hash.data\x00"
"""The assertion with the photo's digest. Source: C2PA Technical Specification 2.2 section 18.5."""

_COSE_SIGN1: Final = 0xD2
"""The tag that it begins with, 18."""

_X5CHAIN: Final = 33
"""The signer's certificates in a COSE header. Source: RFC 9360 section 2."""

_FIRST_OF_ONE: Final = b"JP\x02\x11\x00\x00\x00\x01"

_OTHER: Final = 7
"""The major type of null and of what no header here has. Source: RFC 8949 section 3.1."""

_Box = tuple[bytes, bytes]
_Name = int | bytes | str
_Item = _Name | None | list["_Item"] | dict[_Name, "_Item"]


@dataclass(frozen=True, slots=True)
class ManifestForm:
    """Parts of a manifest in the form in which a device writes it.

    Attributes:
        chain: the signer's certificate and those above it, DER.
        room_bytes: room behind the photo's digest, which tells how the library came to write it.
    """

    chain: list[bytes]
    room_bytes: int


def form(photo: bytes) -> ManifestForm:
    """Return parts of the manifest of a photo that has a sound one.

    Raises:
        NotGenuine: it is not in the form in which a device writes it; the message says where.
    """
    try:
        assertions, cose = _manifest(_store(photo))
        return ManifestForm(_chain(cose), _room_bytes(assertions))
    except (IndexError, ValueError, RecursionError) as error:
        if isinstance(error, NotGenuine):
            raise
        raise NotGenuine(f"{_ANOTHER}: boxes") from None


def has_any(photo: bytes) -> bool:
    """Return whether a segment before the picture is of the kind that holds a manifest."""
    return any(marker == APP11 for marker, _content in before_picture(photo))


def _store(photo: bytes) -> _Box:
    """Return the manifest store, which is in one segment, alone."""
    segments = before_picture(photo)
    found = [content for marker, content in segments if marker == APP11]
    _require(
        segments[-1][0] == SCAN and len(found) == 1 and found[0].startswith(_FIRST_OF_ONE),
        "segment",
    )
    (store,) = _boxes(found[0].removeprefix(_FIRST_OF_ONE))
    return store


def _boxes(content: bytes) -> list[_Box]:
    found, at = [], 0
    while at < len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        _require(8 <= size <= len(content) - at, "size of a box")
        found.append((content[at + 4 : at + 8], content[at + 8 : at + size]))
        at += size
    return found


def _manifest(store: _Box) -> tuple[list[_Box], bytes]:
    """Return the assertions and the signature."""
    (manifest,) = _inside(store, b"c2pa", b"c2pa")
    assertions, claim, signature = _inside(manifest, b"c2ma", _label(manifest))
    asserted = _inside(assertions, b"c2as", b"c2pa.assertions")
    for assertion in asserted:
        described, *_content = _boxes(assertion[1])
        _require(described[1].startswith(_SALTED), "assertion")
    ((claimed, _claim),) = _inside(claim, b"c2cl", b"c2pa.claim.v2")
    ((signed, cose),) = _inside(signature, b"c2cs", b"c2pa.signature")
    _require(claimed == signed == b"cbor" and cose[0] == _COSE_SIGN1, "signature")
    return asserted, cose


def _room_bytes(assertions: list[_Box]) -> int:
    found = [_boxes(one[1]) for one in assertions]
    ((_, (_, cbor)),) = [one for one in found if one[0][1].startswith(_HASH)]
    digest, _end = _item(cbor, 0)
    room = digest.get("pad") if isinstance(digest, dict) else None
    _require(isinstance(room, bytes) and not room.strip(b"\x00"), "digest")
    assert isinstance(room, bytes)
    return len(room)


def _label(box: _Box) -> bytes:
    """Return the label of a box, which is in the claim, and so signed."""
    return _boxes(box[1])[0][1][17:-1]


def _inside(box: _Box, kind: bytes, label: bytes) -> list[_Box]:
    described, *inside = _boxes(box[1])
    right = (b"jumd", kind + _TAIL + b"\x03" + label + b"\x00")
    _require(box[0] == b"jumb" and described == right, f"box {label.decode('ascii', 'replace')}")
    return inside


def _chain(cose: bytes) -> list[bytes]:
    parts, end = _item(cose, 0)
    _require(isinstance(parts, list) and len(parts) == 4 and end == len(cose), "signature")
    assert isinstance(parts, list)
    protected, unprotected, payload, signature = parts
    _require(isinstance(protected, bytes) and payload is None, "signature")
    _require(isinstance(signature, bytes) and len(signature) == 64, "signature")
    _require(isinstance(unprotected, dict) and all(map(_is_room, unprotected.items())), "room")
    assert isinstance(protected, bytes)
    header, _end = _item(protected, 0)
    chain = header.get(_X5CHAIN) if isinstance(header, dict) else None
    found = chain if isinstance(chain, list) else [chain]
    ders = [one for one in found if isinstance(one, bytes)]
    _require(0 < len(ders) == len(found), "certificates")
    return ders


def _is_room(member: tuple[_Name, _Item]) -> bool:
    name, content = member
    return name in {"pad", "pad2"} and isinstance(content, bytes) and not content.strip(b"\x00")


def _item(cbor: bytes, at: int) -> tuple[_Item, int]:
    """Read an item of CBOR (RFC 8949); return it and the start of the next. A tag is skipped."""
    major, extra = cbor[at] >> 5, cbor[at] & 31
    at += 1
    if (major, extra) == (_OTHER, 22):
        return None, at
    _require(major != _OTHER and extra < 28, "CBOR")
    width = 0 if extra < 24 else 1 << (extra - 24)
    size = int.from_bytes(cbor[at : at + width], "big") if width else extra
    return _content(cbor, at + width, major, size)


def _content(cbor: bytes, at: int, major: int, size: int) -> tuple[_Item, int]:
    match major:
        case 0 | 1:
            return (-1 - size if major else size), at
        case 2 | 3:
            _require(at + size <= len(cbor), "CBOR")
            content = cbor[at : at + size]
            return (content if major == 2 else content.decode()), at + size
        case 4:
            return _items(cbor, at, size)
        case 5:
            members, at = _items(cbor, at, 2 * size)
            names = [name for name in members[::2] if isinstance(name, _Name)]
            return dict(zip(names, members[1::2], strict=True)), at
        case _:
            return _item(cbor, at)


def _items(cbor: bytes, at: int, count: int) -> tuple[list[_Item], int]:
    found: list[_Item] = []
    for _ in range(count):
        item, at = _item(cbor, at)
        found.append(item)
    return found, at


def _require(right: bool, what: str) -> None:
    if not right:
        raise NotGenuine(f"{_ANOTHER}: {what}")
