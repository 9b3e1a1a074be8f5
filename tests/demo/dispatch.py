"""Dispatch, while a demo is played: it revokes the device and lets it in again."""

from concurrent.futures import Future, ThreadPoolExecutor

from tests.demo.depot import let_in
from tests.demo.driver import Van
from tests.support.backend import Backend


class Dispatch:
    """One thing at a time, beside the keys.

    Attributes:
        revoked: whether the device is shut out.
    """

    def __init__(self, backend: Backend, van: Van, pool: ThreadPoolExecutor) -> None:
        self.revoked = False
        self._backend = backend
        self._van = van
        self._pool = pool
        self._doing: Future[str] | None = None

    def act(self) -> None:
        """Revoke the device, or let it in again; nothing while that is still going on."""
        if self._doing is None:
            self._doing = self._pool.submit(self._let_in if self.revoked else self._revoke)

    def said(self) -> str | None:
        """What came of it, once; None while there is nothing new."""
        if self._doing is None or not self._doing.done():
            return None
        done, self._doing = self._doing, None
        try:
            words = done.result()
        except ValueError as error:  # the network is away, for one
            return " ".join(str(error).split())
        self.revoked = not self.revoked
        return words

    def _revoke(self) -> str:
        return self._backend.command("devices", "revoke", self._van.device_id).strip()

    def _let_in(self) -> str:
        told = let_in(self._van, self._backend)
        self._pool.submit(self._van.processes.ask, "sync", {"send": True})
        return f"{self._van.device_id}: let in again, {told}"
