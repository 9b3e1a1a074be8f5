"""The command `status`, over a folder."""

import argparse
from pathlib import Path

import pytest

from doorstep_backend import health
from doorstep_backend.engines.unavailable import Unavailable
from doorstep_backend.identity.known import DeviceState
from doorstep_backend.identity.register import Register
from doorstep_backend.office.erasure import NotDone
from doorstep_backend.reports.status import add_to, run

READY, FAILS = health.Check("keys", lambda: None), "objects: no bucket"


def _away() -> None:
    raise Unavailable("no bucket")


def test_status_check_fails_while_a_device_or_the_backend_has_a_trouble(tmp_path: Path) -> None:
    """A gone device is no trouble; a device without a report is, and so is a failed check."""
    parser = argparse.ArgumentParser()
    add_to(parser.add_subparsers())
    check = parser.parse_args(["status", "--check"])
    register = Register(tmp_path)
    register.let_in("van-7")
    register.shut_out("van-7", DeviceState.GONE)

    assert list(run(check, [READY], tmp_path)) == ["backend: ready; devices: 0, with troubles: 0"]
    with pytest.raises(NotDone, match="not ready, failed checks: 1"):
        list(run(check, [READY, health.Check("objects", _away)], tmp_path))
    register.let_in("van-8")
    with pytest.raises(NotDone, match="devices: 1, with troubles: 1"):
        list(run(check, [READY], tmp_path))
    shown = list(run(parser.parse_args(["status"]), [health.Check("objects", _away)], tmp_path))
    assert shown[0] == f"backend  {FAILS}"
    assert shown[1].startswith("van-8  it was let in")
