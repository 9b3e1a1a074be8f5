"""The demo's round while it is played."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from agent.rule.manifest import Manifest
from doorstep_backend.office import demo
from doorstep_backend.office.model import Office
from doorstep_backend.wire.store import Store
from tests.demo import callers, outcome, story
from tests.demo.asking import Asking
from tests.demo.depot import depot, let_in
from tests.demo.driver import DemoDevice, Pressed
from tests.demo.story import ROUND, Step, Turn
from tests.support.backend import Backend
from tests.support.filed import await_filed
from tests.support.network import FaultProxy

WIDTH_PX: Final = 2304
"""Width of the photos. Source: the Camera Module 3's half-size mode, the product's default."""


def play_round(folder: Path, backend: Backend, office: Office) -> list[str]:
    """Play, print what came of it, and return what is wrong."""
    with FaultProxy(("127.0.0.1", backend.port)) as network, ExitStack() as opened:
        played = Round(folder, backend, network, office, opened, Asking(backend, folder))
        played.play()
        rows = [row for van in played.vans for row in van.processes.queue()]
        verified = played.vans[0].processes.run(*_proof(backend.data, played.vans))
    _write_down(folder / "round.json", played.pressed, office)
    await_filed(backend.data)
    came = outcome.Outcome(played.pressed, rows, office, backend)
    print("\n".join(["", *came.table(), "", *came.people()]))
    print("\n".join(["", *outcome.proof(verified.stdout)]))
    unverified = [] if verified.returncode == 0 else ["what the backend received does not verify"]
    return played.problems + came.problems() + unverified


def _proof(data: Path, vans: Sequence[DemoDevice]) -> list[str]:
    """Put what an outsider is given into `proof/`, and return the words after `doorstep`."""
    into = data / "proof"
    shutil.copytree(data / "received", into)
    for van in vans:
        kept = van.processes.layout.trust / "evidence.pem"
        shutil.copy(kept, into / f"{van.device_id}.pem")
    shutil.copy(data / "revoked.jws", into)
    (into / "receipts").mkdir()
    for verdict in Store(data).verdicts():
        if verdict.accepted:
            (into / "receipts" / f"{verdict.capture_id}.jws").write_text(verdict.jws)
    (identity,) = (data / "keys" / "identities").iterdir()
    known = ["--ca", data / "ca" / "ca.pem", "--fleet-key", data / "fleet-key.pem"]
    return ["verify", *map(str, [into, *known, "--identity", identity])]


def _write_down(path: Path, pressed: list[Pressed], office: Office) -> None:
    """Keep where the driver was at each press, to compare the records with."""
    told = []
    for press in pressed:
        if press.step is not None:
            at = story.place(press.step, office.orders.find(press.step.place_of))
            told.append({"capture_id": press.capture_id, "place": at and asdict(at)})
    path.write_text(json.dumps(told, indent=1))


@dataclass(slots=True)
class Round:
    """The round while it is played.

    Attributes:
        opened: ends the devices.
        asking: dispatch's program.
        ready: the devices that are still at the depot.
        vans: the others; the last one is on the road.
        problems: what went otherwise than the story says.
        shut_out_at: how many presses there had been when dispatch revoked the one on the road.
    """

    folder: Path
    backend: Backend
    network: FaultProxy
    office: Office
    opened: ExitStack
    asking: Asking
    ready: list[DemoDevice] = field(default_factory=list)
    vans: list[DemoDevice] = field(default_factory=list)
    pressed: list[Pressed] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    shut_out_at: int = 0

    def play(self) -> None:
        """From the depot to the last record's receipt."""
        self._enrol()
        self._set_out()
        number = 0
        for one in ROUND:
            match one:
                case Step(story=told, place_of=at):
                    number += 1
                    self._keep(self.van.press(number, one, self.office.orders.find(at)), told)
                case Turn():
                    print(f"   {one.value}", flush=True)
                    self._turn(one, number)
        for van in self.vans:
            self._send(van, van.waiting())

    @property
    def van(self) -> DemoDevice:
        """The one on the road."""
        return self.vans[-1]

    def _enrol(self) -> None:
        """Each device gets its own configuration, state and world, and is let in."""
        for number, world in enumerate(story.worlds(), start=1):
            home = self.folder / f"demo-0{number}"
            van = depot(
                self.opened,
                home,
                world,
                backend=self.backend,
                network=self.network,
                width_px=WIDTH_PX,
            )
            self.ready.append(van)
            self._let_in(van)

    def _let_in(self, van: DemoDevice) -> None:
        try:
            told = let_in(van, self.backend)
        except ValueError as error:
            sys.exit(str(error))
        print(f"   {van.device_id}: `doorstep enrol` with a one-time token: {told}", flush=True)

    def _set_out(self) -> Manifest:
        """The next device fetches the route."""
        van = self.ready.pop(0)
        self.vans.append(van)
        van.start()
        route = van.route()
        done = sum(stop.done for stop in route.stops)
        words = f"{len(route.stops)} stops, {done} done"
        print(f"   {van.device_id} has its route: {words}", flush=True)
        return route

    def _turn(self, turn: Turn, number: int) -> None:
        match turn:
            case Turn.NETWORK_LOST:
                self.network.reachable = False
                self.network.cut()
            case Turn.REPORTED | Turn.CORRECTED | Turn.OPTS_OUT | Turn.RANG_UP | Turn.BOUND:
                self._call(turn)
            case Turn.ASKED:
                self._tell(lambda: self.asking.device(self.van))
            case Turn.TAKEN_BACK:
                self._keep(self.van.take_back(number), f"takes back press {number}")
            case Turn.NETWORK_BACK:
                before, waiting = self.van.version(), self.van.waiting()
                self.network.reachable = True
                self._send(self.van, waiting)
                self.van.wait_for_route(before)
            case Turn.SWAPPED:
                self._swap()
            case Turn.SHUT_OUT:
                self.backend.command("devices", "revoke", self.van.device_id)
                self.shut_out_at = len(self.pressed)
                print("      what the backend knows of the fleet, for dispatch:", flush=True)
                self._tell(self.asking.fleet)
            case Turn.KILLED:
                self.van.kill()
            case Turn.LET_IN:
                self._let_in_again()

    def _call(self, turn: Turn) -> None:
        """Have a customer or the dispatcher act, on what the backend has by now."""
        if turn is Turn.REPORTED:
            self._send(self.van, self.van.waiting())
        await_filed(self.backend.data)
        callers.act(turn, self.office, self.pressed[-1].capture_id)
        if turn is Turn.REPORTED:
            shown = self.office.filing.photos_of(story.YARD)
            self._expect(not shown, "a photo that was reported is still shown")

    def _swap(self) -> None:
        self.van.processes.stop_all()
        self.office.routes.assign(demo.ROUTE, "demo-02")
        await_filed(self.backend.data)
        route = self._set_out()
        done = {self.office.orders.at_stop(stop.id).number for stop in route.stops if stop.done}
        self._expect(done == story.DONE_AT_SWAP, f"done on demo-02's route: {sorted(done)}")
        shut = self.van.pass_by(self.office.orders.find(demo.ALLOWED))
        self._expect(shut, "the camera opened at a stop that is done")
        print("   it passes order 1001, which is done: the camera stays shut", flush=True)

    def _let_in_again(self) -> None:
        """Presses made meanwhile wait on the device, and none of them is refused."""
        told, waiting = self.van.not_let_in(), self.van.waiting()
        pressed = {one.capture_id for one in self.pressed[self.shut_out_at :]}
        self._expect("certificate revoked" in told, f"the backend said: {told}")
        self._expect(pressed <= waiting, "a device that was shut out has sent records")
        words = f"{len(waiting)} records wait, the backend says: certificate revoked"
        print(f"   {self.van.device_id}: {words}", flush=True)
        self._let_in(self.van)
        self._send(self.van, waiting)

    def _send(self, van: DemoDevice, waiting: set[str]) -> None:
        """Send what waits, of which the running sync may have sent some already."""
        self._expect(van.sync(), f"{van.device_id} has records left to send")
        left = van.waiting()
        words = f"{len(waiting - left)} delivered, {len(left)} waiting"
        print(f"   {van.device_id}: {words}", flush=True)

    def _tell(self, ask: Callable[[], Iterator[str]]) -> None:
        try:
            for line in ask():
                print(f"      {line}", flush=True)
        except ValueError as error:
            self.problems.append(str(error))

    def _keep(self, pressed: Pressed, told: str) -> None:
        self.pressed.append(pressed)
        kind, more = pressed.label["kind"].replace("_", " "), ""
        if (pressed.record.get("photo") or {}).get("lamp"):
            more = ", with the lamp"
        if (pressed.shut_after_s or 0) > 0.05:  # else it had stopped before
            more = f"; camera off after {pressed.shut_after_s:.1f} s"
        print(f"{pressed.number:>2} {pressed.light:<9}  {kind:<8}  {told}{more}", flush=True)

    def _expect(self, is_so: bool, otherwise: str) -> None:
        if not is_so:
            self.problems.append(otherwise)
