"""The device's parts: a protocol each, the vendors' side, and a simulated board."""
