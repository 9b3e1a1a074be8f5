"""The commands, and the assembly of each process."""
