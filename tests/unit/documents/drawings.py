"""Six drawings of the pages, each a list of boxes, arrows, circles and texts.

The page is white in the light and in the dark; hues are of Okabe and Ito's palette, which
colour-blind people tell apart, and no hue is the only sign of anything.
"""

from collections.abc import Iterable, Iterator
from html import escape
from typing import Final

from agent.rule.reach import LEAST_ACCURACY_M
from agent.sync.attempt import LEAST_PIECE_BYTES, PIECE_BYTES
from tests.unit.documents.circuits import GREY, INK, line, text

BLUE: Final = "#0072b2"
ORANGE: Final = "#b35900"
GREEN: Final = "#007a5a"

_FONT: Final = "Helvetica, Arial, 'DejaVu Sans', sans-serif"

_FILLS: Final = {BLUE: "#e3f1fa", ORANGE: "#fff0df", GREEN: "#e0f5ec", GREY: "#f3f5f7"}

_KB: Final = 1024


def picture(label: str, height: int, shapes: Iterable[str]) -> str:
    """Return an SVG of 760 by `height`; `label` is its text for people who do not see it."""
    start = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {height}" '
        f'font-family="{_FONT}" role="img" aria-label="{escape(label)}">'
    )
    paper = f'<rect x="1" y="1" width="758" height="{height - 2}" fill="#fff" stroke="#cbd2d9"/>'
    return "\n".join([start, paper, *shapes, "</svg>", ""])


def box(x: int, y: int, width: int, *words: str, hue: str = BLUE) -> Iterator[str]:
    """Yield a box with a bold first line, 20 px for each line."""
    height = 16 + 20 * len(words)
    yield (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" fill="{_FILLS[hue]}" '
        f'stroke="{hue}" stroke-width="1.5"/>'
    )
    for number, told in enumerate(words):
        place = x + width / 2, y + 22 + 20 * number
        yield text(*place, told, size=14, anchor="middle", bold=not number)


def arrow(*points: tuple[int, int], hue: str = INK, words: str = "") -> Iterator[str]:
    """Yield an arrow through these points, with words above the middle of its first part."""
    (x, y), (to_x, to_y) = points[-2:]
    yield line(" ".join(f"{a},{b}" for a, b in points), hue, 2)
    length = max(abs(to_x - x), abs(to_y - y))
    along, up = (to_x - x) / length, (to_y - y) / length
    tip = [(to_x, to_y), (to_x - 9 * along - 5 * up, to_y - 9 * up + 5 * along)]
    tip.append((to_x - 9 * along + 5 * up, to_y - 9 * up - 5 * along))
    yield f'<polygon points="{" ".join(f"{a:g},{b:g}" for a, b in tip)}" fill="{hue}"/>'
    if words:
        (a, b), (c, d) = points[:2]
        yield text((a + c) / 2, (b + d) / 2 - 7, words, anchor="middle", fill=hue)


def circle(x: int, y: int, radius: int, hue: str, *, dashed: bool = False) -> str:
    """Return a circle, the fill of which is see-through."""
    dashes = ' stroke-dasharray="6 4"' if dashed else ""
    return (
        f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{hue}" fill-opacity="0.12" stroke="{hue}" '
        f'stroke-width="2"{dashes}/><circle cx="{x}" cy="{y}" r="3.5" fill="{hue}"/>'
    )


def photo_rule() -> str:
    """Draw the circle of the device in each ring of a stop, and with two stops in reach."""
    label = "Inside, near and outside a stop; and a photo refused beside a stop that takes none."
    return picture(label, 255, _circles())


def _circles() -> Iterator[str]:
    least = (
        f"dashed: the possible place of the device, at least {LEAST_ACCURACY_M:g} m around the fix"
    )
    yield text(20, 30, "solid: a stop and its radius", size=14, fill=BLUE, bold=True)
    yield text(20, 52, least, size=14, fill=ORANGE, bold=True)
    scenes = (
        (("inside", "the middle of the place", "is in the stop's radius"), 18, 18),
        (("near", "the middle is outside,", "the circle meets the radius"), 56, 56),
        (("outside", "only a label can", "name such a stop"), 90, 90),
        (("no photo", "a stop that takes none", "is in reach too"), 44, 84),
    )
    for number, (words, away, width) in enumerate(scenes):
        middle, y = 95 + 190 * number, 125
        x = middle - width // 2
        yield circle(x, y, 36, BLUE)
        yield circle(x + away, y, 30, ORANGE, dashed=True)
        if width > away:
            yield circle(x + width, y, 26, INK)
            yield text(x + width, y - 34, "takes none", anchor="middle")
        for row, told in enumerate(words):
            yield text(middle, 195 + 20 * row, told, anchor="middle", bold=not row)


def upload() -> str:
    """Draw an upload whose connection is cut twice."""
    label = "An upload that is cut twice goes on from the last byte, and ends with a receipt."
    return picture(label, 420, _upload())


def _upload() -> Iterator[str]:
    piece, half, least = (
        number // _KB for number in (PIECE_BYTES, PIECE_BYTES // 2, LEAST_PIECE_BYTES)
    )
    for x, name in ((130, "device"), (630, "backend")):
        yield from box(x - 70, 16, 140, name, hue=BLUE if x < 200 else GREEN)
        yield line(f"{x},52 {x},405", GREY, 1.5)
    steps = (
        (90, True, 0.6, "POST with the whole record: cut"),
        (130, True, 1, "HEAD"),
        (165, False, 1, "Upload-Offset: what has arrived"),
        (210, True, 0.6, f"PATCH from there, {piece} KiB: cut again"),
        (250, True, 1, "HEAD"),
        (285, False, 1, "Upload-Offset"),
        (325, True, 1, f"PATCH by PATCH, {half} KiB each; {least} KiB at least"),
        (365, False, 1, "the last answer has the receipt"),
    )
    for y, is_sent, share, words in steps:
        hue = BLUE if is_sent else GREEN
        if share < 1:
            end = 130 + round(500 * share)
            yield line(f"130,{y} {end},{y}", hue, 2)
            for slope in (-7, 7):
                yield line(f"{end - 7},{y - slope} {end + 7},{y + slope}", ORANGE, 3)
            yield text(140, y - 7, words, fill=hue)
        else:
            ends = ((130, y), (630, y)) if is_sent else ((630, y), (130, y))
            yield from arrow(*ends, hue=hue, words=words)
    yield text(142, 394, "only now may the device delete the record", bold=True)


def signatures() -> str:
    """Draw which key signs which document, and who checks it."""
    label = "Each key, what it signs, and who checks that."
    return picture(label, 425, _signatures())


def _signatures() -> Iterator[str]:
    for x, words in ((120, "key"), (395, "signs"), (650, "checked by")):
        yield text(x, 30, words, size=15, anchor="middle", bold=True)
    verify, credentials = "doorstep verify", "and Content Credentials"
    rows: list[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = [
        (
            ("key of the authority",),
            ("certificates", "devices, clients, technicians"),
            ("device, backend", verify),
        ),
        (("fleet key",), ("fleet document", "and the list of revoked keys"), ("device", verify)),
        (("receipt key",), ("receipts", "and refusals"), ("device", verify)),
        (("manifest key",), ("manifests", "the route of a day"), ("device",)),
        (
            ("signing key", "of one device"),
            ("record labels", credentials),
            ("backend (labels)", verify),
        ),
    ]
    for number, (key, signed, who) in enumerate(rows):
        y = 78 + 76 * number
        yield from box(20, y - 8 - 10 * len(key), 200, *key, hue=ORANGE)
        yield from arrow((220, y), (280, y))
        yield from box(280, y - 8 - 10 * len(signed), 230, *signed)
        yield from arrow((510, y), (570, y))
        yield from box(570, y - 8 - 10 * len(who), 170, *who, hue=GREEN)


def waves() -> str:
    """Draw the waves of a roll-out to forty devices."""
    label = "A release reaches one device, then 5 %, 25 % and all; failures end the roll-out."
    return picture(label, 260, _waves())


def _waves() -> Iterator[str]:
    yield text(20, 32, "scripts/deploy to 40 devices", size=15, bold=True)
    x = 20
    for name, count in (("1", 1), ("5 %", 2), ("25 %", 10), ("all others", 27)):
        for one in range(count):
            left, top = x + 20 * (one // 4), 84 + 20 * (one % 4)
            yield (
                f'<rect x="{left}" y="{top}" width="14" height="14" rx="3" fill="{_FILLS[BLUE]}" '
                f'stroke="{BLUE}" stroke-width="1.5"/>'
            )
        yield text(x, 72, name, size=15, bold=True)
        end = x + max(40, 20 * -(-count // 4)) + 10
        if name != "all others":
            yield from arrow((end, 111), (end + 108, 111), hue=GREEN, words="none failed")
        x = end + 124
    yield from arrow((40, 176), (40, 198), hue=ORANGE)
    yield text(20, 216, "a device of a wave fails, or none can be reached:", fill=ORANGE)
    yield text(20, 236, "the roll-out ends; the others are not tried", fill=ORANGE)
    yield from box(
        420, 190, 320, "each device decides by itself", "2 minutes of trial, then stay or go back"
    )


def backend() -> str:
    """Draw the machines of a fleet's backend."""
    label = "Devices reach intake and people the office, each by an nginx; both share the rest."
    return picture(label, 330, _backend())


def _backend() -> Iterator[str]:
    for y, who, nginx, instances, hue in (
        (40, "devices", "the fleet's CA", ("intake", "8 instances"), BLUE),
        (190, "people", "another CA", ("office", "20 instances"), GREEN),
    ):
        yield from box(20, y + 10, 110, who, hue=GREY)
        yield from arrow((130, y + 28), (196, y + 28), words="TLS")
        yield from box(200, y, 150, "nginx", nginx, hue=hue)
        yield from arrow((350, y + 28), (396, y + 28))
        yield from box(400, y, 130, *instances, hue=hue)
    for y, ends in ((68, (68, 210)), (218, (92, 234))):
        for end in ends:
            yield from arrow((530, y), (586, end), hue=GREY)
    yield from box(588, 40, 152, "PostgreSQL", "rows; 2 standbys", "log in an archive", hue=ORANGE)
    yield from box(588, 190, 152, "S3", "photos, records", "replica elsewhere", hue=ORANGE)
    yield text(20, 300, "Numbers: 10,000 devices; intake and office are one program.", fill=GREY)


def report() -> str:
    """Draw the way from a customer's report to the decision."""
    label = (
        "A report opens a case; dispatch moves, withdraws or keeps the photo, or nobody decides."
    )
    return picture(label, 435, _report())


def _report() -> Iterator[str]:
    yield from box(20, 20, 220, "The customer reports", "“This is not my door.”")
    yield from arrow((130, 76), (130, 118))
    yield from box(
        20, 120, 220, "A case is open", "for 30 days;", "the photo is hidden", hue=ORANGE
    )
    yield from arrow((240, 158), (398, 158), hue=GREY)
    yield from box(
        400, 130, 340, "Nobody decides", "the case ends; the photo stays hidden", hue=GREY
    )
    yield from arrow((130, 196), (130, 278))
    yield from box(
        20, 280, 220, "Dispatch looks", "at the photo and its facts;", "the customer sees who did"
    )
    outcomes = (
        ("Move", "the photo, with its retakes, is another order's"),
        ("Withdraw it", "the photo is deleted"),
        ("It is of order …", "the customer sees the photo again"),
    )
    for number, words in enumerate(outcomes):
        y = 220 + 70 * number
        yield from box(400, y, 340, *words, hue=GREEN)
        bend = ((320, 318), (320, y + 28)) if number != 1 else ()
        yield from arrow((240, 318), *bend, (398, y + 28))


DRAWINGS: Final = {
    "agent/docs/photo-rule.svg": photo_rule,
    "agent/docs/upload.svg": upload,
    "agent/docs/signatures.svg": signatures,
    "scripts/provisioning/waves.svg": waves,
    "tests/backend/fleet.svg": backend,
    "tests/backend/docs/report.svg": report,
}
"""The drawings, by their paths."""
