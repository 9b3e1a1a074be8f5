"""Blur on real photographs."""
