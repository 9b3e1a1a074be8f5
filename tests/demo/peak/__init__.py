"""Many devices that send at once to several instances of the backend."""
