"""Databases that another process made to stop the processes that open them."""
