"""A driver's round: real processes, real HTTPS, a simulated board; then a table of what came of it.

Simulated is only what is hardware: camera, buttons, light, GPS, battery.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import demo_outcome
import demo_story
from demo_driver import Pressed, Van
from demo_receiver import Receiver
from demo_story import ROUND, Step, Turn

from agent.rule.manifest import Manifest
from tests.backend import demo
from tests.backend.office import Office
from tests.backend.pages import PREFIX
from tests.backend.pages.accounts import Accounts
from tests.backend.process import Backend, running_backend
from tests.device import device, towards
from tests.network import FaultProxy


def main() -> int:
    """Play the round; 0 only when everything came to what the story says."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda _kind, _frame: sys.exit(1))
    began_s = time.monotonic()
    with (
        _folder(arguments.keep) as folder,
        running_backend(folder, switches=False, show_simulated=True) as backend,
    ):
        office = demo_story.town(folder, "demo-01")
        problems = _play(folder, backend, office)
        print("\n".join(f"WRONG: {problem}" for problem in problems))
        print(f"{'INCOMPLETE' if problems else 'Complete'} in {time.monotonic() - began_s:.0f} s.")
        if arguments.keep:
            print(f"Everything is in {folder}; look at {folder / 'photos'}")
        if arguments.serve:
            _serve(backend, office)
    return 1 if problems else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("scripts/demo", description=__doc__)
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="leave everything in DIR: received/, photos/, records/ of the backend, and demo-01/ "
        "and demo-02/, the two devices with configuration, state/ and logs",
    )
    parser.add_argument(
        "--serve",
        action="store_true",
        help="then leave the backend's pages up for a browser on this machine, until Ctrl-C",
    )
    return parser.parse_args()


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="doorstep-") as folder:
            yield Path(folder)
        return
    try:
        keep.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sys.exit(f"{keep} cannot be made: {error.strerror}")
    if any(keep.iterdir()):
        sys.exit(f"{keep} is not empty; give an empty or a new folder")
    yield keep.resolve()


def _play(folder: Path, backend: Backend, office: Office) -> list[str]:
    """Play, print what came of it, and return what is wrong."""
    with FaultProxy(("127.0.0.1", backend.port)) as network, ExitStack() as opened:
        played = Round(folder, backend, network, office, opened)
        played.play()
        rows = [row for van in played.vans for row in van.processes.queue()]
        verified = played.vans[0].processes.run("verify", str(folder / "received"))
    _write_down(folder / "round.json", played.pressed, office)
    outcome = demo_outcome.Outcome(played.pressed, rows, office, backend)
    print("\n".join(["", *outcome.table(), "", *outcome.people()]))
    print("\n".join(["", *demo_outcome.proof(verified.stdout)]))
    unverified = [] if verified.returncode == 0 else ["what the backend received does not verify"]
    return played.problems + outcome.problems() + unverified


def _write_down(path: Path, pressed: list[Pressed], office: Office) -> None:
    """Keep where the driver was at each press, to compare the records with."""
    told = []
    for press in pressed:
        if press.step is not None:
            at = demo_story.place(press.step, office.orders.find(press.step.at))
            told.append({"capture_id": press.capture_id, "place": at and asdict(at)})
    path.write_text(json.dumps(told, indent=1))


@dataclass(slots=True)
class Round:
    """The round while it is played.

    Attributes:
        opened: ends the devices.
        vans: the devices so far; the last one is on the road.
        problems: what went otherwise than the story says.
    """

    folder: Path
    backend: Backend
    network: FaultProxy
    office: Office
    opened: ExitStack
    vans: list[Van] = field(default_factory=list)
    pressed: list[Pressed] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def play(self) -> None:
        """From the depot to the last record's receipt."""
        self._set_out()
        number = 0
        for one in ROUND:
            match one:
                case Step(story=story, at=at):
                    number += 1
                    self._keep(self.van.press(number, one, self.office.orders.find(at)), story)
                case Turn():
                    print(f"   {one.value}", flush=True)
                    self._turn(one, number)
        print("   both devices are back at the depot", flush=True)
        for van in self.vans:
            self._expect(van.sync(), f"{van.device_id} has records left to send")

    @property
    def van(self) -> Van:
        """The one on the road."""
        return self.vans[-1]

    def _set_out(self) -> Manifest:
        """The next device gets its own configuration, state and world, and fetches the route."""
        device_id = f"demo-0{len(self.vans) + 1}"
        world = list(demo_story.worlds())[len(self.vans)]
        receiver = self.opened.enter_context(Receiver())
        processes = device(self.folder / device_id, world, **self._settings(device_id, receiver))
        van = Van(device_id, self.opened.enter_context(processes), receiver, self.backend)
        self.vans.append(van)
        van.start()
        route = van.route()
        done = sum(stop.done for stop in route.stops)
        print(f"   {device_id} has its route: {len(route.stops)} stops, {done} done", flush=True)
        return route

    def _settings(self, device_id: str, receiver: Receiver) -> dict[str, dict[str, Any]]:
        return {
            "device": {"id": device_id},
            "policy": {"manifest": "required"},
            "backend": dict(towards(self.backend, f"https://127.0.0.1:{self.network.port}")),
            "camera": {"width_px": 2304, "height_px": 1296},
            "position": {"kind": "gpsd", "gpsd": f"127.0.0.1:{receiver.port}"},
        }

    def _turn(self, turn: Turn, number: int) -> None:
        match turn:
            case Turn.NETWORK_LOST:
                self.network.reachable = False
                self.network.cut()
            case Turn.TAKEN_BACK:
                self._keep(self.van.take_back(number), f"takes back press {number}")
            case Turn.OPTS_OUT:
                self.office.opt_out_order(demo.CHANGES_MIND, opted_out=True)
            case Turn.NETWORK_BACK:
                self.network.reachable = True
                before = self.van.version()
                self._expect(self.van.sync(), "not all that waited was sent")
                self.van.wait_for_route(before)
            case Turn.SWAPPED:
                self._swap()
            case Turn.KILLED:
                self.van.kill()

    def _swap(self) -> None:
        self.van.processes.stop_all()
        self.office.routes.assign(demo.ROUTE, "demo-02")
        route = self._set_out()
        done = {self.office.orders.at_stop(stop.id).number for stop in route.stops if stop.done}
        self._expect(done == demo_story.DONE_AT_SWAP, f"done on demo-02's route: {sorted(done)}")
        shut = self.van.pass_by(self.office.orders.find(demo.ALLOWED))
        self._expect(shut, "the camera opened at a stop that is done")
        print("   it passes order 1001, which is done: the camera stays shut", flush=True)

    def _keep(self, pressed: Pressed, story: str) -> None:
        self.pressed.append(pressed)
        kind, more = pressed.label["kind"].replace("_", " "), ""
        if (pressed.record.get("photo") or {}).get("lamp"):
            more = ", with the lamp"
        if (pressed.shut_after_s or 0) > 0.05:  # else it had stopped before
            more = f"; the camera stopped {pressed.shut_after_s:.1f} s after the arrival"
        print(f"{pressed.number:>2} {pressed.light:<5}  {kind:<8}  {story}{more}", flush=True)

    def _expect(self, is_so: bool, otherwise: str) -> None:
        if not is_so:
            self.problems.append(otherwise)


def _serve(backend: Backend, office: Office) -> None:
    """Let the demo's people sign in until Ctrl-C."""
    Accounts(office.ledger).add_all(demo.ACCOUNTS)
    print(f"\nThe pages are at {backend.base_url}{PREFIX}/ until Ctrl-C; a browser asks about the")
    print(f"certificate, which is the demo's own ({backend.ca_file}). Sign in as")
    for one in demo.ACCOUNTS:
        print(f"  {one.role:<9} {one.who:<9} {one.password}")
    sys.stdout.flush()  # also into a pipe
    try:
        signal.pause()
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    os.environ.pop("DOORSTEP_CONFIG", None)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
