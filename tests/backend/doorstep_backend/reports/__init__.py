"""The last status of each device, and the backend's additions."""
