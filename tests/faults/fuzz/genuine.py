"""`python -m tests.faults.fuzz.genuine`: make the samples that are signed, sealed, packed or drawn.

They go into `corpus/`, with a new authority. Signatures are random, so each run differs. Other
samples are texts or bytes that a person edits in `corpus/`: they stay, as do findings of former
runs (`found-*`).
"""

import argparse
import base64
import json
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


if __name__ == "__main__":
    main()
