"""Rows and objects of the servers, read from their engines and not from the backend."""

import hashlib
import sqlite3  # noqa: TID251 - the test's own look into the backend's file
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from tests.bench.fleet.servers import Engines, Servers
from tests.support.postgres import asked

RECEIPTS: Final = """SELECT v.capture_id, u.sha256 FROM verdicts v JOIN uploads u
    ON u.capture_id = v.capture_id WHERE v.accepted"""

FILED: Final = "SELECT capture_id, '' FROM captures"

Row = tuple[str, str]
"""A record's id, and a digest in hex."""


@dataclass(frozen=True, slots=True)
class Kept:
    """All there is.

    Attributes:
        receipts: rows of receipts, with the digest that the row has.
        objects: record files, with the digest of their bytes.
        filed: rows of the office.
    """

    receipts: list[Row]
    objects: list[Row]
    filed: list[Row]


@dataclass(frozen=True, slots=True)
class Judged:
    """Ids of captures.

    Attributes:
        lost: a device has its receipt, and there is no row, no object, or another one.
        double: more than one object; of rows it is the key.
        unfiled: kept, and of no order and in no list of the office.
    """

    lost: set[str]
    double: set[str]
    unfiled: set[str]


def judged(receipts: Mapping[str, str], kept: Kept) -> Judged:
    """The fate of the records whose receipts devices hold; digests by their ids."""
    held = set(receipts.items())
    whole = held & set(kept.receipts) & set(kept.objects)
    objects = Counter(one for one, _ in kept.objects)
    return Judged(
        lost={capture_id for capture_id, _ in held - whole},
        double={one for one, times in objects.items() if times > 1},
        unfiled={one for one, _ in kept.receipts} - {one for one, _ in kept.filed},
    )


def kept(servers: Servers) -> Kept:
    """Reads every byte of every record."""
    if servers.engines is None:
        rows = [_sqlite_rows(servers, *one) for one in (("backend", RECEIPTS), ("orders", FILED))]
        return Kept(rows[0], list(_files(servers)), rows[1])
    receipts, filed = (asked(servers.database, query) for query in (RECEIPTS, FILED))
    objects = list(_objects(servers.engines, servers.bucket))
    return Kept(_texts(receipts), objects, _texts(filed))


def _sqlite_rows(servers: Servers, name: str, query: str) -> list[Row]:
    with closing(sqlite3.connect(servers.data / f"{name}.db")) as database:
        return _texts(database.execute(query).fetchall())


def _files(servers: Servers) -> Iterator[Row]:
    for path in (servers.data / "received").iterdir():
        yield path.stem, hashlib.sha256(path.read_bytes()).hexdigest()


def _objects(engines: Engines, bucket: str) -> Iterator[Row]:
    client = engines.s3.admin
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for one in page.get("Contents", []):
            body = client.get_object(Bucket=bucket, Key=one["Key"])["Body"].read()
            yield one["Key"].partition("/")[0], hashlib.sha256(body).hexdigest()


def _texts(rows: list[tuple[Any, ...]]) -> list[Row]:
    return [(str(one), str(other)) for one, other in rows]
