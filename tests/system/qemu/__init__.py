"""A whole device in a virtual machine: `python -m tests.system.qemu`, from button to receipt."""
