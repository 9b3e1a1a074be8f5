"""Draws the strips of a simulated camera; big ones in a process of their own.

A frame of 2304x1296 takes 0.5 s and 130 MB to draw (x86-64, 2026-11): neither may be seen in the
capture process. The strip comes back in anonymous memory, resident here only where it is looked at.
Run as a module it is that process: a scene as JSON on stdin, its strip on stdout.
"""

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict, replace
from typing import IO, Final

import cv2  # noqa: TID251 - the colours of the simulated camera
import numpy as np
from numpy.typing import NDArray

from hardware.errors import CameraFailed
from hardware.foreign import read_json
from hardware.simulated.scenes import Scene, render

SHAKES_PX: Final = (1.8, 0.0, 1.2)
"""Motion blur added to a scene's variants, so that each burst of three has a sharpest frame.

A press shakes the hand a little."""

IN_PROCESS_PX: Final = 400_000
"""Scenes of at most this size are drawn in the caller's process: 0.3 s, 80 MB (x86-64, 2026-11)."""

Strip = NDArray[np.uint8]
"""The variants of a scene: variants x (1.5 height) x width, uint8, I420: half the size of BGR."""


def draw(scene: Scene) -> Strip:
    """Return the scene's variants, which differ in noise and by the shake of a hand."""
    strip = np.empty(_shape(scene), np.uint8)
    for frame, shake_px in enumerate(SHAKES_PX):
        shaken = replace(scene, frame=frame, motion_px=scene.motion_px + shake_px)
        cv2.cvtColor(render(shaken), cv2.COLOR_BGR2YUV_I420, dst=strip[frame])
    return strip


class Artist:
    """The drawing of one strip at a time; `stop` ends it from another thread."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def draw(self, scene: Scene) -> Strip:
        """Return the scene's strip.

        Raises:
            CameraFailed: the drawing process failed or was stopped.
        """
        if scene.width_px * scene.height_px <= IN_PROCESS_PX:
            return draw(scene)
        with os.fdopen(os.memfd_create("strip"), "w+b") as memory:
            with self._start(memory) as child:
                _, said = child.communicate(json.dumps(asdict(scene)).encode("ascii"))
            if child.returncode:
                words = said.decode(errors="replace").strip().rpartition("\n")[2]
                reason = words or f"exit code {child.returncode}"
                raise CameraFailed(
                    f"camera.kind = simulated: the scene could not be drawn: {reason}"
                )
            return np.memmap(memory, np.uint8, "r", shape=_shape(scene))

    def stop(self) -> None:
        """End a drawing in progress, and every later one; safe to call twice."""
        with self._lock:
            self._stopped = True
            if self._child:
                self._child.kill()

    def _start(self, memory: IO[bytes]) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._stopped:
                raise CameraFailed("camera.kind = simulated: closed while a scene was drawn")
            self._child = subprocess.Popen(
                [sys.executable, "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=memory,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            return self._child


def _shape(scene: Scene) -> tuple[int, int, int]:
    return len(SHAKES_PX), scene.height_px * 3 // 2, scene.width_px


def main() -> None:
    """Draw what stdin asks for, after everybody else."""
    with suppress(PermissionError):  # the units forbid it
        os.nice(10)
    scene = Scene(**read_json(sys.stdin.buffer.read()))
    sys.stdout.buffer.write(draw(scene).data)


if __name__ == "__main__":
    main()
