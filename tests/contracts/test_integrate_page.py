"""The page for integrators: each byte of its documents and exchanges is right."""

import base64
import hashlib
import http.client
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from agent.record import certificates, signing
from agent.record import file as recordfile
from agent.status import header
from doorstep_backend import keys
from doorstep_backend.engines.opening import open_database
from doorstep_backend.identity.authority import Authority
from doorstep_backend.identity.fleet import DOCUMENTS
from tests.support.backend import running_backend
from tests.support.device import REPOSITORY, Reachable
from tests.support.enrolment import certified, enrolled
from tests.support.integrate_page import BLOCKS, PAGE, blocks, section_blocks
from tests.support.small_backends import SmallBackend, python_backend, routes_backend
from tests.support.wire import tls_line

WORDS_LIMIT: Final = 900
"""Most words of the receipts profile, with all of its code: what a developer reads in minutes."""

TOKEN: Final = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
TOKENS: Final = list(dict.fromkeys(TOKEN.findall(PAGE)))
"""Everything signed that the page prints: documents, and a record label, which has no type."""

KEY: Final = ec.derive_private_key(
    int.from_bytes(base64.urlsafe_b64decode("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI="), "big"),
    ec.SECP256R1(),
)
"""The key that signed them. Source: RFC 7515, appendix A.3."""


KID: Final = signing.thumbprint(KEY.public_key())


def signed(token: str) -> tuple[Any, dict[str, Any]]:
    """Return header and payload of a document that the printed key signed."""
    header = json.loads(base64.urlsafe_b64decode(token.partition(".")[0] + "=="))
    return header, signing.verify(token, {KID: KEY.public_key()})


def test_every_block_is_of_a_kind_that_a_test_tries() -> None:
    assert {language for language, _ in BLOCKS} == {"sh", "http", "json"}
    assert PAGE.count("\n```") == 2 * len(BLOCKS)


def test_receipts_profile_is_read_in_900_words() -> None:
    text = PAGE.partition("\n## Routes\n")[0]

    assert text != PAGE
    assert len(re.findall(r"\S*\w\S*", text)) <= WORDS_LIMIT


@pytest.mark.parametrize(
    ("program", "pattern"),
    [("receipts_backend.py", r"(\d+) lines of Python"), ("routes_backend.py", r"adds (\d+) lines")],
)
def test_small_backend_is_about_as_long_as_the_page_says(program: str, pattern: str) -> None:
    lines = (REPOSITORY / "agent/docs" / program).read_text().splitlines()
    (number,) = re.findall(pattern, PAGE)

    assert abs(len(lines) - int(number)) < 20


# --- signed documents


def objects(text: str) -> list[Any]:
    """Return the JSON values of a text, one behind the other."""
    found, at = [], 0
    while at < len(text):
        value, at = json.JSONDecoder().raw_decode(text, at)
        found.append(value)
        at += len(text[at:]) - len(text[at:].lstrip())
    return found


def test_printed_thumbprint_is_that_of_the_rfcs_key() -> None:
    assert f'"kid": "{KID}"' in PAGE


LABEL_BLOCK: Final = next(block for block in blocks("json") if '"jwk"' in block.split("\n")[0])


@pytest.mark.slow
@pytest.mark.parametrize("block", [block for block in blocks("json") if block != LABEL_BLOCK])
def test_sign_makes_the_printed_document_of_each_json_block(block: str, tmp_path: Path) -> None:
    """All bytes are those of `doorstep sign`, except the signature, which has chance in it."""
    *header, members = objects(block)
    key, document = tmp_path / "key.pem", tmp_path / "document.json"
    key.write_bytes(signing.private_pem(KEY))
    document.write_text(json.dumps(members))
    token = next(one for one in TOKENS if members.items() <= signed(one)[1].items())
    kind, *said = signed(token)[0]["typ"].removeprefix("doorstep-"), *header

    made = subprocess.run(
        [sys.executable, "-m", "agent", "sign", kind, document, "--key", key],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert made.rpartition(".")[0] == token.rpartition(".")[0]
    assert said in ([], [signed(token)[0]])


def test_printed_record_is_one_that_a_device_could_send() -> None:
    """Its label verifies, says what the page prints, and has the digest of the body."""
    (record,) = (
        exchange(block).request.partition(b"\r\n\r\n")[2]
        for block in section_blocks("Routes", "http")
        if block.startswith("POST /files")
    )
    label = record.partition(b"\n")[0].decode()

    checked = recordfile.check(record)

    assert [*signed(label)] == objects(LABEL_BLOCK)
    assert checked.key.public_numbers() == KEY.public_key().public_numbers()


def test_every_printed_document_is_signed_and_has_its_etag() -> None:
    documents = [*printed("manifest"), *printed("fleet")]
    tags = {tag for block in blocks("http") for tag in re.findall('"([0-9a-f]{64})"\n', block)}

    assert tags == {hashlib.sha256(token.encode()).hexdigest() for token in documents}


def test_printed_status_is_that_of_its_page() -> None:
    (text,) = re.findall("^Doorstep-Status: (.*)$", PAGE, re.MULTILINE)
    page = (REPOSITORY / "agent/docs/status.md").read_text(encoding="utf-8")

    assert header.decoded(text) == json.loads(page.split("```json\n")[1].split("```")[0])


# --- exchanges


@dataclass(frozen=True)
class Exchange:
    """A request and its answer, as the page prints them."""

    request: bytes
    status: int
    headers: Message
    body: str


def exchange(block: str) -> Exchange:
    asked, _, answer = block.partition("\n\nHTTP/1.1 ")
    head, _, sent = asked.partition("\n\n")
    line, *fields = head.splitlines()
    wired = [line, "Host: 127.0.0.1", *fields, "", sent]  # each client adds the host
    head, _, body = answer.partition("\n\n")
    status, *fields = head.splitlines()
    return Exchange("\r\n".join(wired).encode(), int(status[:3]), message(fields), body)


def message(fields: list[str]) -> Message:
    made = Message()
    for line in fields:
        name, _, value = line.partition(": ")
        made[name] = value
    return made


def assert_answered(
    printed: Exchange, backend: Reachable, identity: tuple[Path, Path] | None = None
) -> None:
    """Send a request as it is printed; all that is printed must be in the answer."""
    port = int(backend.base_url.rpartition(":")[2])
    with tls_line(port, backend.ca_file, identity) as line:
        line.sendall(printed.request)
        answer = http.client.HTTPResponse(line, method=printed.request.split(b" ", 1)[0].decode())
        answer.begin()
        body = answer.read().decode()

    assert (answer.status, printed.request) == (printed.status, printed.request), body
    if printed.body:
        assert without_chance(body.strip()) == without_chance(printed.body)
    for name, value in printed.headers.items():
        assert without_chance(answer.headers[name]) == without_chance(value), name


def without_chance(text: str) -> str:
    """Return a text in which signed documents are what they say, without the time of arrival."""
    return TOKEN.sub(lambda token: said_by(token[0]), text)


def said_by(token: str) -> str:
    header, payload = signed(token)
    return json.dumps([header, payload | {"received_at": ""}], sort_keys=True)


def test_each_exchange_of_receipts_is_answered_as_printed(tmp_path: Path) -> None:
    with given(python_backend(tmp_path), tmp_path) as backend:
        for one in map(exchange, section_blocks("Receipts", "http")):
            assert_answered(one, backend)


@pytest.mark.slow
def test_each_exchange_of_routes_is_answered_as_printed(tmp_path: Path) -> None:
    """Each device shows a certificate, except the one that is answered 403."""
    with given(routes_backend(tmp_path), tmp_path) as backend:
        van = certified("van-0042", tmp_path)
        for one in map(exchange, section_blocks("Routes", "http")):
            assert_answered(one, backend, None if one.status == 403 else van)


@pytest.mark.slow
def test_each_exchange_of_fleet_is_answered_as_printed(tmp_path: Path) -> None:
    """The reference backend has the printed fleet documents."""
    give_documents(tmp_path / "backend", printed("fleet"))

    with running_backend(tmp_path / "backend", identity=True) as backend:
        van = enrolled(backend, tmp_path, "van-0042").files
        for one in map(exchange, section_blocks("Fleet", "http")):
            assert_answered(one, backend, van)


@contextmanager
def given(backend: SmallBackend, folder: Path) -> Iterator[SmallBackend]:
    """Run a small backend with the printed key and documents."""
    keys.put_key(folder / "receipt.pem", KEY)
    evidence = Authority.of(folder / "ca").evidence("van-0042", KEY.public_key())
    files = {
        "manifests/van-0042.jws": printed("manifest")[0],
        "fleet.jws": printed("fleet")[0],
        "evidence/van-0042.pem": certificates.pem([evidence]).decode(),
    }
    for name, text in files.items():
        (backend.data / name).parent.mkdir(parents=True, exist_ok=True)
        (backend.data / name).write_text(text)
    with backend:
        yield backend


def printed(kind: str) -> list[str]:
    return [token for token in TOKENS if signed(token)[0].get("typ") == f"doorstep-{kind}"]


def give_documents(folder: Path, tokens: list[str]) -> None:
    """Make the fleet documents of a backend that has not run yet, and the key of all."""
    (folder / "keys").mkdir(mode=0o700, parents=True)
    for name in ("fleet", "receipt"):
        keys.put_key(folder / "keys" / f"{name}.pem", KEY)
    database = open_database(folder, "backend")
    database.migrate(DOCUMENTS)
    for token in tokens:
        said, tag = signed(token)[1], hashlib.sha256(token.encode()).hexdigest()
        row = (said["version"], f'"{tag}"', KID, None, json.dumps(said), token)
        database.execute("INSERT INTO fleet_documents VALUES (?, ?, ?, ?, ?, ?)", row)
    database.close()
