"""The wiring diagram, drawn from the default pins: `python -m tests.documents.wiring`."""
