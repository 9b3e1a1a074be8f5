"""The world script: what it may say, and what is said about what it may not."""

from pathlib import Path

import pytest

from hardware.errors import ScriptError
from hardware.simulated.script import (
    CameraFault,
    Entry,
    LabelKind,
    Reception,
    Witness,
    read_script,
)


def script(folder: Path, text: str) -> Path:
    path = folder / "world.toml"
    path.write_text(text, encoding="utf-8")
    return path


def complaints(folder: Path, text: str) -> list[str]:
    path = script(folder, text)
    with pytest.raises(ScriptError) as caught:
        read_script(path)
    lines = str(caught.value).split("\n")
    assert all(line.startswith(f"{path}: ") for line in lines)
    return [line.removeprefix(f"{path}: ") for line in lines]


def test_entry_by_press_or_second_sets_values(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
        [[at]]
        press = 2
        light = 1
        camera = "stall"
        fix = "2d"

        [[at]]
        second = 1.5
        lat_deg = -33
        lon_deg = 151.2
        clock = "unsynced"
        external = true
        """,
    )

    assert read_script(path) == (
        Entry(2, None, {"light": 1.0, "camera": CameraFault.STALL, "fix": Reception.FIX_2D}),
        Entry(
            None,
            1.5,
            {"lat_deg": -33.0, "lon_deg": 151.2, "clock": Witness.UNSYNCED, "external": True},
        ),
    )


def test_a_label_is_text_of_any_kind_that_may_be_hostile(tmp_path: Path) -> None:
    text = 'at = [{ press = 1, label = "../\\u0000\\n", label_kind = "pdf417" }]'

    (entry,) = read_script(script(tmp_path, text))

    assert entry.values == {"label": "../\0\n", "label_kind": LabelKind.PDF417}


def test_a_label_too_long_or_of_no_kind_is_refused(tmp_path: Path) -> None:
    text = f'at = [{{ press = 1, label = "{"x" * 2001}", label_kind = "ean" }}]'

    long, odd = complaints(tmp_path, text)

    assert long.endswith("is not text of at most 2,000 characters")
    assert odd.endswith('"ean" is not one of: code128, datamatrix, pdf417, qr')


def test_problems_are_reported_at_once_with_entry_and_allowed_values(tmp_path: Path) -> None:
    text = """
    [[at]]
    press = 1
    ligth = 0.5
    hdop = 0

    [[at]]
    second = -1
    cover = 2
    camera = "broken"
    external = 1
    battery_pct = true
    """

    assert complaints(tmp_path, text) == [
        "[[at]] 1 (press = 1): ligth: unknown setting; did you mean light?",
        "[[at]] 1 (press = 1): hdop: 0 is not a dilution of precision (0.1 to 100)",
        "[[at]] 2 (second = -1): second: -1 is not a time in seconds (0 to 999999)",
        "[[at]] 2 (second = -1): cover: 2 is not the covered share of the lens (0 to 1)",
        '[[at]] 2 (second = -1): camera: "broken" is not one of: none, stall, fail',
        "[[at]] 2 (second = -1): external: 1 is not true or false",
        "[[at]] 2 (second = -1): battery_pct: true is not a percentage (0 to 100)",
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[at]]\nlight = 1", "[[at]] 1: set either press or second"),
        (
            "[[at]]\npress = 1\nsecond = 2",
            "[[at]] 1 (press = 1, second = 2): set either press or second",
        ),
        (
            "[[at]]\npress = 1\nlat_deg = 3",
            "[[at]] 1 (press = 1): set lat_deg and lon_deg together",
        ),
        (
            "[[at]]\npress = 1\nhdop = nan",
            "[[at]] 1 (press = 1): hdop: NaN is not a dilution of precision (0.1 to 100)",
        ),
        ("light = 1", "light: unknown; a world script has [[at]] tables only"),
        ("at = 3", "at: not a list of tables; write [[at]] before each"),
        ("[[at]\n", "not valid TOML: "),
    ],
)
def test_a_script_that_is_unclear_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    (line,) = complaints(tmp_path, text)

    assert line.startswith(complaint)


def test_a_missing_script_names_its_setting(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match=r"simulated\.world: cannot read"):
        read_script(tmp_path / "none.toml")
