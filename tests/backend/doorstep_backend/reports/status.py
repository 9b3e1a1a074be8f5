"""`doorstep-backend status`: the troubles of the backend and of its devices."""

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from doorstep_backend.commandline import add_command
from doorstep_backend.health import Check
from doorstep_backend.identity.known import DeviceState
from doorstep_backend.identity.register import Register
from doorstep_backend.office.erasure import NotDone
from doorstep_backend.reports.fleet import FleetReports
from doorstep_backend.reports.store import Reports
from doorstep_backend.reports.troubles import trouble_text

COMMAND: Final = "status"


def add_to(commands: Any) -> None:
    """Add the command `status` to the commands of the backend."""
    command = add_command(
        commands, COMMAND, "show the troubles of the backend and of its devices", "--check"
    )
    command.add_argument(
        "--check",
        action="store_true",
        help="exit with 1 if a check of /readyz fails or a device has a need, which the output "
        "names (default: exit with 0)",
    )


def run(options: argparse.Namespace, checks: Iterable[Check], data: Path) -> Iterator[str]:
    """Yield two lines for each trouble, and a summary last.

    Raises:
        NotDone: with --check, something is wrong; the message is the summary.
    """
    failed = [trouble for check in checks if (trouble := check.trouble())]
    for trouble in failed:
        yield f"backend  {trouble}"
    Register(data)  # makes its tables
    now, devices, troubled = Reports(data).now(), 0, 0
    for device in FleetReports(data).devices(now, {}):
        devices += device.state is not DeviceState.GONE
        troubled += bool(device.needs)
        for need in device.needs:
            text = trouble_text(need)
            yield f"{device.device_id}  {text.what}\n    {text.where}: {text.remedy}"
    health = f"not ready, failed checks: {len(failed)}" if failed else "ready"
    summary = f"backend: {health}; devices: {devices:,}, with troubles: {troubled:,}"
    if options.check and (failed or troubled):
        raise NotDone(summary)
    yield summary
