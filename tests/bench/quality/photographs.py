"""Photographs in packages, in two halves: one to choose thresholds by, one to test them.

photographs.tsv lists 143, which were chosen by eye, before any score:

- They are photographs: no paintings, renderings or gradients.
- The subject is sharp at full size; haze, sky or stars alone are left out.
- No photograph is there twice, as another crop or a near copy.
- The packages tabler-ui and @tabler/preview have many photographs: the list has the first 30 and 25
  by the hash of the name, and every night photograph.

Choose thresholds by the half `tune` only: the half `held` shows how good they are on photographs
that had no part in the choice. If you change the check because of `held`, test it with new ones.
No photograph shows a doorstep, and none is from the device's camera; all were already sharpened and
compressed, and have some noise of their own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import cv2  # noqa: TID251 - reads pictures
import numpy as np

from agent.capture.quality import Pixels

FRAME_PX: Final = (2304, 1296)
"""The device's frame. Larger photographs are reduced and cut to it; smaller ones stay as they are,
because enlarging softens."""

FETCHED: Final = Path(__file__).parents[3] / "build/photographs"
"""Folder of photographs from packages that are unpacked but not installed."""

_LIST: Final = Path(__file__).with_name("photographs.tsv")

_OF_2026_12: Final = ("wood", "twowings")
"""Photographs by which thresholds 2026.12 were chosen, except those in Python packages."""


class Half(StrEnum):
    """A half of the photographs."""

    TUNE = "tune"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Photograph:
    """A photograph in a package.

    Attributes:
        client: the kind of package: python, debian or npm.
        package: the package's name; of npm with its version.
        name: the photograph's name, which no other has.
        scene: day, indoor, dusk or night.
        file: the photograph's path in the package.
    """

    client: str
    package: str
    name: str
    scene: str
    file: str

    @property
    def half(self) -> Half:
        """The half of the photograph, by the hash of its name."""
        if self.client == "python" or self.name in _OF_2026_12:
            return Half.TUNE
        return Half.HELD if sha256(self.name.encode()).digest()[-1] % 2 else Half.TUNE

    @property
    def path(self) -> Path:
        """The path of its file, which may be missing."""
        if self.client == "python":
            return _folder(self.package) / self.file
        installed = Path("/", self.file)
        if self.client == "debian" and installed.exists():
            return installed
        return FETCHED / self.package / self.file


PHOTOGRAPHS: Final = tuple(Photograph(*line.split("\t")) for line in _LIST.read_text().splitlines())


def missing(photographs: Iterable[Photograph]) -> Sequence[Photograph]:
    """Return the photographs whose file is missing."""
    return [one for one in photographs if not one.path.exists()]


def pixels(photograph: Photograph) -> Pixels:
    """Return the photograph as the device would hold it: height x width x 3, uint8, BGR."""
    read = cv2.imread(str(photograph.path))
    if read is None:
        raise FileNotFoundError(f"{photograph.path}: {photograph.package} is not installed")
    return framed(np.asarray(read, np.uint8))


def framed(photo: Pixels) -> Pixels:
    """Reduce a photograph to the width of the frame, and cut it to its height and even sides."""
    height, width = photo.shape[:2]
    if width > FRAME_PX[0]:
        size_px = (FRAME_PX[0], round(height * FRAME_PX[0] / width))
        photo = np.asarray(cv2.resize(photo, size_px, interpolation=cv2.INTER_AREA), np.uint8)
    top = max(0, (len(photo) - FRAME_PX[1]) // 2)
    high, wide = (min(len(photo), FRAME_PX[1]) // 2 * 2, photo.shape[1] // 2 * 2)
    return np.ascontiguousarray(photo[top : top + high, :wide])


def _folder(package: str) -> Path:
    """Where a package lies; it is not imported, which would take a second."""
    spec = find_spec(package)
    assert spec is not None, package
    assert spec.origin is not None, package
    return Path(spec.origin).parent
