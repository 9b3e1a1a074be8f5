"""What people see in a browser: customers, customer service, dispatch. No JavaScript."""

from typing import Final

PREFIX: Final = "/pages"
"""Every page is below it, no device's address is: so switches and counts can tell them apart."""
