"""Parts whose slow tests `scripts/test` leaves to `scripts/test --all`, and why.

Few changes touch these parts, and their tests take most of the time. A release, and an issue before
it is closed, needs them all. tests/README.md shows the table, with the folders.
"""

from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).parents[2]

ENGINES: Final = "PostgreSQL, S3 and several instances"
PEERS: Final = "programs of others"
BROWSER: Final = "pages in Chromium"
SYSTEM: Final = "users, units and provisioning"
TABLES: Final = "long tables and large data"
PICTURES: Final = "pictures of full size"
BENCHES: Final = "the measurements"

ONLY_IN_ALL: Final = {
    "tests/backend/copies": PICTURES,
    "tests/backend/monitoring": PEERS,
    "tests/backend/office/test_at_once.py": ENGINES,
    "tests/backend/office/test_corrections_in_any_order.py": TABLES,
    "tests/backend/office/test_decided_at_once.py": ENGINES,
    "tests/backend/office/test_outcome_feed.py": ENGINES,
    "tests/backend/pages/test_cases_browser.py": BROWSER,
    "tests/backend/pages/test_fleet_browser.py": BROWSER,
    "tests/backend/pages/test_pages_at_once.py": ENGINES,
    "tests/backend/pages/test_pages_browser.py": BROWSER,
    "tests/backend/pages/test_pages_copies.py": PICTURES,
    "tests/bench": BENCHES,
    "tests/conformance": PEERS,
    "tests/contracts/credentials": PEERS,
    "tests/contracts/openapi/test_schemathesis.py": TABLES,
    "tests/contracts/peer": PEERS,
    "tests/contracts/test_backend_behind_nginx.py": PEERS,
    "tests/contracts/test_backend_clocks.py": ENGINES,
    "tests/contracts/test_backend_dying.py": ENGINES,
    "tests/contracts/test_backend_est_peers.py": PEERS,
    "tests/contracts/test_backend_instances.py": ENGINES,
    "tests/contracts/test_backend_nginx_conf.py": PEERS,
    "tests/contracts/test_backend_not_started.py": ENGINES,
    "tests/contracts/test_backend_objects.py": ENGINES,
    "tests/contracts/test_backend_outages.py": ENGINES,
    "tests/contracts/test_backend_peers.py": PEERS,
    "tests/contracts/test_backend_point_in_time.py": ENGINES,
    "tests/contracts/test_backend_stalls.py": ENGINES,
    "tests/contracts/test_database.py": ENGINES,
    "tests/contracts/test_database_outages.py": ENGINES,
    "tests/contracts/test_est_peers.py": PEERS,
    "tests/contracts/test_foreign_authorities.py": PEERS,
    "tests/contracts/test_integrate_bench.py": PEERS,
    "tests/contracts/test_objects.py": ENGINES,
    "tests/contracts/test_objects_faults.py": ENGINES,
    "tests/contracts/test_objects_stray.py": ENGINES,
    "tests/demo": PEERS,
    "tests/faults/databases": SYSTEM,
    "tests/faults/kills": PEERS,
    "tests/faults/overlaps": ENGINES,
    "tests/faults/powercut/test_interrupted.py": TABLES,
    "tests/faults/privileges": SYSTEM,
    "tests/faults/races": ENGINES,
    "tests/faults/syscalls/test_enrol_users.py": SYSTEM,
    "tests/faults/syscalls/test_full_card_users.py": SYSTEM,
    "tests/faults/syscalls/test_three_users.py": SYSTEM,
    "tests/faults/syscalls/test_backlog.py": TABLES,
    "tests/mutants": TABLES,
    "tests/pictures": BROWSER,
    "tests/scenarios/test_batches.py": TABLES,
    "tests/scenarios/test_peer.py": PEERS,
    "tests/scenarios/test_retired_card.py": TABLES,
    "tests/scenarios/test_stolen_card.py": TABLES,
    "tests/support/axe": BROWSER,
    "tests/system": SYSTEM,
    "tests/unit/agent/capture/test_quality.py": PICTURES,
    "tests/unit/agent/queue/test_deleting.py": TABLES,
    "tests/unit/documents/test_energy.py": BENCHES,
    "tests/unit/documents/test_rigs.py": TABLES,
}
"""Folder or file, whose slow tests only `scripts/test --all` runs, to what they need or try."""


def is_only_in_all(test: Path) -> bool:
    """Return whether `scripts/test` leaves out the slow tests of this file."""
    return any(name in ONLY_IN_ALL for name in _names(test))


def proven_by(folder: Path) -> str:
    """Return which command runs the slow tests of a folder, in the words of tests/README.md."""
    if whole := [ONLY_IN_ALL[name] for name in _names(folder) if name in ONLY_IN_ALL]:
        return f"`--all`: {whole[0]}"
    inside = f"{folder.relative_to(REPOSITORY).as_posix()}/"
    parts = sorted({why for name, why in ONLY_IN_ALL.items() if name.startswith(inside)})
    return f"each commit; `--all`: {', '.join(parts)}" if parts else "each commit"


def _names(path: Path) -> list[str]:
    """Return the names of a path and of all folders above it, as ONLY_IN_ALL has them."""
    return [
        one.as_posix()
        for one in (path.relative_to(REPOSITORY), *path.relative_to(REPOSITORY).parents)
    ]
