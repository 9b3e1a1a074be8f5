#!/usr/bin/python3 -IS
"""A finger and an eye: presses the button on gpio-sim, and reads light and sound back.

    finger press PIN [HELD_S]           one press
    finger bounce PIN [HELD_S]          one whose contacts bounce for 4 ms at both edges
    finger shot PIN [HELD_S [WAIT_S]]   presses, and tells what was seen and heard, as JSON
    finger rounds PIN N [EVERY_S]       N presses, each told as JSON once its answer was seen
    finger greens PIN EVERY_S           presses for ever; PRESS, then its answer
    finger watch SECONDS                tells every change of light and sound
    finger await LIGHT WITHIN_S         waits until the light is LIGHT; tells the uptime, s
    finger diary                        for ever: every change of light, with the uptime, s
    finger battery PCT [external]       what the power supply says

Light is told by its name, with `+tone` while the buzzer sounds. A tone is 2 kHz: its line counts as
on while it was seen on within the last 12 ms. `Judge` says how the light is told.
Nothing but the standard library: it runs in the machine.
"""

import contextlib
import json
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import BinaryIO, Self

PINS = {"red": 5, "green": 6, "blue": 13, "tone": 12, "lamp": 22}
LED = ("red", "green", "blue")
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
"""A period of the LED's PWM at 100 Hz, and a further look: a longer state is no flicker."""

RED_LOOKS = 30
"""Looks at red without green after which it is red and not amber, whose green is on for a third of
the time: 0.65 ** 30 is 2 in a million."""

LOOKS_S = (0.0005, 0.0035)
"""Between two looks, by chance: at even steps each could fall into the same part of the PWM."""

ANSWERS = ("green", "amber", "blue", "red")

SETTLED_S = 0.04
"""An answer is believed once it stood this long: a light that changes passes through others."""


@cache
def line(pin: int) -> Path:
    """The folder of a line of gpio-sim."""
    return next(Path("/sys/devices/platform").glob(f"gpio-sim.*/gpiochip*/sim_gpio{pin}"))


def pull(pin: int, way: str) -> None:
    (line(pin) / "pull").write_text(f"pull-{way}")


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


class Judge:
    """Tells the light from one look after the other at its three lines.

    Only amber is dimmed: its green is on for 3.5 of 10 ms. On a slow machine a look, or several,
    find red alone; so red is believed after many looks, and what short lights showed adds up. While
    one light follows another, their lines overlap by up to 10 ms; so every other light is believed
    once it lasted for longer, amber once its green did.

    Attributes:
        light: what is believed now.
        since_s: when that was first seen.
        is_sure: whether the last look left no doubt about it.
    """

    def __init__(self) -> None:
        self.light, self.since_s, self.is_sure = "dark", 0.0, True
        self._run, self._run_s = "dark", 0.0  # red and amber are one
        self._reds, self._reds_s = 0, 0.0  # looks since green was last seen beside red
        self._green_s: tuple[float, float] | None = None  # when it was first and last seen there

    def take(self, at_s: float, on: tuple[str, ...]) -> None:
        """Take a look: the lines that are on, in the order of `PINS`."""
        seen = NAMES[on]
        run = "amber" if seen == "red" else seen
        if run != self._run:
            self._run, self._run_s = run, at_s
            if self._reds >= RED_LOOKS:  # they said what they had to say
                self._reds = 0
        self._count(at_s, seen)
        light, since_s = self._believed(at_s)
        self.is_sure = seen == light
        if light is not None and light != self.light:
            self.light, self.since_s = light, since_s

    def _count(self, at_s: float, seen: str) -> None:
        if seen == "red":
            self._reds, self._reds_s = self._reds + 1, self._reds_s if self._reds else at_s
        elif seen != "dark":
            self._reds = 0
        if self._reds >= RED_LOOKS or seen not in {"dark", "red", "amber"}:
            self._green_s = None
        elif seen == "amber":
            first_s = self._green_s[0] if self._green_s else at_s
            self._green_s = first_s, at_s

    def _believed(self, at_s: float) -> tuple[str | None, float]:
        """The light, None in doubt, and since when it would be."""
        if self._run != "amber":
            return self._run if at_s - self._run_s >= LINGERS_S else None, self._run_s
        if self._reds >= RED_LOOKS:
            return "red", max(self._run_s, self._reds_s)
        first_s, last_s = self._green_s or (0.0, 0.0)
        lasted = last_s - first_s >= LINGERS_S and last_s >= self._run_s
        return "amber" if lasted else None, first_s if self.light == "red" else self._run_s


class Eye:
    """Looks at the lines from a thread of its own; each change with its time.

    Attributes:
        changes: CLOCK_MONOTONIC in s, and what was seen from then on.
    """

    def __init__(self) -> None:
        self.changes: list[tuple[float, str]] = []
        self._files = {
            name: (line(pin) / "value").open("rb", buffering=0) for name, pin in PINS.items()
        }
        self._on_s = dict.fromkeys(PINS, -1.0)
        self._judge = Judge()
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
        """The light that is seen, and the time since when."""
        return self.changes[-1] if self.changes else (time.monotonic(), "dark")

    def _look(self) -> None:
        while not self._stops.is_set():
            at_s = time.monotonic()
            before = self._judge.light
            seen = self._seen(at_s)
            if not self.changes or seen != self.changes[-1][1]:
                began_s = self._judge.since_s if self._judge.light != before else at_s
                last_s = self.changes[-1][0] if self.changes else began_s
                self.changes.append((max(began_s, last_s), seen))
            rest()

    def _seen(self, at_s: float) -> str:
        on = []
        for name, file in self._files.items():
            file.seek(0)
            if file.read(1) == b"1":
                self._on_s[name] = at_s
                on.append(name)
        self._judge.take(at_s, tuple(name for name in on if name in LED))
        lit = (name for name in ("tone", "lamp") if at_s - self._on_s[name] <= LINGERS_S)
        return "+".join([self._judge.light, *lit])


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


def rest() -> None:
    time.sleep(random.uniform(*LOOKS_S))


def glance(files: list[BinaryIO]) -> tuple[str, ...]:
    """The LED's lines that are on now."""
    on = []
    for name, file in zip(LED, files, strict=True):
        file.seek(0)
        if file.read(1) == b"1":
            on.append(name)
    return tuple(on)


def lights() -> Iterator[tuple[float, str]]:
    """The light from now on, ten times a second, with the uptime in s at which it began."""
    with contextlib.ExitStack() as opened:
        files: list[BinaryIO] = [
            opened.enter_context((line(PINS[name]) / "value").open("rb", buffering=0))
            for name in LED
        ]
        judge = Judge()
        while True:
            judge.take(time.clock_gettime(time.CLOCK_BOOTTIME), glance(files))
            if judge.is_sure:
                yield judge.since_s, judge.light
                time.sleep(0.08)
            else:
                rest()


def diary() -> None:
    last = ""
    for uptime_s, light in lights():
        if light != last:
            print(f"{uptime_s:.2f} {light}", flush=True)
            last = light


def await_light(wanted: str, within_s: float) -> None:
    """A blink counts: ready is a green one. Ends with 1 where it did not come."""
    seen = set()
    end_s = time.monotonic() + within_s
    for uptime_s, light in lights():
        seen.add(light)
        if light == wanted:
            print(f"{uptime_s:.2f}")
            return
        if time.monotonic() > end_s:
            sys.exit(f"only {', '.join(sorted(seen))}")


def battery(pct: str, *external: str) -> None:
    (SUPPLY / "battery_capacity").write_text(pct)
    (SUPPLY / "ac_online").write_text("on" if external else "off")


VERBS: dict[str, Callable[..., object]] = {
    "press": lambda pin, held_s="0.12": press(int(pin), float(held_s)),
    "bounce": lambda pin, held_s="0.12": press(int(pin), float(held_s), bounces=True),
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
