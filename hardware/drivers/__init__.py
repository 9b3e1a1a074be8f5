"""The drivers of the real parts, a file each: `PART_KIND.py`."""
