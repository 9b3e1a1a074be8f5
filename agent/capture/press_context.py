"""The state of all devices at a press, read once: code, rule and record use this alone."""

from dataclasses import dataclass

from agent.rule.manifest import Manifest
from agent.rule.policy import Absent
from agent.rule.reach import Circle
from agent.rule.scanning import Code
from hardware.clock import Moment
from hardware.position import Fix
from hardware.power import PowerReading


@dataclass(frozen=True, slots=True)
class PressContext:
    """The last fix and its circle, the manifest in force, and the code that counts.

    All are of the moment of the press's first edge. `is_enrolled` is True if there is a fleet
    document with recipients, or if none is needed.
    """

    moment: Moment
    fix: Fix | None
    circle: Circle | None
    manifest: Manifest | Absent
    power: PowerReading
    code: Code | None
    is_enrolled: bool
