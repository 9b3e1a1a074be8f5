"""What leaves the device: the record file, its signature, receipts, and verification."""
