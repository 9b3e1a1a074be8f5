"""Machines in containers that are set up and updated over SSH."""
