"""Tries a release on this device, and goes back by itself: needs no release, no SSH, no network.

It lies outside of every release and imports Python's own library alone.

  use RELEASE             its units and `current`, without a trial: provisioning
  room RELEASE...         delete all releases but these and the one in use
  ask RELEASE [WATCH_S]   have doorstep-trial.service try it: a deploy
  wait SECONDS            what came of the last trial as JSON, once none is under way
  run                     doorstep-trial.service
"""

import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from processes import CAPTURE, Watch, restart, shown, systemctl, tell_systemd, watched
from release import (
    BACK,
    UNDER_WAY,
    Places,
    begin,
    go_back,
    is_under_way,
    make_room,
    stay,
    tell,
    told,
    use,
    write,
)

WATCH_S: Final = 120
"""Time for which a release is watched: enough for imports, the sweep of a full queue and a first
contact, and to see a process that dies every half minute."""

STARTS_WITHIN_S: Final = 60
"""Longest wait for the release before to be there again; it goes on starting after that too."""

CUT: Final = "it was switched off, or lost its power, during the trial"
KILLED: Final = "the trial itself ended before its time"


class Refused(Exception):
    """Not now, or not this: nothing was changed."""


def run(places: Places) -> None:
    """Run the whole trial; after an interrupted one, go back."""
    if places.previous.is_symlink():
        go_back(places, KILLED if places.begun.exists() else CUT)
        restart()
        tell_systemd()
    elif places.request.exists():
        tell_systemd()
        _try(places)
    if places.begun.exists():
        _remember_start(places)
        places.begun.unlink()


def _try(places: Places) -> None:
    asked = json.loads(places.request.read_text("utf-8"))
    places.request.replace(places.begun)  # once: what fails at its begin is not tried again
    watch = Watch()
    begin(places, Path(asked["release"]))
    restart()
    verdict = watched(watch, asked["watch_s"])
    if verdict.stays:
        stay(places, verdict.words)
    else:
        go_back(places, verdict.words)
        restart()


def _remember_start(places: Places) -> None:
    """Note that no press caused this start: see roles/doorstep_services/files/remember-start.sh."""
    until_s = time.monotonic() + STARTS_WITHIN_S
    while shown(CAPTURE, "ActiveState") != "active" and time.monotonic() < until_s:
        time.sleep(1)
    write(places.run / "doorstep-provisioned", shown(CAPTURE, "InvocationID") + "\n")


@contextmanager
def alone(places: Places) -> Iterator[None]:
    """Lock out a second deploy, which gets an error."""
    with (places.run / "doorstep-trial.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Refused("another deploy is at it just now: try again in a minute") from error
        yield


def refuse_during_a_trial(places: Places) -> None:
    """Raise Refused while a release is on trial, or about to be rolled back."""
    if is_under_way(places):
        raise Refused(
            "a release is being tried on it just now: try again in five minutes;"
            " where that does not end, `sudo systemctl restart doorstep-trial` there goes back"
        )


def refuse_unless_whole(places: Places, release: Path) -> None:
    """Raise Refused if nothing would start: the release is missing, or incomplete."""
    if release.parent != places.opt / "releases" or not (release / ".complete").exists():
        there = sorted(one.parent.name for one in places.opt.glob("releases/*/.complete"))
        raise Refused(
            f"{release} is not installed as a whole: deploy it again;"
            f" there are {' '.join(there) or 'none'} in {places.opt / 'releases'}"
        )


def request(places: Places, release: Path, watch_s: float) -> None:
    """Write down what is to be tried.

    Raises:
        Refused: a trial is under way, or the release is not whole.
    """
    refuse_during_a_trial(places)
    refuse_unless_whole(places, release)
    if not places.current.is_symlink():
        raise Refused("it has no release to go back to: `scripts/provision` sets it up")
    tell(places, release.name, UNDER_WAY, "")
    write(places.request, json.dumps({"release": str(release), "watch_s": watch_s}))


def wait(places: Places, seconds: float) -> str:
    """Wait for the last result, and return it as JSON.

    Raises:
        Refused: a trial is still under way.
    """
    until_s = time.monotonic() + seconds
    while is_under_way(places):
        if time.monotonic() > until_s:
            raise Refused("the trial has not ended yet")
        time.sleep(0.5)
    found = told(places)
    if found.get("outcome") == UNDER_WAY:  # it never began
        found |= {"outcome": BACK, "why": CUT}
    return json.dumps(found)


def main(words: list[str], places: Places) -> None:
    """Run one of the commands above."""
    match words:
        case ["use", release]:
            with alone(places):
                refuse_during_a_trial(places)
                refuse_unless_whole(places, Path(release))
                print(*use(places, Path(release)))
        case ["room", *kept]:
            with alone(places):
                refuse_during_a_trial(places)
                make_room(places, *map(Path, kept))
        case ["ask", release, *watch_s]:
            os.sync()  # this program too: it was copied just now, and is what a cut leads to
            with alone(places):
                request(places, Path(release), float(watch_s[0]) if watch_s else WATCH_S)
            systemctl("start", "--no-block", "doorstep-trial.service")
        case ["wait", seconds]:
            print(wait(places, float(seconds)))
        case ["run"]:
            run(places)
        case _:
            raise Refused(str(__doc__))


if __name__ == "__main__":
    try:
        main(sys.argv[1:], Places())
    except Refused as error:
        sys.exit(str(error))
    except PermissionError as error:
        sys.exit(f"{error.filename}: {error.strerror}: say it with sudo")
