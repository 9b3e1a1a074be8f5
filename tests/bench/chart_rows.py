"""What the chart shows: which figures of a run of the bench stand in which panel; pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Final


class FigureMissing(LookupError):
    """The report lacks figures that the chart shows."""


class Kind(StrEnum):
    """Whose bar it is."""

    OURS = "ours"
    PART = "part of ours"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Cell:
    """Words right of a bar: `form` filled with the medians of `figures`."""

    form: str
    figures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One bar: the sum of the medians of `figures`; a part begins where the part before ended."""

    label: str
    figures: tuple[str, ...]
    cells: tuple[Cell, ...] = ()
    kind: Kind = Kind.OTHER


@dataclass(frozen=True, slots=True)
class Panel:
    """One group of bars on one scale.

    Attributes:
        section: of the bench, whose figures the rows name.
        title: what is compared.
        scale: what the length of a bar means.
        form: how a value is written.
        heads: of the columns that the cells of the rows make.
    """

    section: str
    title: str
    scale: str
    form: str
    heads: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar with its words, ready to be drawn."""

    label: str
    begins: float
    ends: float
    text: str
    cells: tuple[str, ...]
    kind: Kind


def bars(report: Mapping[str, Any]) -> list[tuple[Panel, list[Bar]]]:
    """Reads the bars of every panel from what `scripts/bench --json` wrote.

    Raises:
        FigureMissing: names every one that is not there.
    """
    medians = {
        (panel.section, name): _median(report["figures"].get(panel.section, ()), name)
        for panel in PANELS
        for name in names(panel)
    }
    missing = [": ".join(key) for key, median in medians.items() if median is None]
    if missing:
        raise FigureMissing(
            "the chart shows figures that this run of the bench does not have: "
            f"{'; '.join(missing)}. Run scripts/bench without naming sections; "
            "if a figure was renamed, name it so in tests/bench/chart_rows.py"
        )
    found = {key: median for key, median in medians.items() if median is not None}
    return [(panel, list(_bars(panel, found))) for panel in PANELS]


def _median(figures: Iterable[Mapping[str, Any]], name: str) -> float | None:
    """Returns that of the first one: of the parts of a press the warm ones come first."""
    matching = (one["median"] for one in figures if fnmatchcase(one["name"].strip(), name))
    return next(matching, None)


def names(panel: Panel) -> Iterator[str]:
    """Yields the name of every figure that the panel shows; `*` stands for what varies in it."""
    for row in panel.rows:
        yield from row.figures
        for cell in row.cells:
            yield from cell.figures


def _bars(panel: Panel, medians: Mapping[tuple[str, str], float]) -> Iterator[Bar]:
    parts = 0.0
    for row in panel.rows:
        value = sum(medians[panel.section, name] for name in row.figures)
        begins = parts if row.kind is Kind.PART else 0.0
        parts += value if row.kind is Kind.PART else 0.0
        cells = tuple(
            cell.form.format(*(medians[panel.section, name] for name in cell.figures))
            for cell in row.cells
        )
        text = panel.form.format(value)
        yield Bar(row.label, begins, begins + value, text, cells, row.kind)


def _enqueue(label: str) -> Row:
    flushes = Cell("{:.0f}", (f"{label}: flushes",))
    if label == OURS:
        flushes = Cell("{:.0f} or {:.0f}", (*flushes.figures, "doorstep, off ext4: flushes"))
    lost = Cell("{:,.0f} of {:,.0f}", (f"{label}: lost", f"{label}: states"))
    written = Cell("{:.1f} ×", (f"{label}: written",))
    return Row(label, (f"{label}: time",), (flushes, written, lost), _whose(label))


def _uploads(name: str) -> tuple[Row, ...]:
    """Returns the rows of all who upload; `name` of a figure with {} for one of them."""
    ours = Row(OURS, (name.format("ours"),), kind=Kind.OURS)
    return (ours, *(Row(label, (name.format(label),)) for label in _UPLOADERS))


def _whose(label: str) -> Kind:
    return Kind.OURS if label == OURS else Kind.OTHER


OURS: Final = "doorstep"

_UPLOADERS: Final = ("raw socket", "curl", "tuspy", "tus-js-client")

_PRESS_PARTS: Final = {
    "waiting for 3 frames": ("waiting for frames", "last frame into memory"),
    "judging their quality": ("quality, after the last frame",),
    "JPEG, EXIF, signature": ("JPEG encode", "EXIF", "pack, hash and sign"),
    "saving, and the rest": ("disk: the file", "disk: the row", "the rest"),
}

PANELS: Final = (
    Panel(
        "enqueue",
        "Saving a 300 KB photo",
        "time, by a bare loop of the same system calls; shorter is better",
        "{:.2f} ×",
        ("flushes", "written", "lost in power cuts"),
        tuple(
            map(
                _enqueue,
                (
                    OURS,
                    "bare loop",
                    "litequeue",
                    "persist-queue Queue",
                    "persist-queue SQLiteAckQueue",
                ),
            )
        ),
    ),
    Panel(
        "upload",
        "Uploading photos of 300 KB at 100 ms round trip",
        "time from receipt to receipt; shorter is better",
        "{:,.0f} ms",
        (),
        _uploads("100 ms: {}, receipt to receipt"),
    ),
    Panel(
        "upload",
        "Uploading them over 0.5 Mbit/s, cut every 10 s",
        "bytes sent in vain, of all that were sent; shorter is better",
        "{:.0f} %",
        (),
        _uploads("0.5 Mbit/s, 0.3 MB: {}, in vain"),
    ),
    Panel(
        "press",
        "From the press to the green light",
        "time, with the camera streaming",
        "{:,.0f} ms",
        (),
        (
            Row(OURS, ("warm press to green",), kind=Kind.OURS),
            *(Row(label, figures, kind=Kind.PART) for label, figures in _PRESS_PARTS.items()),
            Row("bare loop, same frames", ("bare loop, warm",)),
        ),
    ),
)
