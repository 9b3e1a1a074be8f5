"""Databases that another process made to stop those who open them."""
