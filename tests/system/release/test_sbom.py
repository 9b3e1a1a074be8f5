"""Bill of materials of a release, held to CycloneDX's schema and to the pins."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from agent import __version__
from tests.support.device import REPOSITORY
from tests.system.release.clone import make_wheel, make_wheelhouse, pins

PROGRAM = REPOSITORY / "scripts" / "releasing" / "sbom.py"
COMMIT = "1" * 40
DATE = "2026-11-26T22:00:00+01:00"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_wheelhouse(tmp_path_factory.mktemp("wheelhouse"))
    silent = make_wheel(folder, "silent", "1.0", "Name: silent\nVersion: 1.0\n")
    subprocess.run(["tar", "-rf", "arm64.tar", silent.name], cwd=folder, check=True)
    silent.rename(folder / "arm64" / silent.name)
    return folder


@pytest.fixture(scope="module")
def text(wheelhouse: Path) -> str:
    archive = str(wheelhouse / "arm64.tar")
    command = [sys.executable, str(PROGRAM), archive, __version__, COMMIT, DATE]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def document(text: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(text)
    return read


def test_sbom_follows_the_schema(text: str) -> None:
    validator = JsonStrictValidator(SchemaVersion.V1_6)

    assert validator.validate_str(text) is None
    assert validator.validate_str(text.replace('"purl"', '"pearl"')) is not None


def test_every_wheel_is_listed_with_version_and_address(
    document: dict[str, Any], wheelhouse: Path
) -> None:
    listed = {one["name"]: one for one in document["components"]}
    files = wheelhouse.glob("arm64/*.whl")
    there = {path.name.split("-")[0].replace("_", "-") for path in files}

    assert len(there) > 20
    assert {*listed, "doorstep"} == there
    for name, one in listed.items():
        version = pins().get(name, "1.0")
        assert one["version"] == version
        assert one["purl"] == f"pkg:pypi/{name}@{version}"


def test_sbom_has_the_digests_of_the_wheels(document: dict[str, Any], wheelhouse: Path) -> None:
    files = wheelhouse.glob("arm64/*.whl")
    listed = [document["metadata"]["component"], *document["components"]]

    assert {one["hashes"][0]["content"] for one in listed} == {
        hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def test_sbom_has_licences_as_their_authors_state_them(document: dict[str, Any]) -> None:
    by_name = {one["name"]: one.get("licenses") for one in document["components"]}

    assert by_name["urllib3"] == [{"license": {"id": "MIT"}}]
    assert by_name["cryptography"] == [{"expression": "Apache-2.0 OR BSD-3-Clause"}]
    assert by_name["click-default-group"] == [{"license": {"name": "Public Domain"}}]
    assert by_name["silent"] is None


def test_sbom_claims_no_registry_for_our_package(document: dict[str, Any]) -> None:
    root = document["metadata"]["component"]

    assert root["purl"] == f"pkg:generic/doorstep@{__version__}"
    assert root["licenses"] == [{"license": {"id": "MIT"}}]


def test_sbom_has_the_time_of_the_commit(document: dict[str, Any]) -> None:
    assert document["metadata"]["timestamp"] == "2026-11-26T21:00:00+00:00"
