"""The errors of devices: one base, and one class per reaction of the caller."""


class DeviceError(OSError):
    """A device failed; the message names the setting and the remedy."""


class DeviceMissing(DeviceError):
    """The configured device is not there, or its driver is not installed."""


class DeviceBusy(DeviceError):
    """The device is there, and another process has it."""


class CameraStalled(DeviceError, TimeoutError):
    """No frame came before the deadline.

    The process must end: reopening the camera in it often fails.
    """


class CameraFailed(DeviceError):
    """The camera answered with an error instead of a frame."""


class ScriptError(ValueError):
    """The script of a simulated world is wrong; the message has one problem per line."""
