"""Some probes for each attacker; the command makes all of them."""

from collections.abc import Iterator

import pytest

from tests.faults.places.holding import Phase, Who
from tests.faults.places.rig import Target, target

pytestmark = [pytest.mark.slow, pytest.mark.alone]


@pytest.fixture(
    scope="module",
    params=[False, pytest.param(True, marks=pytest.mark.release)],
    ids=["without nginx", "behind nginx"],
)
def attacked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("places")
    with target(folder, behind_nginx=request.param) as running:
        yield running


@pytest.mark.parametrize("who", [Who.NOBODY, Who.WRONG_TOKEN, Who.DEVICE])
def test_others_are_served_while_an_attacker_holds_bodies(attacked: Target, who: Who) -> None:
    """On a busy machine an upload may get 503; the device sends it again."""
    found = attacked.attacked(who, Phase.BODY, 3, renew=False)

    assert found.pages == 3
    assert found.uploads >= 2


@pytest.mark.parametrize("attacked", [pytest.param(True, marks=pytest.mark.release)], indirect=True)
def test_nginx_keeps_nothing_of_strangers_bodies(attacked: Target) -> None:
    assert attacked.bytes_in_nginx(16) == 0
