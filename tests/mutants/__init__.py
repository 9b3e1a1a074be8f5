"""A sampled mutation test: which small breaks of the product no fast test notices."""
