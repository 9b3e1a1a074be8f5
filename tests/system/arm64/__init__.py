"""Each wheel with machine code does its work on arm64."""
