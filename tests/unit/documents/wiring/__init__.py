"""The wiring diagram, drawn from the default pins: `python -m tests.unit.documents.wiring`."""
