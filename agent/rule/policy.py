"""May a photo be taken here? Pure: the same manifest, circle and code get the same answer."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from agent.models import UNASSIGNED, BoundBy, Reason, Stop
from agent.rule import manifest as manifests
from agent.rule import reach
from agent.rule.manifest import Manifest, PhotoRule, RouteStop
from agent.rule.reach import Circle, Near, Ring
from agent.rule.scanning import Code
from hardware.clock import Moment


class Absent(StrEnum):
    """The reason for having no manifest: the fleet has none, none is valid, or the last ended."""

    OFF = "off"
    MISSING = "missing"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Allowed:
    """The permission to take a photo, which is bound to `stop`.

    `practice` makes the record a `test`.
    """

    stop: Stop
    practice: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The refusal of a photo.

    Attributes:
        reason: for the record.
        stop: for the record; has an id only if a code named it.
        code_settles: True if a parcel label could change the answer.
    """

    reason: Reason
    stop: Stop = UNASSIGNED
    code_settles: bool = True


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The driver's word that a person took the parcel; the device takes no photo.

    `practice` makes the record a `test`.
    """

    stop: Stop
    practice: bool = False


Answer = Allowed | Refused | HandedOver


def effective_manifest(
    manifest: Manifest | None, moment: Moment, floor: datetime
) -> Manifest | Absent:
    """Return the manifest if it is valid, otherwise the reason why it is absent.

    A manifest that has not begun is missing. So is one without stops, which a device gets that
    has handed its route on: it knows no door where a photo is forbidden.
    """
    if manifest is None or not manifest.stops:
        return Absent.MISSING
    if manifests.is_valid(manifest, moment, floor):
        return manifest
    ended = manifests.has_ended(manifest, moment, floor)
    return Absent.EXPIRED if ended else Absent.MISSING


def version(manifest: Manifest | Absent) -> int | str:
    """Return a record's note on the manifest: its version, "none" without a valid one, or "off"."""
    if isinstance(manifest, Manifest):
        return manifest.version
    return "off" if manifest is Absent.OFF else "none"


def decide(
    manifest: Manifest | Absent, circle: Circle | None, code: Code | None
) -> Allowed | Refused:
    """Answer a press.

    `circle` is the possible place of the device (`reach.where`), `code` the scanned one that still
    counts. While the code opens doors (`Code.opens`), it decides alone, with one exception: if a
    `no_photo` stop is in reach, the code's own stop must be in reach too. After that time, place
    decides, and the code only names the stop if its answer is the same: it opens no door, and it
    refuses none.
    A code for practice names no stop, so place decides as it does without a code.
    """
    if isinstance(manifest, Absent):
        return _without_manifest(manifest)
    near = _near(manifest, circle)
    answer = _decide(manifest, circle, code, near)
    if isinstance(answer, Refused) and _no_code_settles(near):
        return replace(answer, code_settles=False)
    return answer


def hand_over(manifest: Manifest | Absent, circle: Circle | None, code: Code | None) -> HandedOver:
    """Answer a press by which the driver says that the parcel was handed over.

    A code names its stop if that is certainly in reach, whatever the rule of the stop is and
    however long ago the code was read. Any other code names none, and then place names none
    either, because nobody knows which of both is wrong.
    Without a code, place names the only stop in reach, if it takes photos: the record must not
    reveal that a stop takes none.
    """
    if isinstance(manifest, Absent):
        return HandedOver(UNASSIGNED)
    if code is None:
        answer = _by_place(manifest, circle, _near(manifest, circle))
        is_certain = isinstance(answer, Allowed) and answer.stop.bound_by is BoundBy.PLACE
        return HandedOver(answer.stop if is_certain else UNASSIGNED)
    if reach.is_practice(manifest, code.text):
        return HandedOver(UNASSIGNED, practice=True)
    named = _by_code(manifest, circle, code.text).stop
    return HandedOver(named if named.ring in {Ring.INSIDE, Ring.NEAR} else UNASSIGNED)


def may_stream(
    manifest: Manifest | Absent, circle: Circle | None, code: Code | None, *, keep_warm: bool
) -> bool:
    """Return True if the sensor may be on outside a scan window; capture asks once a second.

    The sensor may be on if a press would be allowed and an open stop that takes photos is in
    reach, or if `keep_warm` is set, shortly after a served press. It may never be on where place
    forbids a photo: no code overrides that for the sensor. A fleet without manifests has no stops
    to wait for.
    """
    if isinstance(manifest, Absent):
        return manifest is Absent.OFF and keep_warm
    near = _near(manifest, circle)
    if _forbidden(manifest, circle, near) is not None:
        return False
    if keep_warm:
        return True
    wanted = any(at.stop.photo is PhotoRule.ALLOWED and not at.stop.done for at in near)
    return wanted and isinstance(_decide(manifest, circle, code, near), Allowed)


def _without_manifest(absent: Absent) -> Allowed | Refused:
    match absent:
        case Absent.OFF:
            return Allowed(UNASSIGNED)
        case Absent.MISSING:
            return Refused(Reason.MANIFEST_MISSING, code_settles=False)
        case Absent.EXPIRED:
            return Refused(Reason.MANIFEST_EXPIRED, code_settles=False)
        case other:
            assert_never(other)


def _near(manifest: Manifest, circle: Circle | None) -> list[Near]:
    return [] if circle is None else reach.in_reach(manifest.stops, circle)


def _decide(
    manifest: Manifest, circle: Circle | None, code: Code | None, near: list[Near]
) -> Allowed | Refused:
    by_place = _by_place(manifest, circle, near)
    if code is None:
        return by_place
    if reach.is_practice(manifest, code.text):
        return Allowed(UNASSIGNED, practice=True) if isinstance(by_place, Allowed) else by_place
    by_code = _by_code(manifest, circle, code.text)
    if _is_elsewhere(by_code, near):
        return Refused(Reason.CODE_ELSEWHERE, by_code.stop) if code.opens else by_place
    says_the_same = isinstance(by_code, Allowed) == isinstance(by_place, Allowed)
    speaks = code.opens or (says_the_same and by_code.stop.id is not None)
    return by_code if speaks else by_place


def _is_elsewhere(by_code: Allowed | Refused, near: list[Near]) -> bool:
    """Return True if a `no_photo` stop is in reach, and the stop that the code names is not.

    Everybody who has an order on the route can print a label and put it up at any door.
    """
    in_reach = {at.stop.id for at in near}
    is_forbidden = any(at.stop.photo is PhotoRule.NO_PHOTO for at in near)
    return is_forbidden and by_code.stop.id is not None and by_code.stop.id not in in_reach


def _no_code_settles(near: list[Near]) -> bool:
    """Return True if a `no_photo` stop is in reach, and no stop that takes photos is.

    A code of a stop out of reach is refused there, and every stop in reach refuses too.
    """
    rules = {at.stop.photo for at in near}
    return PhotoRule.NO_PHOTO in rules and PhotoRule.ALLOWED not in rules


def _by_code(manifest: Manifest, circle: Circle | None, code: str) -> Allowed | Refused:
    stop = reach.named(manifest, code)
    if isinstance(stop, Reason):
        return Refused(stop)
    bound = _named(stop, circle)
    match stop.photo:
        case PhotoRule.ALLOWED:
            return Allowed(bound)
        case PhotoRule.SIGNATURE_REQUIRED:
            return Refused(Reason.SIGNATURE_STOP, bound, code_settles=False)
        case PhotoRule.NO_PHOTO:
            return Refused(Reason.NO_PHOTO_STOP, bound, code_settles=False)
        case other:
            assert_never(other)


def _by_place(manifest: Manifest, circle: Circle | None, near: list[Near]) -> Allowed | Refused:
    forbidden = _forbidden(manifest, circle, near)
    if forbidden is not None:
        return forbidden
    if circle is None or not near:
        return Allowed(UNASSIGNED)
    by = BoundBy.PLACE if len(near) == 1 else BoundBy.AMBIGUOUS
    nearest = near[0]
    if nearest.stop.photo is PhotoRule.SIGNATURE_REQUIRED:
        return Refused(Reason.SIGNATURE_STOP, _bound(None, by, nearest, circle))
    return Allowed(_bound(nearest.stop.id, by, nearest, circle))


def _forbidden(manifest: Manifest, circle: Circle | None, near: list[Near]) -> Refused | None:
    """Return the refusal by place alone: a `no_photo` stop is in reach, done or not.

    An unknown place is refused if the route has any `no_photo` stop.
    """
    if circle is None:
        has_any = any(stop.photo is PhotoRule.NO_PHOTO for stop in manifest.stops)
        return Refused(Reason.NO_POSITION) if has_any else None
    for at in near:
        if at.stop.photo is PhotoRule.NO_PHOTO:
            stop = _bound(None, BoundBy.PLACE, at, circle)
            return Refused(Reason.NO_PHOTO_STOP, stop)
    return None


def _named(stop: RouteStop, circle: Circle | None) -> Stop:
    """Return a label's stop, with ring and distance only if the position is exact enough.

    The backend relies on ring and distance.
    """
    if circle is None or circle.radius_m > reach.VOUCHES_M:
        return Stop(stop.id, BoundBy.CODE, distance_m=None, ring=None)
    return _bound(stop.id, BoundBy.CODE, Near(stop, reach.distance_m(stop, circle)), circle)


def _bound(stop_id: str | None, by: BoundBy, at: Near, circle: Circle) -> Stop:
    ring = reach.ring(at.distance_m, at.stop, circle)
    return Stop(stop_id, by, round(at.distance_m, 1), ring)
