"""The uses of the network in a shift, with batches and without."""
