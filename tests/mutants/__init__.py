"""A sampled mutation test: whether the fast tests notice small changes of the product."""
