"""The drivers of the real parts, each in a file `PART_KIND.py`."""
