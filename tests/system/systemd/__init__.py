"""Each unit: its permissions, its system calls, its work under a real systemd, its Python."""
