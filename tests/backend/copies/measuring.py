"""`python -m tests.backend.copies.measuring`: how many faces and codes a copy hides."""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final

import cv2  # noqa: TID251 - reads and scales pictures
import numpy as np
import zxingcpp  # noqa: TID251 - writes the codes that are to be found

from agent.capture import jpeg
from doorstep_backend.copies import labels
from doorstep_backend.copies.area import Area, Pixels
from doorstep_backend.copies.faces import FaceFinder
from doorstep_backend.copies.making import made
from doorstep_backend.copies.shows import Shows
from tests.backend.copies.pasted import (
    Person,
    door,
    face,
    label,
    packaged,
    photograph,
    with_label,
    with_person,
)

SIZES_PX: Final = (12, 16, 20, 24, 32, 48, 64, 100, 150, 200)
SMALL_PX: Final = (12, 16, 20, 24)
TURNS_DEG: Final = (0, 15, -15, 30, -30, 45, 90, 180)
DOORS: Final = (1, 3)

WITHOUT_PEOPLE: Final = (
    *("brick.png", "chelsea.png", "coffee.png", "coins.png", "grass.png", "gravel.png"),
    *("horse.png", "hubble_deep_field.jpg", "moon.png", "motorcycle_left.png", "page.png"),
    *("retina.jpg", "rocket.jpg"),
)
"""Photographs and drawings of scikit-image; chelsea is a cat."""

LIGHTS: Final = (1.0, 0.3, 0.02)
"""Day, dusk, and night with the lamp."""

MODULES_PX: Final = (1, 2, 3, 4)
LABEL_TURNS_DEG: Final = (0, 10, 20, 45, 90)

FRAME_PX: Final = (2304, 1296)
"""The device's by default; it is reduced before it is looked at."""

AROUND_PX: Final = 448
"""Part of the cut around a person: the model recognises a face by its surroundings."""

_MIDDLE: Final = (820, 616)


@dataclass(frozen=True, slots=True)
class Case:
    """Somebody before a door."""

    seed: int
    person: Person


def cases(face_px: int) -> list[Case]:
    return [
        Case(seed, Person(face_px, turn_deg, _MIDDLE, mirrored))
        for seed, turn_deg, mirrored in product(DOORS, TURNS_DEG, (False, True))
    ]


def is_found(finder: FaceFinder, case: Case) -> bool:
    """Return whether one area covers the whole face, in a cut around it."""
    cut_px = max(AROUND_PX, 3 * case.person.face_px)
    left, top = _MIDDLE[0] - cut_px // 2, _MIDDLE[1] - cut_px // 2
    picture = with_person(door(case.seed), case.person)[top : top + cut_px, left : left + cut_px]
    there = face(case.person)
    wanted = Area(there.left - left, there.top - top, there.right - left, there.bottom - top)
    return any(covers(one, wanted) for one in finder.areas(picture))


def is_found_in_frame(finder: FaceFinder, case: Case) -> bool:
    """Return whether one area covers the whole face, in a whole frame of the device."""
    picture = with_person(door(case.seed, FRAME_PX), case.person)
    return any(covers(one, face(case.person)) for one in finder.areas(picture))


def covers(one: Area, wanted: Area) -> bool:
    begins = one.left <= wanted.left and one.top <= wanted.top
    return begins and one.right >= wanted.right and one.bottom >= wanted.bottom


def lines(finder: FaceFinder) -> Iterator[str]:
    """Yield the tables in Markdown; takes minutes."""
    yield from _faces(finder)
    yield from _whole_frames(finder)
    yield from _small_faces(finder)
    yield from _without_people(finder)
    yield from _codes()
    yield from _times(finder)


def _faces(finder: FaceFinder) -> Iterator[str]:
    heads = " | ".join(f"{turn_deg}°" for turn_deg in TURNS_DEG)
    yield f"| face, px | found | {heads} |"
    yield "| --- " * (2 + len(TURNS_DEG)) + "|"
    for face_px in SIZES_PX:
        some = [(case.person.turn_deg, is_found(finder, case)) for case in cases(face_px)]
        by_turn = [sum(found for turn, found in some if turn == one) for one in TURNS_DEG]
        cells = " | ".join(str(one) for one in by_turn)
        yield f"| {face_px} | {sum(by_turn)} of {len(some)} | {cells} |"
    yield ""


def _whole_frames(finder: FaceFinder) -> Iterator[str]:
    yield "| face in a frame, px | found | of |"
    yield "| --- | --- | --- |"
    for face_px in SMALL_PX:
        some = [case for case in cases(face_px) if case.person.turn_deg in {0, 30, 90}]
        found = sum(is_found_in_frame(finder, case) for case in some)
        yield f"| {face_px} | {found} | {len(some)} |"
    yield ""


def _small_faces(finder: FaceFinder) -> Iterator[str]:
    """Return a hundred cut-out faces, grey, 25 x 25 px, and a hundred cuts without one."""
    subset = np.load(packaged("lfw_subset.npy"))
    yield "| 100 each, px | faces found | taken for one |"
    yield "| --- | --- | --- |"
    for times in (1, 2, 4):
        counts = [_in_a_grid(finder, subset[half], times) for half in (slice(100), slice(100, 200))]
        yield f"| {25 * times} | {counts[0]} | {counts[1]} |"
    yield ""


def _in_a_grid(finder: FaceFinder, cuts: Pixels, times: int) -> int:
    """Count the cuts whose middle is in an area, when they hang far apart on a wall."""
    side, found = 25 * times, 0
    for some in np.split(np.asarray(cuts), 4):
        picture = np.full((5 * 3 * side, 5 * 3 * side, 3), 150, np.uint8)
        places = [(3 * side * (n % 5) + side, 3 * side * (n // 5) + side) for n in range(25)]
        for cut, (x, y) in zip(some, places, strict=True):
            grey = np.asarray(cut * 255, np.uint8)
            large = cv2.resize(grey, (side, side), interpolation=cv2.INTER_CUBIC)
            picture[y : y + side, x : x + side] = np.asarray(large)[..., None]
        areas = finder.areas(picture)
        middles = [
            Area(x + side // 2, y + side // 2, x + side // 2, y + side // 2) for x, y in places
        ]
        found += sum(any(covers(one, middle) for one in areas) for middle in middles)
    return found


def _without_people(finder: FaceFinder) -> Iterator[str]:
    yield "| without people | pictures | taken for a face | of the pictures, at most | for a code |"
    yield "| --- | --- | --- | --- | --- |"
    doors = [door(seed, light=LIGHTS[seed % 3]) for seed in range(12)]
    photographs = [photograph(name) for name in WITHOUT_PEOPLE]
    for what, pictures in (("rendered doors", doors), ("scikit-image", photographs)):
        found = [finder.areas(picture) for picture in pictures]
        shares = [_share(areas, picture) for areas, picture in zip(found, pictures, strict=True)]
        codes = sum(len(labels.areas(picture)) for picture in pictures)
        with_any = sum(bool(areas) for areas in found)
        count = sum(len(areas) for areas in found)
        yield (
            f"| {what} | {len(pictures)} | {count}, in {with_any} pictures "
            f"| {max(shares):.1%} | {codes} |"
        )
    yield ""


def _share(areas: list[Area], picture: Pixels) -> float:
    hidden = np.zeros(picture.shape[:2], bool)
    for one in areas:
        hidden[max(0, one.top) : one.bottom, max(0, one.left) : one.right] = True
    return float(hidden.mean())


def _codes() -> Iterator[str]:
    kinds = zxingcpp.BarcodeFormat
    yield "| narrowest bar, px | Code 128 | Data Matrix | QR | PDF417 |"
    yield "| --- | --- | --- | --- | --- |"
    for module_px in MODULES_PX:
        counts = [
            sum(_is_hidden(kind, module_px, *one) for one in product(DOORS, LABEL_TURNS_DEG))
            for kind in (kinds.Code128, kinds.DataMatrix, kinds.QRCode, kinds.PDF417)
        ]
        cells = " | ".join(str(one) for one in counts)
        yield f"| {module_px} | {cells} |"
    yield f"Each of {len(DOORS) * len(LABEL_TURNS_DEG)}."
    yield ""


def _is_hidden(kind: zxingcpp.BarcodeFormat, module_px: int, seed: int, turn_deg: int) -> bool:
    """Return whether the middle of the label, between code and address, is in an area."""
    x, y = _MIDDLE
    picture = with_label(door(seed), label(kind, module_px), _MIDDLE, turn_deg)
    return any(covers(one, Area(x, y, x, y)) for one in labels.areas(picture))


def _times(finder: FaceFinder) -> Iterator[str]:
    yield "| picture | seconds | seconds of a processor |"
    yield "| --- | --- | --- |"
    for size_px in ((1640, 1232), FRAME_PX, (4608, 2592)):
        photo = jpeg.encode(door(1, size_px), 85)
        began_s, cpu_s = time.perf_counter(), time.process_time()
        made(photo, Shows.NO_LABEL, finder)
        took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
        yield f"| {size_px[0]} x {size_px[1]} | {took_s:.1f} | {cpu_s:.1f} |"


if __name__ == "__main__":
    name = "python -m tests.backend.copies.measuring"
    argparse.ArgumentParser(prog=name, description=__doc__).parse_args()
    for line in lines(FaceFinder()):
        print(line, flush=True)  # noqa: T201 - a command prints
