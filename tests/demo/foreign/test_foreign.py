"""`scripts/demo --backend`: what it prints about a right backend and about a wrong one."""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from agent.errors import ConfigError
from agent.models import BoundBy
from agent.record import signing
from agent.rule.manifest import TYPE, Manifest, read
from tests.demo import story
from tests.demo.foreign import route
from tests.demo.foreign.device import DEVICE, given
from tests.demo.foreign.play import play
from tests.demo.foreign.round import ROUND
from tests.demo.options import read_options
from tests.demo.story import Step, Turn
from tests.support.backend import running_backend
from tests.support.device import REPOSITORY, towards
from tests.support.enrolment import required
from tests.support.sealed import NAMES

URL: Final = "https://127.0.0.1:9"


def demo(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.demo", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)


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


@pytest.mark.slow
def test_a_round_without_a_receipt_ends_at_its_first_record(tmp_path: Path) -> None:
    """The demo prints the device's answer. The next round needs no token, and continues."""
    with running_backend(tmp_path / "backend", identity=True) as backend:
        story.demo_office(backend.data, DEVICE)
        token = tmp_path / "token"
        token.write_text(backend.command("devices", "add", DEVICE).split()[-1])
        file = written(tmp_path, identity=required(backend)["identity"], backend={})
        command: list[str | Path] = ["--backend", backend.base_url, "--config", file]
        command += ["--keep", tmp_path / "kept"]

        backend.set_switches(refuse="no such order")
        refused = demo(*command, "--token", token)
        backend.set_switches(receipt="other_key")
        untrusted = demo(*command)

    answers = {"REFUSED: .*no such order": refused, "PENDING: .*not trusted here": untrusted}
    for text, ended in answers.items():
        assert ended.returncode == 1
        assert re.search(rf"WRONG: \S{{36}} is {text}", ended.stdout), ended.stdout + ended.stderr
        assert "INCOMPLETE" in ended.stdout
        assert "the network is lost" not in ended.stdout
    assert ["chain_start" in ended.stdout for ended in (refused, untrusted)] == [True, False]


def test_certificates_as_files_need_a_folder_that_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"mode": "required", "certificates": "files", "ca": "ca.pem", "fleet_key": "fleet.pem"}
    file = written(tmp_path, identity=files, backend={})

    assert play(tmp_path, URL, file, None, kept=False) == 2

    assert "give --keep DIR" in capsys.readouterr().err


@pytest.mark.slow
def test_backend_without_a_route_reads_what_to_serve(tmp_path: Path) -> None:
    with running_backend(tmp_path / "backend") as backend:
        table = {"recipients": NAMES, **towards(backend)}

        ended = demo("--backend", backend.base_url, "--config", written(tmp_path, backend=table))

    assert ended.returncode == 1
    assert f"/manifest for {DEVICE}: 404" in ended.stderr
    assert "scripts/demo --manifest" in ended.stderr


@pytest.mark.slow
def test_a_backend_that_nobody_reaches_is_named(tmp_path: Path) -> None:
    ended = demo("--backend", URL, "--config", written(tmp_path))

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"GET {URL}/manifest: the connection failed: Connection refused\n"


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"policy": {"manifest": "off"}}, "policy.manifest: off; the round has doors"),
        ({"camera": {"kind": "picamera2"}}, "camera: unknown setting"),
        ({"backend": {"url": "https://elsewhere.example"}}, "differs from --backend"),
        ({"identity": {}}, "identity.mode: missing"),
    ],
)
def test_settings_that_the_round_cannot_use_are_refused(
    tmp_path: Path, tables: dict[str, dict[str, Any]], message: str
) -> None:
    file = written(tmp_path, **tables)

    with pytest.raises(ConfigError, match=f"^{file}: .*{message}"):
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
