"""A whole device in a virtual machine: `python -m tests.device`, from button to receipt."""
