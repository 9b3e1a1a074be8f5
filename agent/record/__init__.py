"""The record file that leaves the device, its signature, receipts, and verification."""
