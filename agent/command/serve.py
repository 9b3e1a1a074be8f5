"""`doorstep serve`: how its process is put together."""

import argparse


def run(arguments: argparse.Namespace) -> int:
    """`doorstep serve`."""
    raise NotImplementedError(arguments.command)
