"""The interface for devices: tus, receipts, the manifest, and the store of uploads."""
