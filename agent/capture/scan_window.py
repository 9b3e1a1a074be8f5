"""The scan window: codes are read in it, and no picture of it is ever stored."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from agent.capture import barcodes
from agent.capture.current_manifest import CurrentManifest
from agent.config import Config
from agent.rule import scanning
from agent.rule.manifest import Manifest
from hardware.board import Board

WINDOW_S: Final = 10.0
"""Time for which codes are read: enough to find the parcel label and hold it up."""


@dataclass(frozen=True, slots=True)
class OpenWindow:
    """A window that is open.

    Attributes:
        edge_ns: of the press that opened it.
        since_ns: from when on codes are read.
        asked: whether the driver asked for codes to be read, or a refusal did.
        seen: a code that the manifest does not have; the next picture may have the right one.
    """

    edge_ns: int
    since_ns: int
    asked: bool
    seen: str | None = None

    @property
    def unknown(self) -> str | None:
        """Code that counts if no known one was read.

        It counts only if the driver asked; otherwise any code near by would refuse press after
        press.
        """
        return self.seen if self.asked else None

    def is_over(self, now_ns: int) -> bool:
        """Return True if codes are read no more."""
        return now_ns - self.since_ns >= WINDOW_S * 1e9

    def after_codes(self, codes: Iterable[str]) -> "OpenWindow":
        """Return the window after a picture with codes that the manifest does not have."""
        return replace(self, seen=next(iter(codes), self.seen))


class ScanWindow:
    """The time in which codes are read, open or closed; in the dark the lamp lights the codes.

    All times are CLOCK_MONOTONIC.

    Attributes:
        opened: the window, while it is open.
        lamp_out_ns: when the window put its lamp out; None if it has not lit it.
    """

    def __init__(self, config: Config, board: Board, current_manifest: CurrentManifest) -> None:
        self._config = config
        self._board = board
        self._current_manifest = current_manifest
        self._is_lit = False
        self.opened: OpenWindow | None = None
        self.lamp_out_ns: int | None = None

    @property
    def reads_codes(self) -> bool:
        """True if the fleet lets devices read codes, and a manifest is in force."""
        return self._config.policy.scanning and isinstance(
            self._current_manifest.in_force(), Manifest
        )

    def open(self, edge_ns: int, now_ns: int, *, asked: bool) -> None:
        """Look for a code from now on, for the press at `edge_ns`."""
        self.opened = OpenWindow(edge_ns, now_ns, asked)

    def close(self, now_ns: int) -> None:
        """Look no more, and put the lamp out."""
        self.opened = None
        if self._board.lamp is not None and self._is_lit:
            self._board.lamp.off()
            self._is_lit = False
            self.lamp_out_ns = now_ns

    def is_looking(self, now_ns: int) -> bool:
        """Return True if codes are read now: the window is open, and there is still a manifest."""
        return self.opened is not None and not self.opened.is_over(now_ns) and self.reads_codes

    def look(self) -> str | None:
        """Read one picture; return the code that is meant, or None.

        Raises:
            CameraStalled: no picture in time.
            CameraFailed: the camera reported an error.
        """
        manifest, camera, opened = (
            self._current_manifest.in_force(),
            self._board.camera,
            self.opened,
        )
        if opened is None or not isinstance(manifest, Manifest):
            return None
        camera.start()
        luma = camera.look(self._config.camera.frame_deadline_ms / 1000)
        codes = barcodes.read(luma)
        code = scanning.choose(manifest, codes)
        if code is None:
            self.opened = opened.after_codes(scanning.unknown(manifest, codes))
            if self._board.lamp is not None and barcodes.is_dark(luma):
                self._board.lamp.on()
                self._is_lit = True
        return code
