"""Attacks of serve on the others once serve, which lets the network in, was taken over.

It is of the group `doorstep`, and could write what the group may; its unit lets it write nothing.
"""

import fcntl
from collections.abc import Callable
from pathlib import Path
from typing import Final

from agent.queue.paths import Layout
from tests.faults.privileges.attacks import Attack
from tests.faults.privileges.resources import (
    a_record,
    crowd,
    document,
    hold,
    hold_index,
    offer,
    on,
    sql,
    swap_folder,
    take_socket,
    truncate,
)

SERVE: Final = "doorstep-serve"

SERVED: Final = [
    Attack(what, SERVE, act, True)
    for what, act in (
        ("reads the signing key", lambda at: (at.capture_keys / "device.pem").read_bytes()),
        ("tells in capture's place what waits", lambda at: at.status_file.write_text("{}")),
        ("deletes a record", lambda at: a_record(at).unlink()),
        ("alters a record", lambda at: a_record(at).open("r+b").write(b"x")),
        ("swaps keys", on("keys", swap_folder)),
        ("swaps trust", on("trust", swap_folder)),
        ("swaps queue", on("queue", swap_folder)),
        ("reads sync's keys", lambda at: list(at.sync_keys.iterdir())),
        ("writes its own certificate", lambda at: document(at, "serve.pem").write_text("mine")),
        ("writes another key for capture", lambda at: (at.capture_keys / "x").write_text("mine")),
        ("sets the time floor back", lambda at: document(at, "time.json").write_text("{}")),
        ("answers in capture's place", take_socket),
        ("opens capture's lock", lambda at: hold(at.capture_lock, fcntl.LOCK_SH)),
    )
] + [
    Attack("offers documents of its own", SERVE, offer, read_only=True),
    Attack("takes every place at capture's socket", SERVE, crowd, read_only=True),
]
"""Attacks that owners and modes refuse, or that reach capture, which trusts no other process."""

_BY_MODE_ALONE: Final[list[tuple[str, Callable[[Layout], object]]]] = [
    ("deletes every row", sql("DELETE FROM captures")),
    ("begins a write and never ends it", sql("BEGIN IMMEDIATE", "DELETE FROM facts")),
    ("deletes the database", lambda at: at.database.unlink()),
    ("leaves the rebuild mark", lambda at: at.rebuild_mark.touch()),
    ("gives up the ballast", lambda at: truncate(at.ballast)),
    ("empties the index of the log", lambda at: truncate(Path(f"{at.database}-shm"))),
]
"""Attacks that the group permits, also to serve if serve runs without its unit."""

SERVED_IN_UNIT: Final = [
    Attack(what, SERVE, act, True, read_only=True) for what, act in _BY_MODE_ALONE
]

SERVED_LONG: Final = [
    *(Attack(what, SERVE, act) for what, act in _BY_MODE_ALONE),
    *(
        Attack(what, SERVE, act, read_only=True)
        for what, act in (
            ("holds state.lock", lambda at: hold(at.state_lock, fcntl.LOCK_EX)),
            ("holds every lock of the log", lambda at: hold_index(at, fcntl.F_RDLCK)),
            ("begins a read and never ends it", sql("BEGIN", "SELECT * FROM captures")),
        )
    ),
]
"""Attacks that begin again afterwards, and take long; CI tries sync's attacks of the same names.

The last three are what its unit leaves to it: whoever may read may lock. Presses wait, 10 s and
then 1 s each, are red and kept, until it is stopped.
"""
