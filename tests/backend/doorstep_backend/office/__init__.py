"""Orders, routes, which record is whose, who may see it, and how long it is kept."""
