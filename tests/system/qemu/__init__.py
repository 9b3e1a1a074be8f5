"""A whole device in a virtual machine, from button to receipt."""
