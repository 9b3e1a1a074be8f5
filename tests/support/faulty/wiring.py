"""The faulty classes, put together with the switches and the counts that they share."""

from collections.abc import Sequence

from starlette.middleware import Middleware

from doorstep_backend import keys
from doorstep_backend.app import Wiring
from doorstep_backend.identity.fleet import KeyFiles
from doorstep_backend.wire.store import Store
from tests.support.faulty.connection import FaultyProtocol, counting
from tests.support.faulty.control import Controls
from tests.support.faulty.intake import FaultyIntake
from tests.support.faulty.middleware import Faults
from tests.support.faulty.store import FaultyStore
from tests.support.faulty.switches import Counts, Panel


class Faulty:
    """The faults of one server.

    Attributes:
        panel: the switches; a test in the same process sets them here.
        counts: what devices did.
    """

    def __init__(self) -> None:
        self.panel = Panel()
        self.counts = Counts()

    def wiring(self) -> Wiring:
        """Return the classes and the middleware of the faulty server."""
        return Wiring(FaultyStore, FaultyIntake, self.protocol(), self.middleware)

    def protocol(self) -> type[FaultyProtocol]:
        """Return the class of its connections."""
        return counting(self.counts)

    def middleware(self, store: Store) -> Sequence[Middleware]:
        """Return what is around the application over this store."""
        key = keys.KeyInUse(KeyFiles(store.folder).signs)
        return [
            Middleware(Controls, store=store, panel=self.panel, counts=self.counts),
            Middleware(Faults, panel=self.panel, counts=self.counts, key=key),
        ]
