"""Simulated rounds: how often the rule refuses and permits if position and map err."""
