"""A device's day by whole processes: each fault, the demo's round, a rescue, a retirement."""
