"""What tests share: devices, clocks, routes, servers and networks to try the product with."""
