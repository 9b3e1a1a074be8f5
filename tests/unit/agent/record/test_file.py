"""The record file: opened by public tools, and nothing but what was signed opens as one."""

import io
import json
import subprocess
import tarfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import RecordDamaged
from agent.models import CaptureId, RecordKind
from agent.record import file as recordfile
from agent.record import signing
from tests.support.factory import MOMENT, RecordMaker, signed_by_hand

DEVICE = RecordMaker()
MADE = DEVICE.make(record={"stop": {"id": "s-0042"}}, photo=b"\xff\xd8" + bytes(700) + b"\xff\xd9")
BODY = MADE.content.split(b"\n", 1)[1]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=15,
)  # fmt: skip


def signed(payload: dict[str, Any], body: bytes = BODY) -> bytes:
    """A record file with any payload, really signed; JSON escapes carry what UTF-8 cannot."""
    public = DEVICE.key.public_key()
    head = {"alg": "ES256", "kid": signing.thumbprint(public), "jwk": signing.jwk(public)}
    line = signed_by_hand(head, json.dumps(payload).encode(), DEVICE.key)
    return line.encode() + b"\n" + body


def with_body(body: bytes) -> bytes:
    """A record file whose label tells the truth about any body."""
    label = replace(MADE.label, body=recordfile.describe(body))
    return recordfile.sign(label, body, DEVICE.key)


def tar(*members: tarfile.TarInfo, content: bytes = b"{}", form: int = tarfile.GNU_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for member in members:
            member.size = len(content) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(content))
        end = archive.offset
    return buffer.getvalue()[:end] + bytes(1024)


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def header(name: str, size: int) -> bytes:
    """A tar header that claims any size, with a right checksum."""
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


@settings(max_examples=100)
@given(st.dictionaries(texts, json_values, max_size=5), st.none() | st.binary(max_size=2000))
def test_packed_body_is_unpacked(record: dict[str, Any], photo: bytes | None) -> None:
    made = RecordMaker(key=DEVICE.key).make("test", record or {"a": 1}, photo)
    opened = recordfile.unpack(made.content)

    assert opened.record == (record or {"a": 1})
    assert opened.photo == photo
    assert opened.label == made.label
    assert opened.label_sha256 == made.label_sha256
    assert signing.thumbprint(opened.key) == signing.thumbprint(DEVICE.key.public_key())


def test_prev_is_the_digest_of_the_label_without_its_newline(tmp_path: Path) -> None:
    path = MADE.into(tmp_path)
    digest = subprocess.run(
        ["bash", "-c", f"head -n 1 '{path}' | tr -d '\\n' | sha256sum"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    assert digest.split()[0] == recordfile.label_digest(MADE.content)


@settings(max_examples=500)
@given(st.data())
def test_no_record_with_one_other_byte_verifies(data: st.DataObject) -> None:
    """Flipped, cut or inserted anywhere, the label included."""
    at = data.draw(st.integers(0, len(MADE.content)))
    put = data.draw(st.binary(max_size=1))
    cut = data.draw(st.integers(0, 1))
    other = MADE.content[:at] + put + MADE.content[at + cut :]
    if other == MADE.content:
        return

    with pytest.raises(RecordDamaged):
        recordfile.unpack(other)


@given(st.binary(max_size=300))
def test_garbage_is_reported_in_words(content: bytes) -> None:
    with pytest.raises(RecordDamaged):
        recordfile.unpack(content)


def test_an_endless_first_line_is_not_parsed() -> None:
    with pytest.raises(RecordDamaged, match="no label line"):
        recordfile.unpack(b"a" * 1_000_000 + b"\n")


def test_the_key_in_the_label_is_the_one_that_signed() -> None:
    """A label with another device's key beside its own signature is refused."""
    stranger = signing.new_key()
    first, second, _ = signing.sign(MADE.label.payload(), stranger, embed_key=True).split(".")
    signature = MADE.line.rsplit(b".", 1)[1]

    with pytest.raises(RecordDamaged, match="does not verify"):
        recordfile.open_label(f"{first}.{second}.".encode() + signature)


CAPTURE_ID = str(MADE.label.capture_id)
BODY_TOLD = MADE.label.payload()["body"]

WRONG: list[tuple[str, object]] = [
    ("v", 2),
    ("v", True),
    ("seq", -1),
    ("seq", "1"),
    ("seq", 1.5),
    ("seq", 2**63),
    ("seq", 0),
    ("seq", 2),  # prev is null
    ("prev", "0" * 64),  # at seq 1
    ("capture_id", CAPTURE_ID.upper()),
    ("capture_id", CAPTURE_ID.replace("-", "")),
    ("capture_id", f"{CAPTURE_ID}\n"),
    ("capture_id", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),  # version 1 holds a time
    ("capture_id", "../../etc/passwd"),
    ("device_id", ""),
    ("device_id", 7),
    ("device_id", "van\x1b[2J"),
    ("device_id", "\ud800"),
    ("device_id", "a" * 129),
    ("kind", RecordKind.VOID.value),  # about nothing
    ("about", "not an id"),
    ("utc", "2026-12-01T09:15:02Z"),
    ("utc", "2026-12-01T09:15:02.000+01:00"),
    ("utc", "٢٠٢٦-12-01T09:15:02.000Z"),
    ("utc", 1_700_000_000),
    ("body", []),
    ("body", {}),
    ("body", BODY_TOLD | {"sha256": "A" * 64}),
]
"""Fields of one form are checked by one function, so each wrong form is tried on one of them."""


@pytest.mark.parametrize(("name", "value"), WRONG, ids=range(len(WRONG)))
def test_a_signed_label_with_a_wrong_field_is_refused(name: str, value: object) -> None:
    """A signature says who wrote it, not that it makes sense."""
    with pytest.raises(RecordDamaged, match="not a label"):
        recordfile.unpack(signed(MADE.label.payload() | {name: value}))


@pytest.mark.parametrize("name", sorted(set(MADE.label.payload()) - {"about", "prev"}))
def test_a_label_without_a_field_is_refused(name: str) -> None:
    payload = MADE.label.payload()
    del payload[name]

    with pytest.raises(RecordDamaged, match="not a label"):
        recordfile.unpack(signed(payload))


def test_field_beside_the_body_does_not_replace_one_inside() -> None:
    payload = MADE.label.payload() | {"body.bytes": len(BODY)}
    payload["body"] = {name: payload["body"][name] for name in ("type", "sha256")}

    with pytest.raises(RecordDamaged, match="not a label"):
        recordfile.unpack(signed(payload))


def test_unknown_fields_and_kinds_are_passed_on() -> None:
    """A later version's record is kept and sent by this one."""
    opened = recordfile.unpack(signed(MADE.label.payload() | {"kind": "hologram", "mood": [1]}))

    assert opened.label.kind == "hologram"


@pytest.mark.parametrize(
    "body",
    [
        tar(member("photo.jpg"), member("record.json", tarfile.SYMTYPE, "photo.jpg")),
        tar(member("photo.jpg"), member("record.json", tarfile.LNKTYPE, "photo.jpg")),
        tar(member("record.json"), member("record.json")),
        tar(member("record.json"), member("/etc/cron.d/x")),
        tar(member("record.json"), member("../x")),
        tar(member("record.json"), member("x\x1b[2J.txt")),
        tar(member("record.json"), member("folder", tarfile.DIRTYPE)),
        tar(member("record.json"), member("pipe.bin", tarfile.FIFOTYPE)),
        tar(member("record.json"), member("n" * 300)),
        tar(member("record.json"), member("n" * 300), form=tarfile.PAX_FORMAT),
        tar(member("./record.json")),
        tar(member("photo.jpg")),
        tar(member("record.json"), content=b"[]"),
        tar(member("record.json"), content=b"{"),
        tar(member("record.json"), content=b"[" * 100_000),
        header("record.json", 2**60) + bytes(2048),
        header("record.json", -512) + bytes(2048),
        header("record.json", 1024) + bytes(1023),
        recordfile.pack_body({}, None, MOMENT)[:-512],
        recordfile.pack_body({}, None, MOMENT) + bytes(512),
        recordfile.pack_body({}, None, MOMENT) + b"hidden",
        bytes(1024),
        b"",
        b"age-encryption.org/v1",
    ],
)
def test_a_signed_body_that_is_no_plain_archive_is_refused(body: bytes) -> None:
    """Links, devices, paths, twice the same name, bombs, endless loops: nothing is unpacked."""
    with pytest.raises(RecordDamaged, match=r"the body does not open|not a JSON object"):
        recordfile.unpack(with_body(body))


def test_largest_record_json_is_read_and_a_larger_one_is_not() -> None:
    """A record.json of 25 MB took 227 MB and half a second, in the backend and in verify."""
    largest = b"{}".ljust(recordfile.RECORD_JSON_LIMIT_BYTES)

    assert recordfile.unpack(with_body(tar(member("record.json"), content=largest))).record == {}
    with pytest.raises(RecordDamaged, match="over 65536 bytes"):
        recordfile.unpack(with_body(tar(member("record.json"), content=largest + b" ")))


def test_a_body_of_as_many_files_as_allowed_opens_and_of_more_does_not() -> None:
    """65,000 fit into one upload, and take a second."""
    many = [member("record.json"), *(member(f"{number}.bin") for number in range(15))]

    assert len(recordfile.unpack(with_body(tar(*many))).others) == recordfile.MEMBERS_LIMIT - 1
    with pytest.raises(RecordDamaged, match="more than 16 files"):
        recordfile.unpack(with_body(tar(*many, member("x.bin"))))


def test_a_sparse_member_does_not_become_memory() -> None:
    """An old GNU sparse header of 512 bytes may stand for gigabytes of zeros."""
    block = bytearray(header("record.json", 0))
    block[156:157] = tarfile.GNUTYPE_SPARSE
    block[386:410] = b"77777777777\0" + b"00000000000\0"
    block[483:495] = b"77777777777\0"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)

    with pytest.raises(RecordDamaged, match="not a whole plain file"):
        recordfile.unpack(with_body(bytes(block) + bytes(1024)))


def test_a_body_of_a_later_type_is_named() -> None:
    """The present release then says what it cannot open."""
    payload = MADE.label.payload()
    payload["body"] = payload["body"] | {"type": "application/zstd"}

    with pytest.raises(RecordDamaged, match="its body is application/zstd"):
        recordfile.unpack(signed(payload))


@pytest.mark.parametrize("year", [1, 1969, 2400, 9999])
def test_a_clock_far_off_costs_no_record(year: int) -> None:
    """A tar header holds the seconds from 1970 to 2242 only."""
    body = recordfile.pack_body({}, b"photo", datetime(year, 6, 1, tzinfo=UTC))

    assert recordfile.unpack(with_body(body)).photo == b"photo"


def test_a_record_that_is_no_json_is_not_packed() -> None:
    """The record would be signed, and verify nowhere."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        recordfile.pack_body({"accuracy_m": float("nan")}, None, MOMENT)


def test_the_largest_label_is_still_read() -> None:
    """The longest texts that the configuration allows leave room below the limit."""
    device = RecordMaker(device_id="d" * 63, seq=2**42, prev="0" * 64)
    made = device.make(RecordKind.VOID, about=CaptureId(str(MADE.label.capture_id)))

    assert len(made.line) < recordfile.LABEL_LIMIT_BYTES / 4
    assert recordfile.unpack(made.content).label.seq == 2**42 + 1
