"""Figures of the product beside the machine's limits and the alternatives."""
