"""A backend's rows as a month of a fleet leaves them: as many as wanted, and without objects."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import psycopg  # noqa: TID251 - the test's own side: it fills tables

from agent.models import QualityVerdict, rfc3339
from agent.record import signing
from agent.record.receipt import RECEIPT_TYPE
from doorstep_backend.engines.sql import Database
from tests.support.wire import announce

DEVICES: Final = 1_000
"""As many beside few records as beside many: what grows is what each has sent."""

AGE: Final = timedelta(days=29)
"""Age of the oldest record: nothing is due yet."""

Row = tuple[Any, ...]
Put = Callable[[str, Iterable[Row]], None]
"""Takes a table with its columns, and what goes into it."""

_METADATA: Final = announce(str(UUID(int=0)), b"")["Upload-Metadata"]
_CLAIMS: Final = {"v": 1, "capture_id": str(UUID(int=0)), "sha256": "0" * 64, "bytes": 300_000}
_JWS: Final = signing.sign(
    {**_CLAIMS, "received_at": "2026-12-01T09:15:02.000Z"}, signing.new_key(), typ=RECEIPT_TYPE
)
"""As long as those of real records, which nobody reads here."""


def tables(records: int, now: datetime) -> Mapping[str, Iterator[Row]]:
    """Return the rows by table with its columns, each table after those that it refers to.

    They are so many records of DEVICES, the last of them a moment ago, each of an order of its own.
    A hundredth waits for dispatch, a tenth is blurred, a twentieth was looked at, and of the last
    fifth a fiftieth takes another one back.
    """

    def at(one: int) -> str:
        return rfc3339(now - AGE * ((records - one) / records))

    def is_void(one: int) -> bool:
        """Return True if it takes back the record before it; older voids are erased by now."""
        is_young = records * 4 // 5 <= one < records and one >= DEVICES
        return is_young and (one // DEVICES + one) % 50 == 0

    def order(one: int) -> Row:
        customer, stop = f"k-{one // 10}", f"s-{_digest(one)[:12]}"
        rules = (False, False, one % 50 == 0, False, True)
        return (_number(one), customer, customer, stop, 52.5, 13.4, 20.0, *rules)

    def is_bound(one: int) -> bool:
        return not (is_void(one) or one % 100 == 7 or one % 50 == 0)

    def capture(one: int) -> Row:
        waits = one % 100 == 7 and not is_void(one)
        return (
            capture_id(one),
            _device_id(one),
            str(UUID(int=one % DEVICES)),
            one // DEVICES + 1,
            "void" if is_void(one) else "photo",
            _boot(one * AGE.days // records, one % DEVICES),
            one,
            at(one),
            "gnss",
            at(one),
            capture_id(one - DEVICES) if is_void(one) else None,
            "ambiguous" if waits else "place",
            _number(one) if is_bound(one) else None,
            _number(one) if is_bound(one) else None,
            4.0,
            5.0,
            QualityVerdict.BLURRED if one % 10 == 3 else QualityVerdict.OK,
            False,
            at(one + DEVICES) if is_void(one + DEVICES) else None,
            "kid",
        )

    numbers, tenth = range(records), range(-(-records // 10))
    days = [(now - AGE + timedelta(days=day), day) for day in range(AGE.days)]
    routes = [(begins, day, device) for begins, day in days for device in range(DEVICES)]
    return {
        "customers (customer, name)": ((f"k-{n}", f"Customer {n}") for n in tenth),
        "addresses (address, customer, line, opted_out)": (
            (f"k-{n}", f"k-{n}", f"{n} Example Street", False) for n in tenth
        ),
        "orders (number, customer, address, stop_id, lat_deg, lon_deg, radius_m,"
        " signature_required, confidential, gift, opted_out, done)": map(order, numbers),
        "codes (number, code)": ((_number(n), f"DSTEP{n}") for n in numbers),
        "routes (route, begins, ends)": (
            (f"r-{day}-{device}", rfc3339(begins), rfc3339(begins + timedelta(hours=12)))
            for begins, day, device in routes
        ),
        "route_devices (route, device_id)": (
            (f"r-{day}-{device}", _device_id(device)) for _, day, device in routes
        ),
        "route_orders (route, number, place)": (
            (f"r-{n * AGE.days // records}-{n % DEVICES}", _number(n), n // DEVICES)
            for n in numbers
        ),
        "times (device_id, boot_id, monotonic_ns, utc, source)": (
            (_device_id(device), _boot(day, device), 0, rfc3339(now), "gnss")
            for _, day, device in routes
        ),
        "uploads (capture_id, length, sha256, metadata, device_id, received, last_byte_at)": (
            (capture_id(n), 300_000, _digest(n) * 2, _METADATA, _device_id(n), 300_000, at(n))
            for n in numbers
        ),
        "verdicts (capture_id, accepted, at, reason, jws)": (
            (capture_id(n), True, at(n), None, _JWS) for n in numbers
        ),
        "captures (capture_id, device_id, chain, seq, kind, boot_id, monotonic_ns, utc, clock,"
        " received_at, about, bound_by, number, own_number, distance_m, accuracy_m, verdict,"
        " simulated, taken_back_at, kid)": map(capture, numbers),
        "outcomes (number, source, how, at)": (
            (_number(n), capture_id(n), "photo", at(n)) for n in numbers if is_bound(n)
        ),
        "corrections (capture_id, at, who, reason, state, from_number, to_number)": (
            (capture_id(n), at(n), "dispatch ana", "checked", "shown", _number(n), _number(n))
            for n in numbers[::20]
        ),
        "views (at, viewer, number, capture_id, why)": (
            (at(n), "customer", _number(n), capture_id(n), "") for n in numbers[::20]
        ),
    }


def capture_id(number: int) -> str:
    """Return an id as random as a device's."""
    return str(UUID(_digest(number)))


def _digest(number: int) -> str:
    return hashlib.blake2b(b"%d" % number, digest_size=16).hexdigest()


def _number(number: int) -> str:
    return f"n-{number:09}"


def _device_id(number: int) -> str:
    return f"van-{number % DEVICES:05}"


def _boot(day: int, device: int) -> str:
    return str(UUID(int=day * DEVICES + device))


def fill(put: Put, records: int) -> None:
    """Fill all tables of a month; a million records take some minutes."""
    for table, rows in tables(records, datetime.now(UTC)).items():
        put(table, rows)


def into_postgresql(url: str) -> Put:
    """Return what copies rows, with nothing checked; then the planner knows what there is."""

    def put(table: str, rows: Iterable[Row]) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")
            with connection.cursor().copy(f"COPY {table} FROM STDIN".encode()) as copy:
                for row in rows:
                    copy.write_row(row)
            connection.execute(f"VACUUM ANALYZE {table.partition(' ')[0]}".encode())

    return put


def into_sqlite(*databases: Database) -> Put:
    """Return what inserts rows into `backend` or `orders`, whichever has the table."""

    def put(table: str, rows: Iterable[Row]) -> None:
        name, _, columns = table.partition(" ")
        query = "SELECT 1 FROM sqlite_master WHERE name = ?"
        (database,) = [one for one in databases if one.execute(query, (name,)).fetchone()]
        marks = ", ".join("?" * (columns.count(",") + 1))
        database.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)

    return put
