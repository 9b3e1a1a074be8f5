"""No stranger and no single device keeps others out by taking all connections of a backend."""
