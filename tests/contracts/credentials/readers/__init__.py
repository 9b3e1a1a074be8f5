"""Foreign readers of Content Credentials: c2pa-wasm, and c2pa-ts, which shares no code with it."""

import base64
import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.npm import install, program

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Judgement:
    """The verdict of each on a photo: Trusted, Valid, Invalid, or None without a manifest.

    `typescript` follows no chain of trust; `said` are the assertions that `wasm` found.
    """

    wasm: str
    typescript: str
    said: Any = None


def judged(photos: Iterable[bytes], anchor: str | None) -> list[Judgement]:
    """All of them, by one process."""
    install(_FOLDER)
    asked = [{"photo": base64.b64encode(one).decode(), "anchor": anchor} for one in photos]
    ran = subprocess.run(
        [program("node", "nodejs"), str(_FOLDER / "read.mjs")],
        input="\n".join(map(json.dumps, asked)),
        capture_output=True,
        text=True,
        check=True,
    )
    found = map(json.loads, ran.stdout.splitlines())
    return [
        Judgement(one["wasm"]["state"], one["typescript"]["state"], one["wasm"].get("said"))
        for one in found
    ]
