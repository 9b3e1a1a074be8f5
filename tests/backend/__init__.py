"""The reference backend: its interface for devices, its office, its pages."""
