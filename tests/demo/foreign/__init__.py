"""The demo's round against the backend of somebody else."""
