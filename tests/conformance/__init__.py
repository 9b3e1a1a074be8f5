"""`scripts/conformance`: whether somebody's own backend keeps what a device relies on."""
