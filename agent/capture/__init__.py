"""The process with the devices and without the network: from a press to one durable record."""
