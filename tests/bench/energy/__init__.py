"""The energy of a shift from published figures, and how long a pack lasts; nothing was measured."""
