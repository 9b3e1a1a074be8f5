"""Which connection gives way: the pure rule."""

from dataclasses import dataclass, field

import pytest

from doorstep_backend.wire.places import (
    ConnectionLimits,
    Place,
    State,
    giving_way,
)

LIMITS = ConnectionLimits(most=16, most_early=8)


@dataclass
class Server:
    """Places by name, in a time that each step lets pass."""

    places: dict[str, Place] = field(default_factory=dict)
    now_s: float = 0

    def come(self, name: str, network: str, *, is_early: bool = False) -> str | None:
        """Let a connection in; return the name of the one that gave way."""
        self.now_s += 1
        self.places[name] = place = Place(network, self.now_s)
        if not is_early:
            place.has_tls()
        return self._ended(name)

    def prove(self, name: str, owner: str, most: int = 8) -> str | None:
        self.now_s += 1
        self.places[name].prove(owner, most, self.now_s)
        return self._ended(name)

    def _ended(self, name: str) -> str | None:
        gone = giving_way(list(self.places.values()), self.places[name], LIMITS)
        for found in [key for key, one in self.places.items() if one is gone]:
            del self.places[found]
            return found
        return None


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.mark.parametrize("is_early", [False, True])
def test_oldest_unproven_connection_gives_way_first(server: Server, is_early: bool) -> None:
    """Unproven ones have half of the places, and those without TLS a limit of their own."""
    for name in "12345678":
        assert server.come(name, name, is_early=is_early) is None

    assert server.come("9", "9", is_early=is_early) == "1"


@pytest.mark.parametrize("is_early", [False, True])
def test_network_with_many_unproven_connections_gives_way_before_older_ones(
    server: Server, is_early: bool
) -> None:
    for name, network in zip("12345678", "abcddeef", strict=True):
        server.come(name, network, is_early=is_early)

    ended = [server.come(name, "d", is_early=is_early) for name in ("9", "10", "11")]
    ended += [server.come("12", "g", is_early=is_early)]

    assert ended == ["4", "5", "9", "6"]


def test_proven_connection_does_not_give_way_to_a_strangers(server: Server) -> None:
    server.come("old", "a")
    server.prove("old", "van-1")
    ended = [server.come(str(number), str(number)) for number in range(100)]

    assert "old" not in ended
    assert len(server.places) == 9


def test_request_that_proves_nothing_does_not_make_its_connection_younger(server: Server) -> None:
    for name in "12345678":
        server.come(name, name)
    server.places["1"].ask(100)

    assert server.come("9", "9") == "1"


def test_next_request_after_a_proven_one_is_young_and_unproven(server: Server) -> None:
    for name in "12345678":
        server.come(name, name)
    server.prove("1", "van-1")
    server.places["1"].ask(100)

    assert server.places["1"].state is State.UNPROVEN
    assert server.come("9", "9") == "2"


def test_certificate_has_its_number_of_connections_and_the_oldest_gives_way(server: Server) -> None:
    for name in "123":
        server.come(name, "a")
        assert server.prove(name, "van-1", most=3) is None
    server.come("4", "a")

    assert server.prove("4", "van-1", most=3) == "1"
    server.come("bench", "a")
    assert server.prove("bench", "", most=0) is None


def test_owner_of_most_gives_way_if_all_connections_are_proven(server: Server) -> None:
    for name, owner in enumerate(["van-1", "van-1", *["ann"] * 8, *"abcdef"]):
        server.come(str(name), str(name))
        server.prove(str(name), owner)

    assert server.come("new", "x") == "2"
    assert server.come("next", "y") == "new"


def test_proxys_idle_connection_gives_way_to_none(server: Server) -> None:
    for number in range(16):
        server.come(str(number), str(number))
        server.places[str(number)].keep(server.now_s)

    assert server.come("new", "x") == "new"
