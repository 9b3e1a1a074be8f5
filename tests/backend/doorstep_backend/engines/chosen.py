"""The choice of a backend's objects, folder or bucket: made once, and stored in the folder."""

import os
from pathlib import Path
from typing import Final

from doorstep_backend.engines.folder import Folder
from doorstep_backend.engines.objects import Objects
from doorstep_backend.engines.opening import URL, rows_are_there, schema_of
from doorstep_backend.engines.sql import Database, Schema, statements
from doorstep_backend.settings import WrongSettingError

FILE: Final = "objects.txt"
"""The address that was given at the first start, in the backend's folder; without it, files."""

NO_ROWS: Final = (
    f"{{}} is a backend's folder and has no backend.db: are its rows on PostgreSQL? Set {URL}"
)

PER_FOLDER: Final = "DOORSTEP_OBJECTS_PER_FOLDER"
"""In the environment: URL of an S3 engine where each folder that says nothing else has a bucket of
its own, which is made. For tests, whose backends are many.
"""

BUCKET: Final = Schema(
    "bucket",
    [
        statements("""CREATE TABLE bucket (
            one BOOLEAN PRIMARY KEY CHECK (one), name TEXT NOT NULL)""")
    ],
)
"""In `backend`: one row, for instances whose folders are not one; none where objects are files."""


def objects_of(folder: Path, given: str | None = None) -> Objects:
    """Return the bucket of the given or remembered address; otherwise files in the folder.

    Raises:
        WrongSettingError: the address is invalid, or records are elsewhere already.
    """
    remembered = (folder / FILE).read_text().strip() if (folder / FILE).exists() else None
    address = given or remembered
    endpoint = os.environ.get(PER_FOLDER)
    if address is None and endpoint is None:
        return Folder(folder)
    from doorstep_backend.engines.s3 import S3, read_address  # noqa: PLC0415 - boto3 loads for 0.3 s

    if address is None:
        own = S3(read_address(f"s3://{schema_of(folder)}?endpoint={endpoint}"))
        own.make()
        return own
    found = read_address(address)
    if remembered is None and any((folder / "received").glob("*.rec")):
        raise WrongSettingError(
            f"--objects: records are in {folder}/received already, and a backend has one place"
        )
    if remembered is not None and read_address(remembered).bucket != found.bucket:
        raise WrongSettingError(
            f"--objects: the records are in {remembered}; when all were copied to another bucket, "
            f"write its address into {folder / FILE}"
        )
    return S3(found)


def check_rows(folder: Path) -> None:
    """Raise WrongSettingError if the rows are elsewhere: a new database here would know none."""
    if (folder / FILE).exists() and not rows_are_there(folder):
        raise WrongSettingError(NO_ROWS.format(folder))


def remember(folder: Path, given: str | None, database: Database, objects: Objects) -> None:
    """Note the address for the next start and for commands, once the bucket is right.

    Raises:
        WrongSettingError: another instance, started meanwhile, has another one.
    """
    if objects.bucket is not None:
        into = "INSERT INTO bucket VALUES (TRUE, ?) ON CONFLICT DO NOTHING"
        database.execute(into, (objects.bucket,))
    check(database, objects)
    if given is not None:
        (folder / FILE).write_text(f"{given}\n")


def check(database: Database, objects: Objects) -> None:
    """Raise WrongSettingError if the records of this database are in another bucket."""
    database.migrate(BUCKET)
    row = database.execute("SELECT name FROM bucket").fetchone()
    if row is None or row["name"] == objects.bucket:
        return
    said = f"the records of this database are in the bucket {row['name']}"
    if objects.bucket is None:
        raise WrongSettingError(f"--objects: {said}: give it, as s3://{row['name']}?endpoint=URL")
    raise WrongSettingError(
        f"--objects: {said}, and not in {objects.bucket}; when all were copied there, tell the "
        f"database: UPDATE bucket SET name = '{objects.bucket}'"
    )
