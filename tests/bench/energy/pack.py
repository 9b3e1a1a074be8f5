"""The pack of the build, behind its converter, and the charger."""

from dataclasses import dataclass
from typing import Final

from tests.bench.energy.span import Span
from tests.unit.documents import build


@dataclass(frozen=True, slots=True)
class Pack:
    """The battery pack in one state.

    Attributes:
        state: its age and temperature, in words.
        share: of the energy that it gives when it is new and warm.
    """

    state: str
    share: float

    @property
    def usable_wh(self) -> float:
        """The energy at the board, from full to the charge at which the device shuts down."""
        return self.share * build.usable_wh()


EFFICIENCY: Final = Span(*build.EFFICIENCY)
"""From the pack to the board."""

AGED: Final = 0.80
"""Share that a pack holds at the end of its life. Source: the usual limit in data sheets."""

COLD: Final = 0.90
"""Share that it gives at 0 °C. Assumed for this small current.

Data sheets give less for larger ones: Samsung SDI, INR18650-15L, section 7.5, 0.8 at 10 A.
"""

NEW: Final = Pack("new", 1.0)
OLD: Final = Pack("aged", AGED)
OLD_COLD: Final = Pack("aged, at 0 °C", AGED * COLD)
PACKS: Final = (NEW, OLD, OLD_COLD)

CHARGES_W: Final = build.CHARGE_MA / 1000 * build.PACK_V
"""Into the cells."""

CHARGER_V: Final = 5.0
"""The supply of the charger, which is a linear one: the rest of this voltage becomes heat."""

CHARGER_A: Final = build.INPUT_MA / 1000
"""The most that the charger takes, for pack and device."""
