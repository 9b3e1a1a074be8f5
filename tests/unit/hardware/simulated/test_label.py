"""The drawn label: one that a scanner reads as it would read a real one, and not in the dark."""

from itertools import pairwise

import numpy as np
import pytest
import zxingcpp  # noqa: TID251 - reads what was drawn

from hardware.camera import Luma
from hardware.simulated.label import HOLDS_DEG, Paper, draw_label
from hardware.simulated.scenes import Scene, exposure
from hardware.simulated.script import LabelKind

DAY = exposure(Scene())
FORMATS = {
    LabelKind.CODE128: zxingcpp.BarcodeFormat.Code128,
    LabelKind.DATAMATRIX: zxingcpp.BarcodeFormat.DataMatrix,
    LabelKind.PDF417: zxingcpp.BarcodeFormat.PDF417,
    LabelKind.QR: zxingcpp.BarcodeFormat.QRCode,
}


def wall(width_px: int, height_px: int) -> Luma:
    return np.full((height_px, width_px), 90, np.uint8)


@pytest.mark.parametrize("kind", LabelKind)
@pytest.mark.parametrize("size_px", [(1280, 720), (640, 360)])
def test_a_label_is_read_as_the_code_it_is(kind: LabelKind, size_px: tuple[int, int]) -> None:
    paper = Paper("JD014600003829171734", kind, DAY)

    for frame in range(len(HOLDS_DEG)):
        picture = wall(*size_px)
        draw_label(paper, picture, frame)

        (code,) = zxingcpp.read_barcodes(picture)
        assert (code.text, code.format.symbology) == (paper.text, FORMATS[kind])


def test_each_frame_shows_it_held_differently_and_the_scene_around_it() -> None:
    pictures = []
    for frame in range(len(HOLDS_DEG)):
        picture = wall(640, 360)
        draw_label(Paper("JD0146", LabelKind.QR, DAY), picture, frame)
        pictures.append(picture)

    for one, other in pairwise(pictures):
        assert np.abs(one.astype(int) - other).max() > 50
    for picture in pictures:
        assert (picture[:10] == 90).all()
        assert picture.min() >= 16
        assert picture.max() <= 235


def test_a_night_without_the_lamp_hides_the_code() -> None:
    scenes = [Scene(light=0.02, lamp=lamp) for lamp in (False, True)]
    codes = []
    for scene in scenes:
        picture = wall(1280, 720)
        draw_label(Paper("JD0146", LabelKind.QR, exposure(scene)), picture, 1)
        codes.append([code.text for code in zxingcpp.read_barcodes(picture)])

    assert codes == [[], ["JD0146"]]
