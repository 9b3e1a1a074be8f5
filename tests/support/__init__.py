"""Common parts of tests: devices, clocks, routes, servers and networks to try the product with."""
