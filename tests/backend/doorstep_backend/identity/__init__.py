"""Who may speak as a device: the fleet's CA, the devices that it let in, and the fleet document."""
