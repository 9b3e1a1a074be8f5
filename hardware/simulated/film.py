"""Strips drawn before they are needed, so that drawing is not what a press is seen to take."""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from hardware.errors import CameraFailed
from hardware.simulated.drawing import Artist, Strip
from hardware.simulated.scenes import Scene

_log = logging.getLogger(__name__)

_POLL_S: Final = 0.5
"""Interval at which the world is asked for the next scenes. Scripts count in seconds."""


class Film:
    """The strips of the scenes that can be needed next; drawn in a thread, dropped when passed.

    `ahead` tells which scenes those are, the most urgent first.
    `may_draw` tells whether now is a time for it; a frame that waits for its scene does not ask.
    """

    def __init__(self, ahead: Callable[[], Sequence[Scene]], may_draw: Callable[[], bool]) -> None:
        self._ahead: Final = ahead
        self._may_draw: Final = may_draw
        self._artist: Final = Artist()
        self._changed: Final = threading.Condition()
        self._strips: dict[Scene, Strip] = {}
        self._waited_for: Scene | None = None
        self._error: CameraFailed | None = None
        self._closed = False
        self._thread: Final = threading.Thread(target=self._run, name="film", daemon=True)
        self._thread.start()

    def strip(self, scene: Scene) -> Strip:
        """Return the scene's strip; waits while it is drawn.

        Raises:
            CameraFailed: it cannot be drawn, or the film was closed.
        """
        with self._changed:
            if scene not in self._strips:
                self._waited_for = scene
                self._changed.notify_all()
                self._changed.wait_for(lambda: scene in self._strips or self._error)
                self._waited_for = None
            if scene not in self._strips and self._error:
                raise self._error
            return self._strips[scene]

    @property
    def scenes(self) -> int:
        """Number of strips that are kept."""
        return len(self._strips)

    def close(self) -> None:
        """End the thread and a drawing in progress; safe to call twice."""
        self._artist.stop()
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()
        with self._changed:
            self._strips.clear()

    def _run(self) -> None:
        try:
            while not self._closed:
                scene = self._next_missing()
                if scene is not None:
                    strip = self._artist.draw(scene)
                    with self._changed:
                        self._strips[scene] = strip
                        self._changed.notify_all()
        except CameraFailed as error:
            self._error = error
        finally:
            with self._changed:
                self._error = self._error or CameraFailed("the simulated camera's film has ended")
                self._changed.notify_all()

    def _next_missing(self) -> Scene | None:
        """Drop what has passed; return what is missing most, or None after a while."""
        with self._changed:
            wanted = [*self._ahead()]
            if self._waited_for:
                wanted.insert(0, self._waited_for)
            self._strips = {scene: self._strips[scene] for scene in wanted if scene in self._strips}
            missing = next((scene for scene in wanted if scene not in self._strips), None)
            if missing and missing == self._waited_for:
                _log.info("event=scene_late means=a_frame_waits_for_its_drawing")
                return missing
            if missing and self._may_draw():
                return missing
            if not self._closed:
                self._changed.wait(_POLL_S)
            return None
