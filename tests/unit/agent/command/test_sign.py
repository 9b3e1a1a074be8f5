"""`doorstep sign`: signs what a device accepts, and nothing else."""

import hashlib
import io
import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from agent.__main__ import main
from agent.command.sign import Kind, signed
from agent.errors import NotGenuine
from agent.record import signing
from agent.rule import manifest
from tests.support.factory import MOMENT, RecordMaker, decoded
from tests.support.fleet_documents import FleetOffice
from tests.unit.agent.command.base_package import BasePackage
from tests.unit.agent.command.inprocess import Ended

KEY: Final = signing.new_key()

KEYS_BY_KID: Final = {signing.thumbprint(KEY.public_key()): KEY.public_key()}

STOP: Final = {
    "id": "s-1",
    "codes": ["C1"],
    "lat_deg": 52.5,
    "lon_deg": 13.4,
    "radius_m": 20,
    "done": False,
    "photo": "allowed",
}

ROUTE: Final = {"device_id": "van-7", "stops": [STOP], "practice_codes": []}

RECORD: Final = {
    "capture_id": "0b0f9b0e-3c1c-4a43-9f1c-3f4f6a3f2b11",
    "sha256": "0" * 64,
    "bytes": 512_000,
}

KEYS: Final = {"receipt_keys": FleetOffice().payload()["receipt_keys"]}

FLEET: Final = KEYS | {"manifest_keys": KEYS["receipt_keys"]}

NOW: Final = "2026-12-01T09:15:02.000Z"

NOW_S: Final = int(MOMENT.timestamp())


class Desk:
    """A folder with a key and a document, in which `doorstep sign` is run."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.key, self.document = folder / "key.pem", folder / "document.json"
        self.key.write_bytes(signing.private_pem(KEY))
        self.document.write_text(json.dumps(ROUTE))

    def sign(self, kind: str, *words: object, document: object = None) -> Ended:
        given = ["sign", kind, document or self.document, "--key", self.key, *words]
        return Ended(main([str(word) for word in given]), *self._capsys.readouterr())


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, capsys)


def signed_now(kind: Kind, document: object) -> str:
    return signed(kind, json.dumps(document).encode(), KEY, MOMENT)


def header_and_payload(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, payload, _ = token.split(".")
    return json.loads(decoded(header)), json.loads(decoded(payload))


@pytest.mark.parametrize(
    ("kind", "document", "filled"),
    [
        (Kind.RECEIPT, RECORD, {"v": 1, "received_at": NOW}),
        (Kind.REFUSAL, RECORD | {"reason": "unknown_key"}, {"v": 1, "refused_at": NOW}),
        (Kind.FLEET, FLEET, {"v": 1, "version": NOW_S}),
        (
            Kind.MANIFEST,
            ROUTE,
            {"v": 1, "version": NOW_S, "begins": NOW, "ends": "2026-12-02T09:15:02.000Z"},
        ),
    ],
)
def test_sign_fills_what_nobody_has_to_decide(
    kind: Kind, document: Mapping[str, Any], filled: Mapping[str, Any]
) -> None:
    """The header names type and key, so that a signature counts for nothing else."""
    header, payload = header_and_payload(signed_now(kind, document))

    assert payload == {**document, **filled}
    assert header == {
        "alg": "ES256",
        "kid": signing.thumbprint(KEY.public_key()),
        "typ": f"doorstep-{kind}",
    }


def test_sign_replaces_no_member_that_is_given() -> None:
    given = ROUTE | {"version": 7, "begins": NOW, "ends": "2026-12-01T18:00:00Z", "v": 1}

    assert header_and_payload(signed_now(Kind.MANIFEST, given))[1] == given


def test_a_manifest_ends_a_day_after_its_own_beginning() -> None:
    begins = MOMENT + timedelta(days=3)

    _, payload = header_and_payload(
        signed_now(Kind.MANIFEST, ROUTE | {"begins": f"{begins:%Y-%m-%dT%H:%M:%SZ}"})
    )

    assert payload["ends"] == "2026-12-05T09:15:02.000Z"


@pytest.mark.parametrize(
    ("kind", "document", "words"),
    [
        (Kind.MANIFEST, ROUTE | {"stops": [STOP, STOP | {"photo": "yes"}]}, "stops[1].photo: "),
        (Kind.MANIFEST, ROUTE | {"stops": [STOP | {"name": "x"}]}, "stops[0].name: devices know"),
        (Kind.MANIFEST, ROUTE | {"begins": "today"}, "begins: not a time"),
        (Kind.MANIFEST, ROUTE | {"begins": "9999-12-31T09:00:00Z"}, "ends: not a time"),
        (Kind.MANIFEST, ROUTE | {"v": 2}, "another format"),
        (Kind.MANIFEST, {"stops": [], "practice_codes": []}, "device_id: not a device's id"),
        (Kind.FLEET, FLEET | {"revoke": []}, "revoke: devices know"),
        (Kind.FLEET, KEYS, "manifest_keys: not a list"),
        (Kind.FLEET, FLEET | {"recipients": ["age1x"]}, "recipients: "),
        (Kind.FLEET, FLEET | {"revoked": [{"kids": "x"}]}, "revoked[0].kids: devices know"),
        (Kind.RECEIPT, RECORD | {"sha256": "0" * 63}, "sha256: not 64"),
        (Kind.RECEIPT, RECORD | {"bytes": True}, "bytes: not the size"),
        (Kind.RECEIPT, RECORD | {"capture_id": "x"}, "capture_id: not a UUIDv4"),
        (Kind.RECEIPT, RECORD | {"received_at": "now"}, "received_at is not a time"),
        (Kind.RECEIPT, RECORD | {"reason": "x"}, "reason: devices know"),
        (Kind.REFUSAL, RECORD, "not a refusal with a reason"),
        (Kind.REFUSAL, RECORD | {"reason": "\ud800"}, "half a character"),
        (Kind.REFUSAL, [], "not a JSON object"),
    ],
)
def test_sign_refuses_what_a_device_would_refuse_or_ignore(
    kind: Kind, document: object, words: str
) -> None:
    with pytest.raises(NotGenuine) as raised:
        signed_now(kind, document)

    assert words in str(raised.value)


@pytest.mark.parametrize("content", [b"{", b'{"v":1,"v":1}', b"\xff", b"[" * 100_000])
def test_sign_refuses_what_is_not_json(content: bytes) -> None:
    with pytest.raises(NotGenuine, match="not JSON"):
        signed(Kind.FLEET, content, KEY, MOMENT)


def test_sign_prints_the_signed_document_without_a_newline(desk: Desk) -> None:
    """A server may send the file of `doorstep sign > FILE` as it is; no device takes a newline."""
    ended = desk.sign("manifest")

    assert (ended.code, ended.err) == (0, "")
    assert manifest.read(ended.out, KEYS_BY_KID, "van-7").stops[0].id == "s-1"


def test_sign_reads_standard_input(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    content = json.dumps(RECORD).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))

    ended = desk.sign("receipt", document="-")

    assert ended.code == 0
    assert header_and_payload(ended.out)[1]["sha256"] == "0" * 64


def test_sign_writes_a_new_file_that_only_its_owner_reads(desk: Desk) -> None:
    out = desk.folder / "van-7.jws"

    ended = desk.sign("manifest", "--out", out)

    assert (ended.code, ended.out) == (0, "")
    assert manifest.read(out.read_text(), KEYS_BY_KID, "van-7").stops[0].id == "s-1"
    assert out.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("is_link", [False, True])
def test_sign_overwrites_nothing(desk: Desk, is_link: bool) -> None:
    """Overwrite no file, and no target of a link."""
    there, out = desk.folder / "there", desk.folder / "out"
    there.write_text("kept")
    out.symlink_to(there) if is_link else there.rename(out)

    ended = desk.sign("manifest", "--out", out)

    assert ended.code == 2
    assert f"{out} exists; name a new one" in ended.err
    assert out.read_text() == "kept"


def test_sign_names_the_folder_that_is_missing(desk: Desk) -> None:
    ended = desk.sign("manifest", "--out", desk.folder / "missing" / "out")

    assert ended.code == 2
    assert f"{desk.folder / 'missing'}: not a folder" in ended.err


def test_sign_names_the_wrong_document(desk: Desk) -> None:
    out = desk.folder / "van-7.jws"
    desk.document.write_text(json.dumps(ROUTE | {"stops": [STOP | {"done": 0}]}))

    ended = desk.sign("manifest", "--out", out)

    assert ended.code == 65
    assert f"{desk.document}: the manifest is malformed: stops[0].done: neither" in ended.err
    assert not out.exists()


@pytest.mark.parametrize(
    ("document", "words"),
    [("/dev/zero", "longer than 4,194,304 bytes"), ("/", "Is a directory"), ("/x", "No such file")],
)
def test_sign_names_a_document_that_it_cannot_read(desk: Desk, document: str, words: str) -> None:
    ended = desk.sign("manifest", document=document)

    assert ended.code == 2
    assert f"{document}: {words}" in ended.err


def test_sign_refuses_a_public_key(desk: Desk) -> None:
    desk.key.write_bytes(signing.public_pem(KEY.public_key()))

    ended = desk.sign("manifest")

    assert ended.code == 2
    assert f"{desk.key}: not a usable private key" in ended.err


@pytest.mark.slow
def test_a_backend_in_any_language_opens_a_record_and_signs_its_receipt(desk: Desk) -> None:
    """By two processes of the base package, as a backend would start them."""
    made, package = RecordMaker().make(), BasePackage(desk.folder)

    opened = package.run("open", made.into(desk.folder), "--json")
    said = json.loads(opened.stdout)
    about = {"capture_id": said["label"]["capture_id"]} | {
        name: said[name] for name in ("sha256", "bytes")
    }
    ended = package.run("sign", "receipt", "-", "--key", desk.key, given=json.dumps(about))

    assert ended.returncode == 0, ended.stderr
    _, payload = header_and_payload(ended.stdout)
    assert payload | {"received_at": None} == {
        "v": 1,
        "capture_id": made.label.capture_id,
        "sha256": hashlib.sha256(made.content).hexdigest(),
        "bytes": len(made.content),
        "received_at": None,
    }
