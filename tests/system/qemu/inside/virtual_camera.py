"""Rig only: lets picamera2 0.3.38 run on libcamera 0.4's virtual camera as on a Pi's.

Debian's libcamera has a camera without hardware, which serves pictures from files. It lacks what
picamera2 and the product count on: a raw mode, YUV420, controls and metadata of a Camera Module 3,
frames that say that they are good, and a pace. All of that is made up here, outside the product
and outside picamera2's own files.

Each Python of this system imports this first (virtual_camera.pth), so it imports nothing itself
until somebody imports picamera2.

Environment: RIG_FPS is the camera's pace, RIG_LUX the light it tells. /run/rig-stall stops the
frames, as a loose ribbon cable does; /run/rig-slow lets one through every two seconds.
"""

import sys
from typing import Any

PATCHED = "/usr/local/lib/rig/picamera2_picamera2.py"
"""picamera2's main module without its look at the frames' status: the virtual camera leaves in that
field whatever was in memory. Made when the disk is; see tests/system/qemu/furnish.py."""

CONTROLS = (
    *("AeExposureMode", "AeFlickerMode", "AeFlickerPeriod", "AfMode", "AfPause"),
    *("ExposureTime", "AnalogueGain"),
)
"""Controls of a Camera Module 3 that the virtual camera lacks: accepted, and ignored."""


class Finder:
    """Finds the two modules of kms, which Debian has not, and picamera2's main one."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:  # noqa: ARG002
        if name in {"kms", "pykms"}:
            return _kms(name)
        return _picamera2(name) if name == "picamera2.picamera2" else None


def _kms(name: str) -> Any:
    """Only its names of pixel formats are asked for, and only by previews."""
    import importlib.abc  # noqa: PLC0415
    import importlib.util  # noqa: PLC0415
    import types  # noqa: PLC0415

    class Names:
        def __getattr__(self, name: str) -> str:
            return name

    class Stub(importlib.abc.Loader):
        def create_module(self, spec: Any) -> types.ModuleType:
            module: Any = types.ModuleType(spec.name)
            module.PixelFormat = Names()
            return module  # type: ignore[no-any-return]

        def exec_module(self, module: types.ModuleType) -> None:
            pass

    return importlib.util.spec_from_loader(name, Stub())


def _picamera2(name: str) -> Any:
    import importlib.machinery  # noqa: PLC0415
    import importlib.util  # noqa: PLC0415

    class Patched(importlib.machinery.SourceFileLoader):
        def exec_module(self, module: Any) -> None:
            super().exec_module(module)
            adapt(module)

    return importlib.util.spec_from_file_location(name, PATCHED, loader=Patched(name, PATCHED))


def adapt(module: Any) -> None:
    """Make picamera2's classes at home on the virtual camera."""
    picamera2 = module.Picamera2
    _take_frames(picamera2)
    _configure(picamera2)
    _control(picamera2)
    _request()


def _take_frames(picamera2: Any) -> None:
    """Memory for frames as libcamera gives it, and a sensor's pace."""
    import mmap  # noqa: PLC0415

    from picamera2.allocators import LibcameraAllocator  # noqa: PLC0415, TID251
    from picamera2.allocators.allocator import Sync  # noqa: PLC0415, TID251

    class WholeFrame(Sync):  # type: ignore[misc]
        """All planes in one mapping: they follow each other in one piece of memory."""

        def __init__(self, allocator: Any, fb: Any, write: Any) -> None:  # noqa: ARG002
            self.fb = fb

        def __enter__(self) -> Any:
            planes = self.fb.planes
            length = sum(plane.length for plane in planes)
            self.mm: Any = mmap.mmap(planes[0].fd, length, mmap.MAP_SHARED)
            return self.mm

        def __exit__(self, *error: object) -> None:
            self.mm = None

    class Allocator(LibcameraAllocator):  # type: ignore[misc]
        def __init__(self, camera: Any) -> None:
            super().__init__(camera)
            self.sync = WholeFrame

    began = picamera2.__init__

    def begin(self: Any, *args: Any, **kwargs: Any) -> None:
        began(self, *args, **kwargs)  # with DmaAllocator, as on a Pi: it opens /dev/dma_heap
        self.allocator = Allocator(self.camera)
        self.camera = _paced(self.camera)

    picamera2.__init__ = begin


def _paced(camera: Any) -> Any:
    """The virtual camera fills a request as soon as it is queued; a sensor has a pace."""
    import os  # noqa: PLC0415
    import queue  # noqa: PLC0415
    import threading  # noqa: PLC0415
    import time  # noqa: PLC0415

    class Paced:
        def __init__(self) -> None:
            self._waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
            self._guard = threading.Lock()
            self._every_s = 1 / float(os.environ.get("RIG_FPS", "10"))
            threading.Thread(target=self._pace, name="rig-sensor", daemon=True).start()

        def __getattr__(self, name: str) -> Any:
            return getattr(camera, name)

        def queue_request(self, request: Any) -> None:
            self._waiting.put(request)

        def stop(self) -> Any:
            with self._guard:
                while not self._waiting.empty():
                    self._waiting.get()
                return camera.stop()

        def _pace(self) -> None:
            while True:
                time.sleep(2.0 if os.path.exists("/run/rig-slow") else self._every_s)  # noqa: PTH110
                with self._guard:
                    stalls = os.path.exists("/run/rig-stall")  # noqa: PTH110
                    if not self._waiting.empty() and not stalls:
                        camera.queue_request(self._waiting.get())

    return Paced()


def _configure(picamera2: Any) -> None:
    """A made-up raw mode; NV12, the only format of the camera, reported as YUV420."""

    def raw_modes(self: Any) -> list[dict[str, Any]]:  # noqa: ARG001
        return [{"format": "SRGGB10", "size": (4608, 2592)}]

    update = picamera2._update_libcamera_stream_config  # noqa: SLF001

    def ask(libcamera_config: Any, wanted: Any, buffers: Any) -> None:
        wanted = {**wanted, "format": wanted["format"].replace("YUV420", "NV12")}
        update(libcamera_config, wanted, buffers)

    def told(self: Any, config: Any, found: Any) -> None:  # noqa: ARG001
        config["format"] = str(found.pixel_format).replace("NV12", "YUV420")
        config["size"] = (found.size.width, found.size.height)
        config["stride"] = found.stride
        config["framesize"] = found.frame_size

    picamera2._get_raw_modes = raw_modes  # noqa: SLF001
    picamera2._update_libcamera_stream_config = staticmethod(ask)  # noqa: SLF001
    picamera2._update_stream_config = told  # noqa: SLF001


def _control(picamera2: Any) -> None:
    """Controls that the virtual camera has not are told, taken and forgotten."""
    from picamera2.controls import Controls  # noqa: PLC0415, TID251

    there = picamera2.camera_controls.fget
    picamera2.camera_controls = property(
        lambda self: {**dict.fromkeys(CONTROLS, (0, 1, 0)), **there(self)}
    )

    def known(wanted: Any) -> Any:
        if not isinstance(wanted, dict):
            return wanted
        return {name: value for name, value in wanted.items() if name not in CONTROLS}

    began, set_controls = Controls.__init__, Controls.set_controls

    def begin(self: Any, picam2: Any, controls: Any = None) -> None:
        began(self, picam2, controls=known(controls or {}))

    Controls.__init__ = begin
    Controls.set_controls = lambda self, wanted: set_controls(self, known(wanted))


def _request() -> None:
    """A frame in planes, and what a sensor says of it."""
    import os  # noqa: PLC0415

    import numpy as np  # noqa: PLC0415
    from picamera2 import request  # noqa: PLC0415, TID251

    lux = float(os.environ.get("RIG_LUX", "300"))
    shared = request.Helpers._make_array_shared  # noqa: SLF001
    metadata = request.CompletedRequest.get_metadata

    def planes(self: Any, buffer: Any, config: Any) -> Any:
        if config["format"] != "YUV420":
            return shared(self, buffer, config)
        height, stride = config["size"][1], config["stride"]
        luma = stride * height
        found = np.asarray(buffer)[: luma * 3 // 2]
        made = np.empty_like(found)
        made[:luma] = found[:luma]
        made[luma : luma + luma // 4] = found[luma::2]
        made[luma + luma // 4 :] = found[luma + 1 :: 2]
        return made.reshape(height * 3 // 2, stride)

    def told(self: Any) -> Any:
        found = metadata(self)
        made_up = {"ExposureTime": 8000, "AnalogueGain": 2.0, "DigitalGain": 1.0, "AfState": 2}
        return {**made_up, "Lux": lux, **found}

    request.Helpers._make_array_shared = planes  # noqa: SLF001
    request.CompletedRequest.get_metadata = told


sys.meta_path.insert(0, Finder())
