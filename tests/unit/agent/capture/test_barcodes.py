"""Reading labels: what parcels carry is read, and nothing passes that no manifest could name."""

from typing import Any

import cv2  # noqa: TID251 - turns, blurs and scales codes
import numpy as np
import pytest
import zxingcpp  # noqa: TID251 - writes the codes that are read

from agent.capture import barcodes
from hardware.camera import Luma
from hardware.simulated.label import Paper, draw_label
from hardware.simulated.scenes import Scene, exposure, render
from hardware.simulated.script import LabelKind

Format = zxingcpp.BarcodeFormat

TRACKING = "JD014600003829171734"


def code(
    content: str | bytes, kind: Format = Format.QRCode, scale: int = 3, **options: Any
) -> Luma:
    """A code in its quiet zone, black on white."""
    written = zxingcpp.create_barcode(content, kind, **options)
    drawn = np.array(zxingcpp.write_barcode_to_image(written, scale=scale))
    return np.asarray(np.pad(drawn, 20, constant_values=255), np.uint8)


def scene(*codes: Luma) -> Luma:
    """Grey, with the codes side by side."""
    picture = np.full((720, 1280), 110, np.uint8)
    left = 10
    for one in codes:
        picture[40 : 40 + one.shape[0], left : left + one.shape[1]] = one
        left += one.shape[1] + 10
    return picture


@pytest.mark.parametrize(
    "kind", [Format.Code128, Format.DataMatrix, Format.PDF417, Format.QRCode], ids=str
)
@pytest.mark.parametrize("quarters", range(4))
def test_parcel_codes_are_read_in_any_orientation(kind: Format, quarters: int) -> None:
    picture = np.rot90(scene(code(TRACKING, kind)), quarters)

    assert barcodes.read(picture) == (TRACKING,)


@pytest.mark.parametrize("kind", [Format.Code128, Format.DataMatrix, Format.QRCode], ids=str)
@pytest.mark.parametrize("turn_deg", [-10, 15])
def test_a_hand_holds_it_askew_and_not_quite_in_focus(kind: Format, turn_deg: int) -> None:
    flat = code(TRACKING, kind)
    middle = flat.shape[1] / 2, flat.shape[0] / 2
    turned = cv2.getRotationMatrix2D(middle, turn_deg, 1.0)
    turned[:, 2] += 640 - middle[0], 360 - middle[1]
    held = cv2.warpAffine(flat, turned, (1280, 720), borderValue=110)
    blurred = cv2.GaussianBlur(held, (0, 0), 1.0).astype(float)
    grain = np.random.default_rng(1).normal(0, 5, blurred.shape)

    assert barcodes.read(np.clip(blurred + grain, 0, 255).astype(np.uint8)) == (TRACKING,)


@pytest.mark.parametrize("light", [1.0, 0.15, 0.07, 0.05, 0.04, 0.02])
@pytest.mark.parametrize("door", [1, 2])
def test_unreadable_light_is_dark_and_a_lit_street_is_not(door: int, light: float) -> None:
    scene = Scene(seed=door, width_px=1280, height_px=720, light=light)
    street = cv2.cvtColor(render(scene), cv2.COLOR_BGR2YUV_I420)[:720].astype(np.uint8)
    for kind in (LabelKind.CODE128, LabelKind.QR):
        picture = street.copy()
        draw_label(Paper(TRACKING, kind, exposure(scene)), picture, 0)

        assert barcodes.read(picture) or barcodes.is_dark(picture)
        assert not (barcodes.is_dark(picture) and light >= 0.15)


def test_the_same_code_twice_is_one() -> None:
    picture = scene(code("JD0146"), code("JD0146", Format.Code128), code("JD0146"))

    assert barcodes.read(picture) == ("JD0146",)


@pytest.mark.parametrize("kind", [Format.Code128, Format.DataMatrix, Format.QRCode], ids=str)
@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("(00)340123450000000018", "00340123450000000018"),
        ("(420)90210(92)61290100830148", "420902109261290100830148"),
        ("(10)AB(21)X", "10AB21X"),
    ],
)
def test_a_gs1_code_is_its_data_without_separators(kind: Format, written: str, told: str) -> None:
    """They cannot be printed, so no manifest has them, and most scanners drop them too."""
    assert barcodes.read(scene(code(written, kind, 2, gs1=True))) == (told,)


@pytest.mark.parametrize(
    "hostile",
    [
        "JD0146\0",
        "JD0146\x7f",
        "10AB\x1d21X",
        "[)>\x1e01\x1d02\x04",
        "JD0146 ",
        "日本",
        "x" * 129,
        b"\xff\xfe",
        b"J\0D\0",
    ],
    ids=ascii,
)
def test_code_is_ignored_if_no_manifest_could_name_it(hostile: str | bytes) -> None:
    """As a whole, never cut to something that might be another's code."""
    picture = scene(code(hostile, Format.QRCode), code("JD0147", Format.DataMatrix))

    assert barcodes.read(picture) == ("JD0147",)


@pytest.mark.parametrize("text", ["../../etc/passwd", "%00", "'; DROP TABLE", "x" * 128, "<b>"])
def test_printable_text_is_returned_unchanged_and_harms_nobody(text: str) -> None:
    """Only the manifest gives a code its meaning."""
    assert barcodes.read(scene(code(text))) == (text,)


@pytest.mark.parametrize(
    "kind",
    [Format.EAN13, Format.Code39, Format.ITF, Format.Aztec, Format.MicroQRCode, Format.RMQRCode],
    ids=str,
)
def test_other_kinds_of_code_are_not_read(kind: Format) -> None:
    """The goods in the parcel have an EAN; it names no stop."""
    text = "4006381333931" if kind is Format.EAN13 else "123456"

    assert barcodes.read(scene(code(text, kind))) == ()


@pytest.mark.parametrize(
    "shape", [(0, 0), (0, 5), (1, 1), (1, 1280), (720, 1), (3, 3), (720, 1280)]
)
@pytest.mark.parametrize("fill", ["black", "white", "noise"])
def test_a_picture_of_nothing_is_no_error(shape: tuple[int, int], fill: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    luma = noise if fill == "noise" else np.full(shape, 255 * (fill == "white"), np.uint8)

    assert barcodes.read(luma) == ()


def test_torn_code_is_not_returned() -> None:
    """Half a label is not another label."""
    whole = code(TRACKING, Format.Code128)

    for share in (0.3, 0.5, 0.7, 0.9):
        assert barcodes.read(scene(whole[:, : int(whole.shape[1] * share)])) == ()


def test_a_view_into_a_bigger_picture_is_read_as_it_is() -> None:
    """Rows that do not follow each other are no trap."""
    wide = np.repeat(scene(code("JD0146")), 2, axis=1)

    assert barcodes.read(wide[:, ::2]) == ("JD0146",)


def test_a_wall_of_codes_is_read_one_by_one() -> None:
    """A hundred different codes are each returned, none twice."""
    grid = np.full((720, 1280), 255, np.uint8)
    tiles = [code(f"A{number:03}", Format.DataMatrix, 2)[10:-10, 10:-10] for number in range(100)]
    side = max(max(tile.shape) for tile in tiles)
    for number, tile in enumerate(tiles):
        y, x = 10 + number // 20 * (side + 4), 10 + number % 20 * (side + 4)
        grid[y : y + tile.shape[0], x : x + tile.shape[1]] = tile

    assert sorted(barcodes.read(grid)) == [f"A{number:03}" for number in range(100)]
