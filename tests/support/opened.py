"""Objects on either engine, and what somebody does to them behind their back."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from doorstep_backend.engines.folder import Folder
from doorstep_backend.engines.objects import Objects
from tests.support.buckets import Engine


@dataclass(frozen=True)
class Opened:
    """Objects, and what somebody does to a record behind their back."""

    objects: Objects
    overwrite: Callable[[str, str, bytes], object]
    delete: Callable[[str, str], object]


def folder(request: pytest.FixtureRequest) -> Opened:
    root: Path = request.getfixturevalue("tmp_path") / "objects"

    def path(capture_id: str, _name: str) -> Path:
        return root / "received" / f"{capture_id}.rec"

    return Opened(
        Folder(root),
        lambda capture_id, name, content: path(capture_id, name).write_bytes(content),
        lambda capture_id, name: path(capture_id, name).unlink(),
    )


def bucket(request: pytest.FixtureRequest) -> Opened:
    engine: Engine = request.getfixturevalue("engine")
    name = f"b-{uuid4()}"
    objects, admin = engine.bucket(name), engine.admin
    return Opened(
        objects,
        lambda one, key, content: admin.put_object(Bucket=name, Key=f"{one}/{key}", Body=content),
        lambda one, key: admin.delete_object(Bucket=name, Key=f"{one}/{key}"),
    )
