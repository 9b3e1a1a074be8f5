"""Queues as the code of each release made and filled them; see `dump.py`."""
