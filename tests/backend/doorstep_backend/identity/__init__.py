"""The identities of devices: the fleet's CA, the accepted devices, and the fleet document."""
