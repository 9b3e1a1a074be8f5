"""The demo's doors: what is rendered fits what the backend knows."""

import tomllib
from pathlib import Path

import pytest

from doorstep_backend.office.model import Office
from tests.demo import story, world
from tests.demo.story import ROUND, Step


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return story.demo_office(tmp_path, "demo-01")


def address_at(office: Office, number: str) -> str:
    return office.orders.address(office.orders.find(number).address).line


def test_a_rendered_door_shows_the_house_number_of_its_address(office: Office) -> None:
    """Dispatch finds the order of a photo by it, in the round and in the demo that is played."""
    steps = [step for step in ROUND if isinstance(step, Step)]
    round_doors = [
        entry["house"]
        for script in story.worlds()
        for entry in tomllib.loads(script)["at"]
        if "press" in entry
    ]
    played = world.doors(office)

    for house, step in zip(round_doors, steps, strict=True):
        assert address_at(office, step.at) == f"{house} Example Street"
    for number, door in enumerate(played, start=1):
        (entry,) = tomllib.loads(world.script(number, door, {"d"}))["at"]
        assert address_at(office, door.order) == f"{entry['house']} Example Street"
        assert address_at(office, door.order) in door.words
