"""The stored manifest: offered by sync, taken in by capture when genuine, wiped when it ends."""

from dataclasses import dataclass

from agent.queue.database import Connection, Database


@dataclass(frozen=True, slots=True)
class Stored:
    """What is kept of the manifest.

    Attributes:
        token: the one in hand, as the backend signed it.
        version: of the newest that was ever in hand; an older one is not taken in again,
            unless the queue was lost and the device restarted meanwhile.
        offered: what sync fetched and capture has not looked at yet.
        refused: why the last one that was offered was not taken in.
    """

    token: str | None
    version: int | None
    offered: str | None
    refused: str | None


class ManifestStore:
    """The manifest as it lies in the queue's database.

    Every method is one durable transaction, and raises as `Database.step` does.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def stored(self) -> Stored:
        """What is kept now."""
        with self._database.look() as sql:
            facts = dict(sql.execute("SELECT name, text FROM facts").fetchall())
        version = facts.get("manifest_version")
        return Stored(
            token=facts.get("manifest"),
            version=None if version is None else int(version),
            offered=facts.get("manifest_offered"),
            refused=facts.get("manifest_refused"),
        )

    def etag(self) -> str | None:
        """The ETag of what was fetched last, or None when all is to be fetched."""
        with self._database.look() as sql:
            row = sql.execute("SELECT text FROM facts WHERE name = 'manifest_etag'").fetchone()
        return row and str(row["text"])

    def offer(self, token: str, etag: str | None) -> None:
        """Put a fetched manifest before capture, which alone decides whether it is one."""
        with self._database.step() as sql:
            _put(sql, "manifest_offered", token)
            _put(sql, "manifest_etag", etag)

    def take(self, token: str, version: int) -> None:
        """From now on this one is in hand."""
        with self._database.step() as sql:
            _put(sql, "manifest", token)
            _put(sql, "manifest_version", str(version))
            _drop_offered(sql, token)
            _put(sql, "manifest_refused", None)

    def refuse(self, token: str, why: str, *, again: bool) -> None:
        """Drop what was offered; the one in hand stays. `again` has it fetched once more."""
        with self._database.step() as sql:
            _drop_offered(sql, token)
            _put(sql, "manifest_refused", why)
            if again:
                _put(sql, "manifest_etag", None)

    def wipe(self) -> None:
        """Delete the one in hand and its stops; only its version is kept.

        SQLite overwrites it with zeros in the database, and `empty_log` does the rest.
        What a flash card keeps of old blocks is beyond a program.
        """
        with self._database.step() as sql:
            for name in ("manifest", "manifest_offered", "manifest_etag"):
                _put(sql, name, None)

    def empty_log(self) -> bool:
        """Cut the database's log, which still has what was wiped; False while somebody reads it."""
        return self._database.empty_log()


def _drop_offered(sql: Connection, token: str) -> None:
    """Unless sync has offered another one meanwhile, which it would not fetch again."""
    sql.execute("DELETE FROM facts WHERE name = 'manifest_offered' AND text = ?", (token,))


def _put(sql: Connection, name: str, text: str | None) -> None:
    if text is None:
        sql.execute("DELETE FROM facts WHERE name = ?", (name,))
    else:
        sql.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, text))
