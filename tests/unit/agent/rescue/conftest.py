"""Fixtures that tests of `doorstep rescue` share."""

import os

import pytest


@pytest.fixture
def as_root() -> None:
    if os.geteuid() != 0:
        pytest.fail("this mounts file systems and changes owners: run it as root")
