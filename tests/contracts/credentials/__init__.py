"""Alterations of a signed photo: those that programs of others find, and those that they do not."""
