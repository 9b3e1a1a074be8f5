"""The decisions of a deploy: is a release fit to be sent, and what was its outcome on a device.

`doorstep_release.py FOLDER` prints the errors of a release, before a device is reached. If the
release is fit, it prints the digests that the whole roll-out uses.
"""

import hashlib
import json
import re
import sys
import tarfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

VERSION = r"[A-Za-z0-9][A-Za-z0-9.+-]{0,40}"
"""As a name of a folder, here and on a device."""

ALL_MEMBERS = 1000
"""More files than this no release has: wheels, their digests and units are forty."""

MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}

TIMES_ITS_SIZE = 5
"""Room for the tar, the wheels in it, and three times as much installed: 85, 85 and 256 MB in
2026-11."""

MORE_MB = 50
"""Room that is left beside it: logs, and apt's lists."""


LONGEST_ANSWER = 1_000_000
"""As in doorstep.py: Ansible loads each of these files by itself."""


def heard(answer: object) -> Any:
    """Return the JSON that a device answered; None if it is invalid, too long or too deep."""
    if not isinstance(answer, str) or len(answer) > LONGEST_ANSWER:
        return None
    try:
        return json.loads(answer)
    except (ValueError, RecursionError):
        return None


class FilterModule:
    """The class that Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by their names in the playbook."""
        found = (amiss, changed, sha256, digest, room_mb, off_power, findings, outcome, too_many)
        return {f"doorstep_{one.__name__}": one for one in found}


def amiss(folder: str, architecture: str = "") -> str:
    """Return what is wrong with a release, or with its part for one architecture, or ""."""
    place = Path(folder)
    sums, version = place / "SHA256SUMS", place.name
    if not re.fullmatch(VERSION, version) or not place.is_dir():
        return f"{version}: there is no such release at {place.parent}; `scripts/release` makes one"
    if not sums.is_file():
        return f"{version}: {sums} is missing, so it was not copied whole: copy it again"
    lines = re.findall(r"^([0-9a-f]{64}) [ *](.+)$", sums.read_text("utf-8"), re.MULTILINE)
    listed = {name: digest for digest, name in lines}
    for arch in [architecture] if architecture else MACHINES:
        name = f"{arch}.tar"
        if (place / name).is_file() and (wrong := _amiss_in(place / name, listed.get(name), arch)):
            return f"{version}: {wrong}"
    wanted = [f"{architecture}.tar"] if architecture else [f"{arch}.tar" for arch in MACHINES]
    if not any((place / name).is_file() for name in wanted):
        return f"{version}: it has no {' and no '.join(wanted)}: it was not built for that"
    return ""


def _amiss_in(tar: Path, wanted: str | None, architecture: str) -> str:
    """Return what is wrong with a tar, or ""; SHA256SUMS has the digest `wanted` for it."""
    if wanted is None:
        return f"SHA256SUMS does not name {tar.name}: build it again, or take it away"
    if wanted != sha256(str(tar)):
        return f"{tar.name} is not what SHA256SUMS says: copy it again"
    try:
        with tarfile.open(tar) as opened:
            names = [
                Path(one.name).name for one, _ in zip(opened, range(ALL_MEMBERS), strict=False)
            ]
    except (OSError, tarfile.TarError) as error:
        return f"{tar.name} cannot be read: {error}"
    foreign = [one for one in MACHINES.values() if one != MACHINES[architecture]]
    others = [name for name in names if name.endswith(tuple(f"_{one}.whl" for one in foreign))]
    if others:
        return f"{tar.name} has wheels of another architecture ({others[0]}): build it again"
    version = tar.parent.name
    if not any(name.startswith(f"doorstep-{version}-") for name in names):
        remedy = "call the folder as the version in it, or build it again"
        return f"{tar.name} is not of {version}, as its folder is called: {remedy}"
    return "" if "doorstep-capture.service" in names else f"{tar.name} has no units: build it again"


def read(folder: str) -> dict[str, dict[str, str]]:
    """Return the digests that identify this release, by architecture.

    A roll-out reads them once. `sha256` is that of the tar, `digest` what `digest()` returns.
    """
    tars = {arch: Path(folder) / f"{arch}.tar" for arch in MACHINES}
    return {
        arch: {"sha256": sha256(str(tar)), "digest": digest(str(tar))}
        for arch, tar in tars.items()
        if tar.is_file()
    }


def changed(tar: str, was: str) -> str:
    """Return an error text if a tar is not what the roll-out began with; else an empty text.

    Args:
        tar: path of the tar of one architecture.
        was: its `sha256` at the start of the roll-out.
    """
    place = Path(tar)
    try:
        is_same = sha256(tar) == was
    except OSError:
        is_same = False
    return (
        ""
        if is_same
        else f"{place.parent.name}: {place.name} is not what it was when the roll-out began, so no "
        f"other device gets it: look who wrote to {place.parent}, and deploy again with the build "
        "that is meant"
    )


def sha256(file: str) -> str:
    """Calculate the SHA-256 of a file on this computer, in hex."""
    with Path(file).open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def digest(tar: str) -> str:
    """Calculate a digest of the digests in its tar: it differs between builds of one version."""
    with tarfile.open(tar) as opened:
        member = opened.extractfile("./SHA256SUMS")
        return hashlib.sha256(member.read() if member else b"").hexdigest()


def room_mb(tar: str) -> int:
    """Return the MB that a device must have free for a release, beside the running one."""
    return Path(tar).stat().st_size * TIMES_ITS_SIZE // 1_000_000 + MORE_MB


def off_power(found: Mapping[str, str]) -> str:
    """Return why a device's power may end, or ""; some boards cannot measure it."""
    on_battery = found.get("external") == "0"
    return "it runs on its battery: put it into its cradle, and try again" if on_battery else ""


def findings(new: str, said: str, now: str) -> str:
    """Return the faults that only doctor of the new release finds, and a missing backend, or "".

    Args:
        new: the output of `doorstep doctor --json` of the new one.
        said: its error output.
        now: the output of the release in use.
    """
    told, before = _levels(new), _levels(now)
    if not told:
        return f"its doctor gave no answer: {_line(said)}"
    worse = [
        words for check, words in told["FAILED"] if check not in dict(before.get("FAILED", []))
    ]
    # Without the backend the trial would end with the release before
    worse += [words for check, words in told["later"] if check == "backend"]
    return "; ".join(map(_line, worse))


def _levels(answer: str) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {"FAILED": [], "later": []}
    told = heard(answer)
    if not isinstance(told, list):
        return {}
    for one in told:
        match one:
            case {"check": str(check), "level": str(level), "words": str(words)}:
                found.setdefault(level, []).append((check, words))
            case _:
                return {}
    return found


def outcome(answer: str, version: str) -> dict[str, Any]:
    """Return a device's line in the table by its trial; `counts` against the roll-out."""
    match heard(answer):
        case {"release": str(release), "outcome": str(result), "why": str(words)}:
            why = _line(words)
        case _:
            return lost()
    is_ours = release == version or release.startswith(f"{version}-")
    if is_ours and result == "done":
        return {"verdict": "done", "todo": why, "counts": False}
    if is_ours and result == "rolled back":
        return {"verdict": "rolled back", "todo": why, "counts": True}
    return lost()


def lost() -> dict[str, Any]:
    """Return the line of a device that does not answer any more."""
    words = "it goes on or back by itself: deploy again, which says what came of it"
    return {"verdict": "not reached", "todo": words, "counts": True}


def too_many(hosts: Iterable[str], hostvars: Mapping[str, Any], most: int) -> str:
    """Return the failed devices if more of them failed than may in a wave; else an empty text.

    A device that found the release changed ends the roll-out in any case.
    """
    told = {host: hostvars[host].get("doorstep_deploy_outcome", {}) for host in hosts}
    bad = [host for host, outcome in told.items() if outcome.get("counts")]
    ends = [host for host, outcome in told.items() if outcome.get("ends")]
    return ", ".join(ends or (bad if len(bad) > int(most) else []))


def _line(text: object) -> str:
    """Make a device's words one line of limited length."""
    words = " ".join(str(text).split())
    return "".join(one if one.isprintable() else " " for one in words)[:400]


def main(folder: str) -> int:
    """Print what is wrong; else the digests for the roll-out, as JSON in one line."""
    wrong = amiss(folder)
    if wrong:
        sys.stderr.write(f"{wrong}\n")
        return 2
    sys.stdout.write(f"{json.dumps(read(folder))}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
