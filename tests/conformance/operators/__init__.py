"""Operator commands for the backends in the tests."""
