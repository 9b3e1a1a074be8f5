"""Scores of blur on real photographs."""
