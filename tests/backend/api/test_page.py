"""The block of the API's page is run as it is printed, with curl, at a real backend."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from doorstep_backend.identity.register import Register
from doorstep_backend.office.model import open_office
from doorstep_backend.wire.store import Store
from tests.support.backend import REPOSITORY, running_backend

PAGE = REPOSITORY / "tests" / "backend" / "docs" / "api.md"


@pytest.mark.slow
def test_the_block_of_the_page_plans_a_day(tmp_path: Path) -> None:
    block = PAGE.read_text().split("```\n")[1]
    block = block.replace(".venv/bin/doorstep-backend", f"{sys.executable} -m doorstep_backend")
    day = datetime.now(UTC).date() + timedelta(days=1)
    with running_backend(tmp_path / "data", identity=True, switches=False) as backend:
        Register(backend.data).let_in("van-0042")

        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=tmp_path,
            env={**os.environ, "URL": backend.base_url, "DAY": str(day)},
            capture_output=True,
            text=True,
            check=False,
        )

        assert ran.returncode == 0, ran.stdout + ran.stderr
        address, order, route, outcome = map(json.loads, ran.stdout.splitlines())
        planned = open_office(Store(backend.data)).routes.planned_on("van-0042", day)
    assert (address["address"], order["photo"], route["orders"]) == ("home-9", "allowed", ["2001"])
    assert outcome["delivered"] is None
    assert planned is not None
    assert planned.numbers == ("2001",)
