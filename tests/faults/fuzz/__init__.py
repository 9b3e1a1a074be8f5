"""Mutated inputs for each parser of foreign bytes, with limits on time and memory."""
