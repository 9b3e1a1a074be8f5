"""The copies of photos that people see: faces, and for some people the label, are blurred."""
