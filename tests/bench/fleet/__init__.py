"""A fleet's peak: many devices at several instances of the backend, on real engines."""
