"""What the device believes: documents that capture verified and alone wrote, and the time floor."""
