"""Mutated inputs: hostile bytes stop no parser, within limits on time and memory."""
