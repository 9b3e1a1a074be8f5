"""A backend's rows as a month of a fleet leaves them: as many as wanted, and without objects."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import psycopg  # noqa: TID251 - the test's own side: it fills tables

from agent.models import Verdict, rfc3339
from agent.record import signing
from agent.record.receipt import RECEIPT_TYPE
from doorstep_backend.engines.sql import Database
from tests.support.wire import announce

DEVICES: Final = 1_000
"""As many beside few records as beside many: what grows is what each has sent."""

AGE: Final = timedelta(days=29)
"""Of the oldest record: nothing is due yet."""

NEVER: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""For whoever asks for names of tables alone."""

Row = tuple[Any, ...]
Put = Callable[[str, Iterable[Row]], None]
"""Takes a table with its columns, and what goes into it."""

_METADATA: Final = announce(str(UUID(int=0)), b"")["Upload-Metadata"]
_CLAIMS: Final = {"v": 1, "capture_id": str(UUID(int=0)), "sha256": "0" * 64, "bytes": 300_000}
_JWS: Final = signing.sign(
    {**_CLAIMS, "received_at": "2026-12-01T09:15:02.000Z"}, signing.new_key(), typ=RECEIPT_TYPE
)
"""As long as those of real records, which nobody reads here."""


@dataclass(frozen=True, slots=True)
class Month:
    """So many records of DEVICES, the last of them a moment ago, each of an order of its own.

    A hundredth waits for dispatch, a tenth is blurred, a twentieth was looked at, and of the last
    fifth a fiftieth takes another one back.
    """

    records: int
    now: datetime

    def tables(self) -> Mapping[str, Iterator[Row]]:
        """By table with its columns, in an order in which each may refer to those before."""
        numbers, days = range(self.records), range(AGE.days)
        routes = [(day, device) for day in days for device in range(DEVICES)]
        tenth = range(-(-self.records // 10))
        return {
            "customers (customer, name)": ((f"k-{n}", f"Customer {n}") for n in tenth),
            "addresses (address, customer, line, opted_out)": (
                (f"k-{n}", f"k-{n}", f"{n} Example Street", False) for n in tenth
            ),
            "orders (number, customer, address, stop_id, lat_deg, lon_deg, radius_m,"
            " signature_required, confidential, gift, opted_out, done)": map(self._order, numbers),
            "codes (number, code)": ((_number(n), f"DSTEP{n}") for n in numbers),
            "routes (route, begins, ends)": map(self._route, routes),
            "route_devices (route, device_id)": ((_route(*one), _van(one[1])) for one in routes),
            "route_orders (route, number, place)": (
                (self._route_of(n), _number(n), n // DEVICES) for n in numbers
            ),
            "times (device_id, boot_id, monotonic_ns, utc, source)": (
                (_van(device), _boot(day, device), 0, rfc3339(self.now), "gnss")
                for day, device in routes
            ),
            "uploads (capture_id, length, sha256, metadata, device_id, received,"
            " last_byte_at)": map(self._upload, numbers),
            "verdicts (capture_id, accepted, at, reason, jws)": (
                (capture_id(n), True, self._at(n), None, _JWS) for n in numbers
            ),
            "captures (capture_id, device_id, chain, seq, kind, boot_id, monotonic_ns, utc, clock,"
            " received_at, about, bound_by, number, distance_m, accuracy_m, verdict, simulated,"
            " taken_back_at, kid)": map(self._capture, numbers),
            "views (at, viewer, number, capture_id, why)": (
                (self._at(n), "customer", _number(n), capture_id(n), "") for n in numbers[::20]
            ),
        }

    def _at(self, number: int) -> str:
        return rfc3339(self.now - AGE * ((self.records - number) / self.records))

    def _is_void(self, number: int) -> bool:
        """Of the one that the same device made before; what is older than this is erased by now."""
        is_young = self.records * 4 // 5 <= number < self.records and number >= DEVICES
        return is_young and (number // DEVICES + number) % 50 == 0

    def _day(self, number: int) -> int:
        return number * AGE.days // self.records

    def _order(self, number: int) -> Row:
        whose = f"k-{number // 10}"
        stop = f"s-{_digest(number)[:12]}"
        rules = (False, False, number % 50 == 0, False, True)
        return (_number(number), whose, whose, stop, 52.5, 13.4, 20.0, *rules)

    def _route(self, one: tuple[int, int]) -> Row:
        begins = self.now - AGE + timedelta(days=one[0])
        return (_route(*one), rfc3339(begins), rfc3339(begins + timedelta(hours=12)))

    def _route_of(self, number: int) -> str:
        return _route(self._day(number), number % DEVICES)

    def _upload(self, number: int) -> Row:
        at, digest = self._at(number), _digest(number) * 2
        return (capture_id(number), 300_000, digest, _METADATA, _van(number), 300_000, at)

    def _capture(self, number: int) -> Row:
        is_void, by = self._is_void(number), number + DEVICES
        waits = number % 100 == 7 and not is_void
        about = capture_id(number - DEVICES) if is_void else None
        taken_back_at = self._at(by) if self._is_void(by) else None
        at, device = self._at(number), number % DEVICES
        is_bound = not (is_void or waits or number % 50 == 0)
        return (
            capture_id(number),
            _van(device),
            str(UUID(int=device)),
            number // DEVICES + 1,
            "void" if is_void else "photo",
            _boot(self._day(number), device),
            number,
            at,
            "gnss",
            at,
            about,
            "ambiguous" if waits else "place",
            _number(number) if is_bound else None,
            4.0,
            5.0,
            Verdict.BLURRED if number % 10 == 3 else Verdict.OK,
            False,
            taken_back_at,
            "kid",
        )


def capture_id(number: int) -> str:
    """Return an id as random as a device's."""
    return str(UUID(_digest(number)))


def _digest(number: int) -> str:
    return hashlib.blake2b(b"%d" % number, digest_size=16).hexdigest()


def _number(number: int) -> str:
    return f"n-{number:09}"


def _van(number: int) -> str:
    return f"van-{number % DEVICES:05}"


def _route(day: int, device: int) -> str:
    return f"r-{day}-{device}"


def _boot(day: int, device: int) -> str:
    return str(UUID(int=day * DEVICES + device))


def fill(put: Put, records: int) -> None:
    """Fill all tables of a month; a million records take some minutes."""
    for table, rows in Month(records, datetime.now(UTC)).tables().items():
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
