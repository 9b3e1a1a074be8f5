#!/usr/bin/python3 -IS
"""A finger and an eye: presses the button on gpio-sim, and reads light and sound back.

    finger press PIN [HELD_S]           one press
    finger bounce PIN [HELD_S]          one whose contacts bounce for 4 ms at both edges
    finger many PIN N EVERY_S           N presses, EVERY_S from edge to edge
    finger shot PIN [HELD_S [WAIT_S]]   presses, and tells what was seen and heard, as JSON
    finger rounds PIN N [EVERY_S]       N presses, each told as JSON once its answer was seen
    finger greens PIN EVERY_S           presses for ever; PRESS, then its answer
    finger watch SECONDS                tells every change of light and sound
    finger await LIGHT WITHIN_S         waits until the light is LIGHT; tells the uptime, s
    finger diary                        for ever: every change of light, with the uptime, s
    finger battery PCT [external]       what the power supply says

Light is told by its name, with `+tone` while the buzzer sounds. The LED is dimmed by PWM at 100 Hz,
and a tone is 2 kHz: a line counts as on while it was seen on within the last 12 ms.
Nothing but the standard library: it runs in the machine.
"""

import contextlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Self

LINES = f"{next(Path('/sys/devices/platform').glob('gpio-sim.*/gpiochip*'))}/"
PINS = {"red": 5, "green": 6, "blue": 13, "tone": 12, "lamp": 22}
SUPPLY = Path("/sys/module/test_power/parameters")

NAMES = {
    (): "dark",
    ("red",): "red",
    ("green",): "green",
    ("blue",): "blue",
    ("red", "green"): "amber",
    ("green", "blue"): "cyan",
    ("red", "blue"): "violet",
    ("red", "green", "blue"): "white",
}

LINGERS_S = 0.012
"""A line is on as long as it was seen so. Source: one period of PWM at 100 Hz, and a look more."""

LOOK_S = 0.001

ANSWERS = ("green", "amber", "blue", "red")

SETTLED_S = 0.04
"""An answer is believed once it stood this long: a light that changes passes through others."""


def pull(pin: int, way: str) -> None:
    Path(f"{LINES}sim_gpio{pin}/pull").write_text(f"pull-{way}")


def press(pin: int, held_s: float, *, bounces: bool = False) -> int:
    """Press and let go; CLOCK_MONOTONIC of the edge, ns."""
    edge_ns = time.monotonic_ns()
    pull(pin, "down")
    if bounces:
        _bounce(pin, "up", "down")
    time.sleep(held_s)
    if bounces:
        _bounce(pin, "up", "down")
    pull(pin, "up")
    return edge_ns


def _bounce(pin: int, first: str, then: str) -> None:
    for _ in range(4):
        for way in (first, then):
            time.sleep(0.0005)
            pull(pin, way)


class Eye:
    """Looks at the lines from a thread of its own; each change with its time.

    Attributes:
        changes: CLOCK_MONOTONIC in s, and what was seen from then on.
    """

    def __init__(self) -> None:
        self.changes: list[tuple[float, str]] = []
        self._files = {
            name: Path(f"{LINES}sim_gpio{pin}/value").open("rb", buffering=0)  # noqa: SIM115
            for name, pin in PINS.items()
        }
        self._on_s = dict.fromkeys(PINS, -1.0)
        self._stops = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stops.set()
        self._thread.join()

    @property
    def now(self) -> tuple[float, str]:
        """What is seen, and since when."""
        return self.changes[-1] if self.changes else (time.monotonic(), "dark")

    def _look(self) -> None:
        while not self._stops.is_set():
            at_s = time.monotonic()
            seen = self._seen(at_s)
            if not self.changes or seen != self.changes[-1][1]:
                self.changes.append((at_s, seen))
            time.sleep(LOOK_S)

    def _seen(self, at_s: float) -> str:
        for name, file in self._files.items():
            file.seek(0)
            if file.read(1) == b"1":
                self._on_s[name] = at_s
        on = [name for name in PINS if at_s - self._on_s[name] <= LINGERS_S]
        light = NAMES[tuple(name for name in ("red", "green", "blue") if name in on)]
        return "+".join([light, *(name for name in ("tone", "lamp") if name in on)])


def answer(eye: Eye, edge_s: float, within_s: float = 60.0) -> tuple[str, float]:
    """The answer to a press and its time after the edge, s; "nothing" where none came in time."""
    while (found := first_answer(list(eye.changes), edge_s, time.monotonic())) is None:
        if time.monotonic() > edge_s + within_s:
            return "nothing", within_s
        time.sleep(0.002)
    return found


def first_answer(
    changes: list[tuple[float, str]], edge_s: float, now_s: float
) -> tuple[str, float] | None:
    """The first light that stays, after white: before it is the device's own pulse. Red may stand
    alone: a device that can keep nothing shows no white."""
    was_white = False
    ends = [*(at_s for at_s, _ in changes[1:]), now_s]
    for (at_s, seen), until_s in zip(changes, ends, strict=True):
        light = seen.partition("+")[0]
        if at_s < edge_s:
            continue
        was_white = was_white or light == "white"
        is_answer = light in ANSWERS and (was_white or light == "red")
        if is_answer and until_s - at_s >= SETTLED_S:
            return light, at_s - edge_s
    return None


def shot(pin: int, held_s: float, wait_s: float) -> None:
    with Eye() as eye:
        time.sleep(0.3)
        edge_ns = press(pin, held_s)
        time.sleep(wait_s)
    print(json.dumps(told(edge_ns, eye, *answer(eye, edge_ns / 1e9, 0.0))))


def told(edge_ns: int, eye: Eye, light: str, after_s: float) -> dict[str, object]:
    edge_s = edge_ns / 1e9
    seen = [[round((at_s - edge_s) * 1e3, 1), what] for at_s, what in eye.changes]
    return {
        "boot": boot(),
        "edge_ns": edge_ns,
        "answer": light,
        "after_ms": round(after_s * 1e3, 1),
        "changes": [one for one in seen if float(str(one[0])) > -50],
    }


def rounds(pin: int, count: int, every_s: float) -> None:
    for _ in range(count):
        with Eye() as eye:
            time.sleep(0.1)
            edge_ns = press(pin, 0.1)
            light, after_s = answer(eye, edge_ns / 1e9)
            time.sleep(0.3)
        print(json.dumps(told(edge_ns, eye, light, after_s)), flush=True)
        time.sleep(max(0.0, edge_ns / 1e9 + every_s - time.monotonic()))


def greens(pin: int, every_s: float) -> None:
    while True:
        with Eye() as eye:
            time.sleep(0.05)
            edge_ns = press(pin, 0.08)
            print("PRESS", boot(), edge_ns, flush=True)
            light, _ = answer(eye, edge_ns / 1e9)
            print(light.upper(), boot(), edge_ns, flush=True)
        time.sleep(every_s)


def boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def watch(seconds: float) -> None:
    began_s = time.monotonic()
    with Eye() as eye:
        time.sleep(seconds)
    for at_s, seen in eye.changes:
        print(f"{(at_s - began_s) * 1e3:8.1f} {seen}")


def glance(files: list[BinaryIO]) -> str:
    """The light now, from looks over one period of its PWM."""
    on = [False] * len(files)
    for _ in range(4):
        for at, file in enumerate(files):
            file.seek(0)
            on[at] = on[at] or file.read(1) == b"1"
        time.sleep(0.003)
    lit = zip(("red", "green", "blue"), on, strict=True)
    return NAMES[tuple(name for name, is_on in lit if is_on)]


def lights() -> Iterator[tuple[float, str]]:
    """What the light is from now on, ten times a second, with the uptime in s."""
    with contextlib.ExitStack() as opened:
        pins = (PINS[name] for name in ("red", "green", "blue"))
        files: list[BinaryIO] = [
            opened.enter_context(Path(f"{LINES}sim_gpio{pin}/value").open("rb", buffering=0))
            for pin in pins
        ]
        while True:
            yield time.clock_gettime(time.CLOCK_BOOTTIME), glance(files)
            time.sleep(0.08)


def diary() -> None:
    last = ""
    for uptime_s, light in lights():
        if light != last:
            print(f"{uptime_s:.2f} {light}", flush=True)
            last = light


def await_light(wanted: str, within_s: float) -> None:
    """A blink counts: ready is a green one. Ends with 1 where it did not come."""
    seen = set()
    for uptime_s, light in lights():
        within_s -= 0.1
        seen.add(light)
        if light == wanted:
            print(f"{uptime_s:.2f}")
            return
        if within_s < 0:
            sys.exit(f"only {', '.join(sorted(seen))}")


def battery(pct: str, *external: str) -> None:
    (SUPPLY / "battery_capacity").write_text(pct)
    (SUPPLY / "ac_online").write_text("on" if external else "off")


def many(pin: int, count: int, every_s: float) -> None:
    began_s = time.monotonic()
    for at in range(count):
        time.sleep(max(0.0, began_s + at * every_s - time.monotonic()))
        press(pin, 0.08)


VERBS: dict[str, Callable[..., object]] = {
    "press": lambda pin, held_s="0.12": press(int(pin), float(held_s)),
    "bounce": lambda pin, held_s="0.12": press(int(pin), float(held_s), bounces=True),
    "many": lambda pin, count, every_s: many(int(pin), int(count), float(every_s)),
    "shot": lambda pin, held_s="0.12", wait_s="3": shot(int(pin), float(held_s), float(wait_s)),
    "rounds": lambda pin, count, every_s="3": rounds(int(pin), int(count), float(every_s)),
    "greens": lambda pin, every_s: greens(int(pin), float(every_s)),
    "watch": lambda seconds: watch(float(seconds)),
    "await": lambda light, within_s: await_light(light, float(within_s)),
    "diary": diary,
    "battery": battery,
}

if __name__ == "__main__":
    verb, *words = sys.argv[1:] or ["help"]
    if verb not in VERBS:
        sys.exit(__doc__)
    VERBS[verb](*words)
