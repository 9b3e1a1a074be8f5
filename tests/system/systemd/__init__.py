"""Each unit: what it may do, its system calls, its work under a real systemd, its Python."""
