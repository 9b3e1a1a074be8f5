"""The process with the network and without devices: claim, deliver, mark; and the manifest."""
