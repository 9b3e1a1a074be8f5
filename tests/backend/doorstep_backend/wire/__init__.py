"""What a device speaks to: tus, receipts, the manifest, and where uploads lie."""
