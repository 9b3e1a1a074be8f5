"""Each protocol, on simulated and on real parts; wire and EST also with programs of others."""
