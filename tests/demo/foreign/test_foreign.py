"""`scripts/demo --backend`: what it prints about a right backend and about a wrong one."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.x509 import load_pem_x509_csr

from agent.errors import ConfigError
from agent.models import BoundBy
from agent.record import certificates, signing
from agent.rule.manifest import TYPE, Manifest, read
from doorstep_backend.identity.authority import Authority
from doorstep_backend.identity.register import Register
from tests.demo import story
from tests.demo.foreign import route
from tests.demo.foreign.device import DEVICE, given
from tests.demo.foreign.round import ROUND
from tests.demo.options import read_options
from tests.demo.story import Step, Turn
from tests.support.backend import Backend, running_backend
from tests.support.device import REPOSITORY, towards
from tests.support.enrolment import required
from tests.support.sealed import NAMES

PRESSES: Final = sum(isinstance(one, Step) for one in ROUND)
RECORDS: Final = PRESSES + len(["chain_start", "void"])
"""Of one boot whose clock is synchronised: its records need no `time`."""

URL: Final = "https://127.0.0.1:9"


def demo(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.demo", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)


def ids(ended: subprocess.CompletedProcess[str]) -> list[str]:
    """The records that got a receipt, as the table has them."""
    return re.findall(r" in \d+ s +(\S{36})$", ended.stdout, re.MULTILINE)


def attempts(device: Path) -> dict[str, int]:
    """Return how often a device tried to send each of its records."""
    config = device / "config.toml"
    command = [sys.executable, "-m", "agent", "queue", "--json", "--config", str(config)]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    rows = map(json.loads, listed.stdout.splitlines())
    return {row["capture_id"]: row["attempts"] for row in rows}


def written(folder: Path, **tables: dict[str, Any]) -> Path:
    """Write what a backend's owner writes; by default for the bench, towards nothing."""
    usual: dict[str, dict[str, Any]] = {
        "identity": {"mode": "off"},
        "policy": {"manifest": "required"},
        "backend": {"recipients": NAMES, "receipt_keys": ["receipt-key.pem"]},
    }
    lines = []
    for name, table in (usual | tables).items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    path = folder / "device.toml"
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    with running_backend(tmp_path / "backend") as backend:
        yield backend


def words(backend: Backend, folder: Path) -> list[str | Path]:
    table = {"recipients": NAMES, **towards(backend)}
    return ["--backend", backend.base_url, "--config", written(folder, backend=table)]


@pytest.mark.slow
def test_every_record_of_the_round_gets_its_receipt(backend: Backend, tmp_path: Path) -> None:
    """Also the one whose transfer was cut: the device sends it again."""
    story.demo_office(backend.data, DEVICE)

    ended = demo(*words(backend, tmp_path), "--keep", tmp_path / "kept")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Complete in" in ended.stdout
    assert sorted(ids(ended)) == sorted(one.stem for one in (backend.data / "received").iterdir())
    assert len(ids(ended)) == RECORDS
    cut = re.search(rf"^ +{PRESSES - 1} .* (\S+)$", ended.stdout, re.MULTILINE)
    assert cut
    assert attempts(tmp_path / "kept" / DEVICE)[cut.group(1)] > 1


@pytest.mark.slow
def test_a_device_that_enrolled_goes_on_with_its_keys(tmp_path: Path) -> None:
    """The second round needs no token, and continues the chain."""
    with running_backend(tmp_path / "backend", identity=True) as backend:
        story.demo_office(backend.data, DEVICE)
        backend.set_switches(refuse="this round is over")
        token = tmp_path / "token"
        token.write_text(backend.command("devices", "add", DEVICE).split()[-1])
        file = written(tmp_path, identity=required(backend)["identity"], backend={})
        kept = tmp_path / "kept"
        command = ["--backend", backend.base_url, "--config", str(file), "--keep", str(kept)]

        rounds = [demo(*command, "--token", token), demo(*command)]

    for ended in rounds:
        assert "REFUSED: this round is over" in ended.stdout, ended.stdout + ended.stderr
    assert ["chain_start" in ended.stdout for ended in rounds] == [True, False]


@pytest.mark.slow
def test_a_device_takes_its_certificates_from_files(tmp_path: Path) -> None:
    """The first run ends with requests; its next one plays with what the authority made of them."""
    with running_backend(tmp_path / "backend", identity=True) as backend:
        story.demo_office(backend.data, DEVICE)
        backend.set_switches(refuse="this round is over")
        identity = {**required(backend)["identity"], "certificates": "files"}
        file = written(tmp_path, identity=identity, backend={})
        command = ["--backend", backend.base_url, "--config", str(file)]

        without = demo(*command)
        first = demo(*command, "--keep", tmp_path / "kept")
        answered(backend, tmp_path / "kept" / DEVICE)
        rounds = [demo(*command, "--keep", tmp_path / "kept") for _ in range(2)]

    assert (without.returncode, without.stdout) == (2, "")
    assert "give --keep DIR" in without.stderr
    assert (first.returncode, first.stdout) == (1, "")
    assert f"put them into {tmp_path / 'kept' / DEVICE / 'certificates'}" in first.stderr
    for ended in rounds:
        assert "REFUSED: this round is over" in ended.stdout, ended.stdout + ended.stderr


def answered(backend: Backend, device: Path) -> None:
    """Make certificates of a device's requests, as a person does with an authority."""
    register, authority = Register(backend.data), Authority.of(backend.data / "ca")
    register.let_in(DEVICE)
    now = datetime.now(UTC)
    tls, evidence = (
        _key(device / "requests" / f"{DEVICE}-{use}.csr") for use in ("tls", "evidence")
    )
    made = [
        register.enrol(DEVICE, tls, now, lambda: authority.tls(DEVICE, tls, now)).x509,
        register.vouch(DEVICE, evidence, now, lambda: authority.evidence(DEVICE, evidence)).x509,
    ]
    (device / "certificates" / "both.pem").write_bytes(certificates.pem(made))


def _key(request: Path) -> signing.PublicKey:
    found = load_pem_x509_csr(request.read_bytes()).public_key()
    assert isinstance(found, signing.PublicKey)
    return found


@pytest.mark.slow
def test_a_backend_without_a_route_is_told_what_to_serve(backend: Backend, tmp_path: Path) -> None:
    ended = demo(*words(backend, tmp_path))

    assert ended.returncode == 1
    assert f"/manifest for {DEVICE}: 404" in ended.stderr
    assert "scripts/demo --manifest" in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("switches", "told"),
    [
        ({"refuse": "no such order"}, "REFUSED: .*no such order"),
        ({"receipt": "other_key"}, "PENDING: .*not trusted here"),
    ],
)
def test_a_record_without_a_receipt_ends_the_round(
    backend: Backend, tmp_path: Path, switches: dict[str, Any], told: str
) -> None:
    """The first one does, and the demo says what the device was answered."""
    story.demo_office(backend.data, DEVICE)
    backend.set_switches(**switches)

    ended = demo(*words(backend, tmp_path))

    assert ended.returncode == 1
    assert re.search(rf"WRONG: \S{{36}} is {told}", ended.stdout), ended.stdout + ended.stderr
    assert "INCOMPLETE" in ended.stdout
    assert "the network is lost" not in ended.stdout


@pytest.mark.slow
def test_a_backend_that_nobody_reaches_is_named(tmp_path: Path) -> None:
    ended = demo("--backend", URL, "--config", written(tmp_path))

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"GET {URL}/manifest: the connection failed: Connection refused\n"


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        ({"policy": {"manifest": "off"}}, "policy.manifest: off: the round has doors"),
        ({"camera": {"kind": "picamera2"}}, "camera: unknown setting"),
        ({"backend": {"url": "https://elsewhere.example"}}, "is not --backend, which is"),
        ({"identity": {}}, "identity.mode: missing"),
    ],
)
def test_settings_that_the_round_cannot_use_are_refused(
    tmp_path: Path, tables: dict[str, dict[str, Any]], told: str
) -> None:
    file = written(tmp_path, **tables)

    with pytest.raises(ConfigError, match=f"^{file}: .*{told}"):
        given(URL, file)


def served(said: dict[str, Any]) -> Manifest:
    """Return a manifest as a backend serves it."""
    key = signing.new_key()
    token = signing.sign(said, key, typ=TYPE)
    return read(token, {signing.thumbprint(key.public_key()): key.public_key()}, DEVICE)


def test_a_route_may_name_its_stops_but_not_move_them() -> None:
    town = route.town()
    said = json.loads(town.manifest)
    for number, stop in enumerate(said["stops"]):
        stop |= {"id": f"own-{number}", "done": True}

    assert set(route.stop_ids(served(said), town.orders)) == {stop["id"] for stop in said["stops"]}

    said["stops"][0]["lat_deg"] = 52.6
    said["stops"][1]["photo"] = "allowed"
    del said["stops"][2]
    with pytest.raises(SystemExit) as ended:
        route.stop_ids(served(said | {"practice_codes": []}), town.orders)
    assert str(ended.value).splitlines()[1:5] == [
        "  the stop of DSTEP1001 is at 52.6, 13.3777",
        "  the stop of DSTEP1002: radius_m 20.0, photo allowed",
        "  no stop has the codes DSTEP1003 (and no others)",
        "  practice_codes lacks DOORSTEP-PRACTICE",
    ]


@pytest.mark.parametrize(
    "words",
    [["--backend", URL], ["--token", "t"], ["--backend", URL, "--config", "f", "--play"]],
)
def test_options_that_do_not_fit_are_refused(words: Sequence[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        read_options(words)


def test_the_round_has_every_kind_of_press_that_needs_no_office() -> None:
    turns = [one for one in ROUND if isinstance(one, Turn)]

    assert {one.comes_to for one in ROUND if isinstance(one, Step)} == {
        one.comes_to for one in story.ROUND if isinstance(one, Step)
    } | {BoundBy.UNASSIGNED}
    assert turns[-2:] == [Turn.STALLED, Turn.KILLED_SENDING]
