"""Five thousand devices that come back after an hour, in simulated time."""

from collections.abc import Iterator
from typing import Final

from tests.bench.figures import Figure
from tests.bench.rig import Rig
from tests.herd.scenarios import AT_MOST, BACKOFFS, PROMISED, SCENARIOS, Scenario, peaks

OURS: Final = "doorstep"


def measure(rig: Rig) -> list[Figure]:
    """Every scenario with the product's back-off; what is promised also with the others."""
    herds = 1 if rig.is_quick else 3
    return [
        _figure(scenario, name, herds if scenario in PROMISED and name == OURS else 1)
        for scenario in SCENARIOS
        for name in _paces(scenario)
    ]


def _paces(scenario: Scenario) -> Iterator[str]:
    return (name for name in BACKOFFS if name == OURS or scenario in PROMISED)


def _figure(scenario: Scenario, name: str, herds: int) -> Figure:
    found = [peaks(scenario, BACKOFFS[name], seed) for seed in range(1, herds + 1)]
    return Figure(
        f"{scenario.name}, {name}",
        "/s",
        [one.first for one in found],
        at_most=AT_MOST if scenario in PROMISED and name == OURS else None,
        digits=0,
        note=f"first tries; all requests, with an hour's records: {max(one.all for one in found)}",
    )
