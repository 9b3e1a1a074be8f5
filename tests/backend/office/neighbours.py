"""The records before and after one in its device's chain."""

from contextlib import suppress
from dataclasses import dataclass

from agent.models import Label
from agent.record import file as recordfile
from tests.backend.engines.objects import Missing
from tests.backend.office.model import Office


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


def neighbours(office: Office, label: Label) -> list[Neighbour]:
    """Those received with the number before, the same (a fork) or the next; by number.

    It looks at each label of the device: 45,000 in a year of 150 presses on 300 days.
    """
    found = []
    for capture_id in office.received_of(label.device_id):
        said = office.store.label(capture_id)
        beside = said.get("chain") == label.chain and abs(said["seq"] - label.seq) <= 1
        if beside and capture_id != label.capture_id:
            with suppress(Missing):
                line = office.store.line(capture_id)
                found.append(Neighbour(capture_id, said["seq"], line))
    return sorted(found, key=lambda one: one.seq)
