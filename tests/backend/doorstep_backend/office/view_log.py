"""The writing of the view log: who looked at a photo, and who did what with it.

access.py reads it. An act writes in its own transaction, for each order that a record was on before
or is on afterwards, and names no other order.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

from agent.models import rfc3339
from doorstep_backend.engines.sql import Database
from doorstep_backend.languages import translatable

OFFICE: Final = "office"
"""`viewer` of who works at the backend's terminal, by no account."""

SYSTEM: Final = "system"
"""First word of the `viewer` of another system, before its token's name."""


class Act(StrEnum):
    """An act on photos, as their customer reads it behind who did it, and when."""

    CASE = translatable("Opened a case about this photo.")
    MOVED_HERE = translatable("Moved this photo to your order.")
    MOVED_AWAY = translatable("Moved this photo to another order.")
    HID = translatable("Hid this photo from you.")
    LEFT = translatable("Decided that this photo belongs to your order.")
    WITHDREW = translatable("Withdrew this photo, to delete it.")
    USED_CODE = translatable("Gave your code, which shows the photos for 15 minutes.")
    NO_PHOTOS = translatable("Switched delivery photos off, which deletes those of this order.")
    PHOTOS = translatable("Switched delivery photos on.")
    HELD = translatable("Keeps all of this order for a dispute.")
    HELD_RECORD = translatable("Keeps a record of this order for a dispute.")
    RELEASED = translatable("Keeps nothing of this order for a dispute any more.")
    EXPORTED = translatable("Exported as evidence about the delivery.")
    EXPORTED_ORDER = translatable("Exported all that we keep about this order.")
    EXPORTED_DEVICE = translatable("Exported the records of the device, without photos.")
    REVOKED = translatable("Ended the trust in the device: no photo from then on is shown.")


OF_HAND_OVER: Final[Mapping[Act, str]] = {
    Act.CASE: translatable("Opened a case about this hand-over."),
    Act.MOVED_HERE: translatable("Moved this hand-over to your order."),
    Act.MOVED_AWAY: translatable("Moved this hand-over to another order."),
    Act.LEFT: translatable("Decided that this hand-over belongs to your order."),
    Act.WITHDREW: translatable("Withdrew this hand-over, to delete it."),
}
"""Sentences of acts on a hand-over, which has no photo."""


def because(act: str, reason: str) -> str:
    """Return the `why` of an act that has a reason; each is translated by itself."""
    return f"{act} Reason: {reason}" if reason else act


def write(
    ledger: Database, who: str, number: str | None, capture_id: str, why: str, *, at: datetime
) -> None:
    """Write a look or an act down. Durable when it returns, unless within a transaction."""
    row = (rfc3339(at), who, number, capture_id, why)
    into = "INSERT INTO views (at, viewer, number, capture_id, why) VALUES (?, ?, ?, ?, ?)"
    ledger.execute(into, row)


def write_each(
    ledger: Database, who: str, act: Act, which: str, *, at: datetime, **values: str
) -> None:
    """Write an act down for each order of which a record `c` is kept that `which` finds."""
    into = f"""INSERT INTO views (at, viewer, number, capture_id, why)
        SELECT :at, :who, c.number, min(c.capture_id), :why FROM captures c
        WHERE c.number IS NOT NULL AND c.erased_at IS NULL AND {which} GROUP BY c.number"""
    ledger.execute(into, {"at": rfc3339(at), "who": who, "why": act.value, **values})
