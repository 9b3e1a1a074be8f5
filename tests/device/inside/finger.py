#!/usr/bin/python3 -IS
"""A finger and an eye: presses the button on gpio-sim, and reads light and sound back.

    finger press PIN [HELD_S]           one press
    finger bounce PIN [HELD_S]          one whose contacts bounce for 4 ms at both edges
    finger many PIN N EVERY_S           N presses, EVERY_S from edge to edge
    finger shot PIN [HELD_S [WAIT_S]]   presses, and tells what was seen and heard, as JSON
    finger rounds PIN N [EVERY_S]       N presses, each told as JSON once its answer was seen
    finger greens PIN EVERY_S           presses for ever; PRESS, then its answer
    finger watch SECONDS                tells every change of light and sound
    finger battery PCT [external]       what the power supply says

Light is told by its name, with `+tone` while the buzzer sounds. The LED is dimmed by PWM at 100 Hz,
and a tone is 2 kHz: a line counts as on while it was seen on within the last 12 ms.
Nothing but the standard library: it runs in the machine.
"""

import json
import sys
import threading
import time
from pathlib import Path
from typing import Self

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
            name: open(f"{LINES}sim_gpio{pin}/value", "rb", buffering=0)  # noqa: PTH123, SIM115
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


def answer(eye: Eye, edge_s: float, within_s: float = 20.0) -> tuple[str, float]:
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


def shot(pin: int, held_s: float = 0.12, wait_s: float = 3.0) -> dict[str, object]:
    with Eye() as eye:
        time.sleep(0.3)
        edge_ns = press(pin, held_s)
        time.sleep(wait_s)
    return told(edge_ns, eye, *answer(eye, edge_ns / 1e9, 0.0))


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


def battery(pct: str, *external: str) -> None:
    (SUPPLY / "battery_capacity").write_text(pct)
    (SUPPLY / "ac_online").write_text("1" if external else "0")


def main(what: str, *words: str) -> None:
    numbers = [float(word) for word in words if word != "external"]
    pin = int(numbers[0]) if numbers else 0
    match what:
        case "press" | "bounce":
            press(pin, *(numbers[1:] or [0.12]), bounces=what == "bounce")
        case "many":
            began_s = time.monotonic()
            for at in range(int(numbers[1])):
                time.sleep(max(0.0, began_s + at * numbers[2] - time.monotonic()))
                press(pin, 0.08)
        case "shot":
            print(json.dumps(shot(pin, *numbers[1:])))
        case "rounds":
            rounds(pin, int(numbers[1]), *(numbers[2:] or [3.0]))
        case "greens":
            greens(pin, numbers[1])
        case "watch":
            watch(numbers[0])
        case "battery":
            battery(*words)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["help"]))
