"""Folders that another process has filled, to exhaust the one that deletes them."""

import os
from pathlib import Path


def nest(folder: Path, depth: int, *, branches: bool = False) -> None:
    """Nest folders deeper than any path can name; with `branches` each has a second one."""
    folder.mkdir()
    above = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("n" * 200, dir_fd=above)
        if branches:
            os.mkdir("a", dir_fd=above)
            os.close(os.open("a/file", os.O_CREAT, dir_fd=above))
        below = os.open("n" * 200, os.O_RDONLY, dir_fd=above)
        os.close(above)
        above = below
    os.close(os.open("deepest", os.O_CREAT, dir_fd=above))
    os.close(above)


def fill(folder: Path, names: int) -> None:
    folder.mkdir()
    above = os.open(folder, os.O_RDONLY)
    for number in range(names):
        os.mknod(f"{number:x}", dir_fd=above)
    os.close(above)
