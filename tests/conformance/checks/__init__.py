"""The checks of `scripts/conformance`, in the order in which they are made."""

from typing import Final

from tests.conformance.check import Check
from tests.conformance.checks import (
    cuts,
    fleet,
    operated,
    receipts,
    refusals,
    rights,
    routes,
    uploads,
    writers,
)

MODULES: Final = (uploads, cuts, writers, refusals, receipts, routes, rights, fleet, operated)
"""Modules of checks, one per theme."""

CHECKS: Final = tuple(
    one for module in MODULES for one in vars(module).values() if isinstance(one, Check)
)
