"""The records before and after one in its device's chain."""

from contextlib import suppress
from dataclasses import dataclass

from agent.models import RecordLabel
from agent.record import file as recordfile
from doorstep_backend.engines.objects import Missing
from doorstep_backend.office.model import Office


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A record beside another one; its label has the time of another delivery, its digest none.

    Attributes:
        line: the signed label, without its newline.
    """

    capture_id: str
    seq: int
    line: bytes

    @property
    def digest(self) -> dict[str, int | str]:
        """Its number, and what the record after it names as `prev`."""
        return {"seq": self.seq, "label_sha256": recordfile.label_digest(self.line + b"\n")}


def neighbours(office: Office, label: RecordLabel) -> list[Neighbour]:
    """Return received records with the number before, the same (a fork) or the next; by number."""
    found = []
    for capture_id, _, seq in office.numbered_beside(label):
        if capture_id != label.capture_id:
            with suppress(Missing):
                found.append(Neighbour(capture_id, seq, office.store.line(capture_id)))
    return sorted(found, key=lambda one: one.seq)
