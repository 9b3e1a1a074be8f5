"""The end of a device: its chains are closed, its route goes back or to another, it is shut out."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from doorstep_backend.identity.closings import ChainEnd, DeviceEnd, EndKind, chain_ends
from doorstep_backend.identity.known import DeviceState
from doorstep_backend.identity.register import Register
from doorstep_backend.office.archive import archived
from doorstep_backend.office.model import Office
from doorstep_backend.wire.asking import in_thread


@dataclass(frozen=True, slots=True)
class DeviceEnding:
    """The end of devices. Interrupted, it is done again: the register is the last to change.

    Of two ends at once the second one waits, and sees what the first one did: no route is handed on
    to a device that is just ending, and none is taken from a device that has just got it.
    """

    register: Register
    office: Office

    def now(
        self, device_id: str, how: EndKind, by: str, at: datetime, *, to: str | None = None
    ) -> DeviceEnd:
        """End a device, and move its route to the device `to`; the first end counts.

        Raises:
            LookupError: there is no such device, or `to` is not let in; nothing was changed.
        """
        self._check(device_id)
        if to == device_id:
            raise LookupError(f"{to} is the device that ends: nothing was changed")
        chains = self.chains(device_id)  # before the lock: a year of labels may take minutes
        with self.register.ending():
            if to is not None and self.register.state(to) is not DeviceState.IN:
                raise LookupError(f"{to} is not let in: nothing was changed")
            if to is not None:
                self.office.routes.hand_on(device_id, to, at)
            return self._close(DeviceEnd(device_id, at, how, by, chains))

    async def while_serving(self, device_id: str, how: EndKind, by: str, at: datetime) -> DeviceEnd:
        """End a device as `now` does, while devices are served."""
        await in_thread(self._check, device_id)
        if (kept := await in_thread(self.register.device_end, device_id)) is not None:
            return kept
        ends = await self.chains_in_a_thread(device_id)
        return await in_thread(self._close, DeviceEnd(device_id, at, how, by, ends))

    def chains(self, device_id: str) -> tuple[ChainEnd, ...]:
        """Return the records received by now, also those that a rescue brought since the end."""
        numbered = self.office.numbered_of(device_id)
        here = ((one.chain, one.seq) for one in numbered)
        return chain_ends(chain(archived(self.office.ledger, device_id), here))

    async def chains_in_a_thread(self, device_id: str) -> tuple[ChainEnd, ...]:
        """Return `chains`, in a thread: of a year's 45,000 records it may read the labels."""
        return await asyncio.to_thread(self.chains, device_id)

    def _check(self, device_id: str) -> None:
        if self.register.state(device_id) is None:
            raise LookupError(f"no device {device_id}: `devices list` names all")

    def _close(self, ended: DeviceEnd) -> DeviceEnd:
        with self.register.ending():
            self.office.routes.unassign(ended.device_id)
            return self.register.note_end(ended)
