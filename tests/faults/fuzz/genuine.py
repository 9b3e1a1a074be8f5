"""`python -m tests.faults.fuzz.genuine`: make genuine samples in `corpus/`, and a new authority.

Findings of former runs (`found-*`) stay as they are. Signatures are random, so each run differs.
"""

import argparse
import base64
import json
import struct
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import cv2  # noqa: TID251 - draws the samples with codes
import numpy as np
import zxingcpp  # noqa: TID251 - the same
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.record import certificates, sealing, signing
from agent.record import file as recordfile
from agent.record.credentials import PhotoSigner, Source
from agent.trust.fleet import TYPE as FLEET
from agent.wire import tus
from tests.backend.reports.samples import document
from tests.faults.fuzz import corpus
from tests.support.authority import FOR_EVER, Authority, certs_only, new_authority
from tests.support.credentialed import CAPTURE, photo
from tests.support.factory import MOMENT, RecordMaker, add, queue
from tests.support.fleet_documents import FleetOffice
from tests.support.roads import STOP, payload_of
from tests.support.sealed import RECIPIENTS

AUTHORITY: Final = corpus.FOLDER.with_name("authority.pem")

Sample = tuple[str, str, bytes]
"""A parser, a name and the content."""


def main() -> None:
    """Write all samples."""
    argparse.ArgumentParser(
        prog="python -m tests.faults.fuzz.genuine", description=__doc__
    ).parse_args()
    authority = new_authority()
    AUTHORITY.write_bytes(authority.pem)
    from tests.faults.fuzz.parsers import keys  # noqa: PLC0415 - it reads the authority

    for parser, name, content in samples(authority, keys.KEY):
        folder = corpus.FOLDER / parser
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def samples(authority: Authority, key: signing.PrivateKey) -> Iterator[Sample]:
    """Yield all samples."""
    picture = _photo(authority, key)
    yield from _records(picture, key)
    yield from _signed(authority, key)
    yield from _certificates(authority, key)
    yield from _messages()
    yield from _pictures(picture)
    with tempfile.TemporaryDirectory() as folder:
        layout, database, outbox = queue(Path(folder))
        add(outbox, RecordMaker("van-7", key=key).make())
        database.close()
        yield "queue", "one.db", layout.database.read_bytes()


def _photo(authority: Authority, key: signing.PrivateKey) -> bytes:
    chain = (authority.issue(key.public_key(), "van-7", evidence=True),)
    return PhotoSigner(key, chain).sign(photo(48, 32), Source.CAPTURE, CAPTURE)


RECORD: Final[dict[str, Any]] = {
    "position": CAPTURE["position"] | {"alt_m": 34.2, "hdop": 1.1, "satellites": 9, "mode": 3},
    "photo": {"sha256": "0" * 64, "bytes": 5_000, "width_px": 48, "height_px": 32, "gain": 2.1},
    "stop": {"id": "s-0001", "bound_by": "code", "ring": "inside", "distance_m": 12.5},
    "quality": {"verdict": "ok", "scores": {"mean_pct": 41.0}, "thresholds": "2026-11"},
    "time": {"utc": "2026-12-01T09:15:02.123Z", "monotonic_ns": 81_234_567_890},
    "agent": "2026.12.0",
    "manifest": "off",
    "simulated": False,
}


def _records(picture: bytes, key: signing.PrivateKey) -> Iterator[Sample]:
    plain = RecordMaker("van-7", key=key)
    sealed = RecordMaker("van-7", key=key, sealed_to=RECIPIENTS)
    made = plain.make(record=RECORD, photo=picture)
    yield "record", "plain.rec", made.content
    yield "record", "sealed.rec", sealed.make(record=RECORD).content
    yield "record", "time.rec", plain.make(kind="time", record={"time": {}}).content
    body = recordfile.pack_body(RECORD, b"\xff\xd8\xff\xd9", MOMENT)
    yield "tar", "photo.tar", body
    yield "tar", "no-photo.tar", recordfile.pack_body({}, None, MOMENT)
    yield "age", "small.age", sealing.seal(b"body", RECIPIENTS)
    yield "age", "body.age", sealing.seal(body, RECIPIENTS)
    yield "record-json", "photo.json", _json(RECORD)
    yield "record-json", "empty.json", b"{}"
    for name in ("label", "label-in-folder"):
        yield name, "photo.jws", made.line + b"\n" * (name != "label")
    yield "label-payload", "photo.json", _json(made.label.payload())
    signed = {"v": 1, "capture_id": CAPTURE["capture_id"], "sha256": "0" * 64, "bytes": 512_000}
    for name, more in (
        ("receipt", {"received_at": "2026-12-01T09:16:00.000Z"}),
        ("refusal", {"refused_at": "2026-12-01T09:16:00.000Z", "reason": "of another device"}),
        ("erased", {"erased_at": "2027-12-01T09:16:00.000Z"}),
    ):
        token = signing.sign(signed | more, key, typ=f"doorstep-{name}").encode()
        yield "receipt", f"{name}.jws", token
        yield "receipts-file", f"{name}.jws", token + b"\n"
        yield "receipt-payload", f"{name}.json", _json(signed | more)


def _signed(authority: Authority, key: signing.PrivateKey) -> Iterator[Sample]:
    route = payload_of(STOP) | {"device_id": "van-7"}
    yield "manifest-payload", "route.json", _json(route)
    yield "manifest", "route.jws", signing.sign(route, key, typ="doorstep-manifest").encode()
    office = FleetOffice(key, (key,))
    told = office.payload(3, next_ca=authority.pem.decode(), revoked=[{"kid": "x"}])
    told["next_fleet_key"] = signing.jwk(key.public_key())
    yield "fleet-payload", "fleet.json", _json(told)
    yield "fleet", "fleet.jws", signing.sign(told, key, typ=FLEET).encode()
    listed = {
        "v": 1,
        "revoked": [{"kid": "x", "since": "2026-12-01T09:16:00.000Z"}],
        "receipt_keys": told["receipt_keys"],
    }
    yield "revoked-payload", "listed.json", _json(listed)
    yield "revoked", "listed.jws", signing.sign(listed, key, typ="doorstep-revoked").encode()
    yield "jwk", "p256.json", _json(signing.jwk(key.public_key()))


def _certificates(authority: Authority, key: signing.PrivateKey) -> Iterator[Sample]:
    public, below = key.public_key(), authority.below("Below")
    made = {
        "evidence": authority.issue(public, "van-7", evidence=True),
        "tls": authority.issue(public, "van-7", life=FOR_EVER[1] - datetime.now(UTC)),
        "serve": below.issue(public, "van-7", server=True, names=("van-7.example", "::1")),
        "below": below.certificate,
    }
    for name, one in made.items():
        der = one.public_bytes(Encoding.DER)
        yield "certificate", f"{name}.der", der
        yield "certificates", f"{name}.der", der
        yield "passed-on", f"{name}.der", der
    yield "certificates", "chain.pem", certificates.pem([made["serve"], made["below"]])
    body = certs_only([made["serve"], made["below"]], wrapped=False)
    yield "cms", "chain.der", base64.b64decode(body)
    yield "cms", "chain.base64", certs_only([made["evidence"]])
    for name, names in (("device", ()), ("server", ("van-7.example", "192.0.2.7", "2001:db8::7"))):
        der = certificates.request(key, "van-7", names).der
        yield "csr", f"{name}.der", der
        yield "est-request", f"{name}.der", der
    pem = certificates.request_pem(certificates.request(key, "van-7")).encode()
    yield "csr", "device.pem", pem
    info = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    yield "public-key", "p256.der", info
    yield "public-key", "p256.pem", signing.public_pem(public)
    yield "basic", "device", b"Basic " + base64.b64encode("van-7:tök:en".encode())


def _messages() -> Iterator[Sample]:
    for number, text in enumerate(_REQUESTS):
        yield "socket", f"request-{number}.json", text
    yield "socket", "long.json", b'{"offer":"manifest","text":"' + b"a." * 2_500 + b'"}'
    status = document(datetime(2026, 12, 1, 11, tzinfo=UTC), "van-7")
    yield "process-answer", "capture.json", _json(status["capture"])
    yield "process-answer", "sync.json", _json(status["sync"])
    yield "report", "status.json", _json(status)
    yield "report", "status", base64.urlsafe_b64encode(_json(status)).rstrip(b"=")
    yield "pulled", "status.json", _json(status)
    head = b"HTTP/1.1 503 x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    yield "pulled", "chunked", head + b'10\r\n{"error": "busy"}\r\n0\r\n\r\n'
    counts = dict.fromkeys(("waiting", "suspected", "refused", "damaged"), 2)
    part = counts | {"oldest_utc": status["utc"], "oldest_suspect": False, "alarms": []}
    yield "kept-status", "kept.json", _json({"utc": status["utc"], "queue": part})
    yield "doctor", "doctor.json", _json({"utc": status["utc"], "failed": ["disk", "camera"]})
    yield "trust-files", "time.json", _json(_TIME)
    yield "trust-files", "version", b"van-7 17"
    yield "owner", "done.json", _json({"done": {"words": "revoked", "serial": "7f"}})
    yield "owner", "error.json", _json({"error": "no network", "exit": 75})
    chains = [{"chain": CAPTURE["boot_id"], "received": 17}]
    yield "retired", "chains.json", _json({"device_id": "van-7", "chains": chains})
    yield "receipts", "receipt.json", _json({CAPTURE["capture_id"]: {"receipt": "a.b.c"}})
    yield "receipts", "refusal.json", _json({CAPTURE["capture_id"]: {"refusal": "a.b.c"}})
    yield "question", "ids.json", _json({"capture_ids": [CAPTURE["capture_id"]]})
    yield "metadata", "device", tus.metadata(CAPTURE["capture_id"], "0" * 64).encode()
    yield "numbers", "bytes", b"512000"
    yield "query", "page", b"need=no_network&after=van-0042&limit=100"
    yield (
        "form",
        "sign-in",
        b"form=0123456789abcdef&name=anna%40example.org&password=p%C3%A4ss+word",
    )
    yield "network", "v4", b"192.0.2.7"
    yield "network", "v6", b"2001:db8::7"
    yield "network", "zone", b"fe80::1%eth0"
    for number, text in enumerate(_LINES):
        yield "gpsd", f"report-{number}.json", text
    yield from _bytes()


def _bytes() -> Iterator[Sample]:
    head = struct.pack("!BBxxHHH6xI8x4s16sHxxHH48x", 6, 2, 33, 5, 0, 0x01020304, *_PEER)
    yield "chrony", "tracking", head
    block = bytearray(1_024)
    struct.pack_into("<I", block, 4, 100_000)
    struct.pack_into("<IH", block, 0x18, 2, 0)
    struct.pack_into("<H", block, 0x38, 0xEF53)
    block[0x78:0x86] = b"doorstep-state"
    yield "superblock", "state", bytes(block)
    answer = (
        b"Location: https://backend.example/base/files/0b0f9b0e?x=1\nUpload-Offset: 512000\n"
        b"Retry-After: Tue, 01 Dec 2026 09:16:00 GMT\nDate: Tue, 01 Dec 2026 09:15:00 +0000\n\n"
    )
    yield "tus-answer", "created", answer
    yield "tus-answer", "busy", b"Location: /base/files/a/b;c\nRetry-After: 120\n\n"
    yield "server-answer", "whole", _HEAD + b"Content-Length: 5\r\n\r\nwords"
    yield "server-answer", "chunked", _HEAD + _CHUNKED
    get = b"GET /v1/captures?state=PENDING&limit=5 HTTP/1.1\r\nHost: van-7.example\r\n"
    yield "http", "two", (get + b"Accept: */*\r\n\r\n") * 2
    yield "http", "body", b"POST / HTTP/1.1\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc"
    target = f"/v1/captures?state=SUSPECT&after={CAPTURE['capture_id']}&limit=100"
    yield "address", "page", target.encode()


def _pictures(picture: bytes) -> Iterator[Sample]:
    plain = photo(48, 32)
    for parser in ("exif", "jumbf", "c2pa", "picture", "pixels"):
        yield parser, "credentials.jpg", picture
    for parser in ("exif", "picture", "pixels"):
        yield parser, "exif.jpg", plain
    noise = np.random.default_rng(1).integers(0, 255, (40, 56, 3), np.uint8)
    for name, options in (
        ("progressive", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_QUALITY, 30]),
        ("restart", [cv2.IMWRITE_JPEG_RST_INTERVAL, 2, cv2.IMWRITE_JPEG_QUALITY, 60]),
    ):
        encoded = cv2.imencode(".jpg", noise, options)[1].tobytes()
        yield "picture", f"{name}.jpg", encoded
        yield "pixels", f"{name}.jpg", encoded
    for kind in ("Code128", "DataMatrix", "PDF417", "QRCode"):
        code = zxingcpp.create_barcode("C1-7", getattr(zxingcpp.BarcodeFormat, kind))
        drawn = np.pad(
            np.array(zxingcpp.write_barcode_to_image(code, scale=3)), 8, constant_values=255
        )
        for parser in ("barcodes", "codes"):
            yield parser, kind.lower(), drawn.shape[1].to_bytes(2, "big") + drawn.tobytes()


def _json(found: object) -> bytes:
    return json.dumps(found, separators=(",", ":"), ensure_ascii=False).encode()


_REQUESTS: Final = (
    b'{"status":true}',
    b'{"offer": "fleet", "text": "a.b.c"}',
    b'{"request":"evidence"}',
    b'{"press":"photo","retake_of":null}',
)
_LINES: Final = (
    b'{"class":"TPV","mode":3,"time":"2026-12-01T09:15:01.600Z","lat":52.52,"lon":13.4,"eph":9.5}',
    b'{"class":"TPV","mode":3,"lat":-52.5,"lon":1,"altMSL":34.2,"epx":3.1,"epy":4.2,"speed":0.1}',
    b'{"class":"SKY","hdop":1.1,"satellites":[{"PRN":1,"used":true},{"PRN":2,"used":false}]}',
    b'{"class":"VERSION","release":"3.25"}',
)
_HEAD: Final = b"HTTP/1.1 201 Created\r\nLocation: /files/1\r\nUpload-Offset: 5\r\n"
_CHUNKED: Final = b"Transfer-Encoding: chunked\r\n\r\n5\r\nwords\r\n0\r\nA: b\r\n\r\n"
_PEER: Final = (b"\xc0\0\2\x07", bytes([192, 0, 2, 7]) + bytes(12), 1, 2, 0)
_TIME: Final = {
    "floor": "2026-12-01T09:15:02.123Z",
    "agreed": {"boot_id": "b", "utc": "2026-12-01T09:15:02.123Z", "boottime_s": 17.5},
    "allowance": {
        "boot_id": "b",
        "base": "2026-12-01T09:15:02.123Z",
        "begun_s": 17.5,
        "reached": "2026-12-01T09:15:02.123Z",
        "firm": "2026-12-01T09:15:02.123Z",
    },
}


if __name__ == "__main__":
    main()
