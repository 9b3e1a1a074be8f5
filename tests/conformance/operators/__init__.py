"""Operator commands for the backends of the tests: what an operator does by hand or by script."""
