"""A run reports every fault of a server by a sentence, and ends by itself, whatever is answered."""

import io
import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from agent.record import signing
from tests.conformance import report, upload
from tests.conformance.check import Failed, NotChecked, Profile
from tests.conformance.checks import CHECKS, cuts, writers
from tests.conformance.devices import given_keys, new_devices
from tests.conformance.operator_command import OperatorCommand
from tests.conformance.receipt_faults import subject
from tests.conformance.run import Result, State, chosen, results
from tests.conformance.target import Target
from tests.support.backend import REPOSITORY
from tests.support.factory import decoded, encoded, signed_by_hand
from tests.support.rawserver import RawServer, Script, raw_server, whole

RECEIPTS = chosen(CHECKS, Profile.RECEIPTS, [])

SCRIPTS: dict[str, Script] = {
    "always 500": lambda _: whole(500, b"down\n"),
    "a captive portal": lambda asked: whole(200, b"" if asked.method == "HEAD" else b"<html>"),
    "closes": lambda _: [],
    "no HTTP": lambda _: [b"\xff\xfe\x1b[31m no HTTP\r\n\r\n"],
    "large offsets": lambda asked: whole(
        201 if asked.method == "POST" else 200, Upload_Offset=10**15, Doorstep_Receipt="a.b.c"
    ),
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RawServer]:
    with raw_server(tmp_path) as server:
        yield server


def target_of(server: RawServer, ca_file: Path | None = None, path: str = "") -> Target:
    devices = new_devices(2)
    return Target(
        server.base_url + path,
        Profile.RECEIPTS,
        ca=ca_file or server.ca_file,
        keys=given_keys(server.receipt_key_file),
        devices=lambda _target: devices,
        operator=OperatorCommand(None),
        routed=devices[0],
    )


def states(target: Target, *names: str) -> dict[str, State]:
    made = results(chosen(CHECKS, Profile.RECEIPTS, names), target)
    return {one.check.name: one.state for one in made}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_no_answer_of_a_server_crashes_a_run(
    server: RawServer, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "PAUSES_S", (0,))
    monkeypatch.setattr(writers, "SETTLED_S", 0.1)
    monkeypatch.setattr(cuts, "SETTLED_S", 0)
    server.script = script

    made = list(results([one for one in RECEIPTS if not one.operator], target_of(server)))

    passed = {one.check.name for one in made if one.state is not State.FAILED}
    assert passed <= {"tls-name", "connection-usable-after-error"}
    assert all(one.text.isprintable() for one in made)


def test_server_of_another_authority_fails_the_check_of_its_name_only(
    server: RawServer, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    with raw_server(tmp_path / "other") as other:
        found = states(target_of(server, other.ca_file), "tls-name", "create-with-body")

    assert found == {"tls-name": State.FAILED, "create-with-body": State.NOT_CHECKED}


def test_addresses_are_below_the_path_of_the_url_and_follow_a_location(server: RawServer) -> None:
    server.script = lambda asked: whole(
        201 if asked.method == "POST" else 204, Location="http://proxy/doorstep/files/moved"
    )
    record = upload.Upload(target_of(server, path="/doorstep/"))

    record.create()
    record.head()

    paths = [asked.path for asked in server.requests]
    assert paths == ["/doorstep/files", "/doorstep/files/moved"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 3, "No server answers at https://127.0.0.1:1"),
        (["--only", "nonsense"], 2, "receipts has no check named nonsense"),
    ],
)
def test_run_that_cannot_begin_says_why_by_its_exit_code(
    server: RawServer, words: list[str], code: int, message: str
) -> None:
    command = [sys.executable, "-m", "tests.conformance", "https://127.0.0.1:1"]
    command += ["--profile", "receipts", "--receipt-key", str(server.receipt_key_file), *words]

    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    assert ended.returncode == code
    assert message in ended.stderr


def test_report_says_what_happened_with_the_rule_its_cost_and_a_link(server: RawServer) -> None:
    server.script = lambda _: whole(404, b"nothing here")
    target = target_of(server)

    (result,) = results(chosen(CHECKS, Profile.RECEIPTS, ["create-with-body"]), target)

    lines = report.line(result).splitlines()
    assert lines[0].startswith("FAILED       create-with-body ")
    assert [line.strip() for line in lines[1:]] == [
        'POST /files was answered 404 "nothing here"; it should be 201.',
        f"The rule: {result.check.rule}",
        result.check.cost,
        "See agent/docs/integrate.md#write-your-own",
    ]
    assert list(target.sent.records) == list(report.left_behind(target.sent))[1].split()


def test_junit_has_failures_and_reasons_of_what_was_not_checked(tmp_path: Path) -> None:
    passed, failed, unchecked = RECEIPTS[:3]
    made = [
        Result(passed, State.PASSED, "", 0.25),
        Result(failed, State.FAILED, 'a "sentence" <with> \x00 bytes', 1),
        Result(unchecked, State.NOT_CHECKED, "--operator is missing", 0),
    ]

    report.write_junit(tmp_path / "junit.xml", made, {"url": "https://x"}, 2)

    suite = ET.parse(tmp_path / "junit.xml").getroot()
    assert [suite.get(name) for name in ("tests", "failures", "skipped")] == ["3", "1", "1"]
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == [one.name for one in RECEIPTS[:3]]
    assert [[child.tag for child in case] for case in cases] == [[], ["failure"], ["skipped"]]
    assert "<with>" in str(cases[1][0].get("message"))
    assert cases[2][0].get("message") == "not checked, because --operator is missing"


def test_a_profile_contains_those_before_it_and_a_wrong_name_is_an_error() -> None:
    assert set(RECEIPTS) <= set(chosen(CHECKS, Profile.FLEET, []))
    with pytest.raises(ValueError, match="no check named nonsense"):
        chosen(CHECKS, Profile.RECEIPTS, ["pieces", "nonsense"])


def test_operator_command_does_cannot_or_fails() -> None:
    OperatorCommand("sh -c 'test $1 = restart' -").do("restart")
    with pytest.raises(
        NotChecked, match="--operator is missing, and the check runs COMMAND restart"
    ):
        OperatorCommand(None).do("restart")
    with pytest.raises(NotChecked, match="the service is shared"):
        OperatorCommand("sh -c 'echo the service is shared; exit 75'").do("restart")
    with pytest.raises(Failed, match='ended "revoke van-7" with exit code 3: no van-7'):
        OperatorCommand("sh -c 'echo no van-7 >&2; exit 3'").do("revoke", "van-7")
    with pytest.raises(Failed, match='could not run "restart"'):
        OperatorCommand("/nowhere/operator").do("restart")


def test_person_at_the_terminal_does_what_the_operator_must(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("\nthe service is shared\n"))
    OperatorCommand("-").do("restart")
    with pytest.raises(NotChecked, match="the service is shared"):
        OperatorCommand("-").do("restart")
    with pytest.raises(NotChecked, match='nobody at the terminal did "restart"'):
        OperatorCommand("-").do("restart")


def test_receipt_that_a_device_refuses_is_explained(server: RawServer) -> None:
    record = upload.Upload(target_of(server))
    payload = {"v": 1, "capture_id": record.capture_id, "sha256": record.sha256}
    payload |= {"bytes": record.bytes, "received_at": "2026-12-01T09:15:02Z"}
    good = signing.sign(payload, server.key, typ="doorstep-receipt")
    signed, _, signature = good.rpartition(".")
    raw = decoded(signature)
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    own_kid = signing.thumbprint(server.key.public_key())
    other_kid = signed_by_hand({"kid": "key-1"}, json.dumps(payload).encode(), server.key)

    assert record.is_valid(good)
    assert subject(good) == record.capture_id
    assert subject("no receipt") is None
    with pytest.raises(Failed, match="its signature is in DER, and ES256 needs the 64 bytes"):
        record.verified(f"{signed}.{encoded(der)}")
    with pytest.raises(Failed, match=f"has the kid 'key-1'; .* thumbprint {own_kid}"):
        record.verified(other_kid)
