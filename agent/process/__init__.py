"""What a process shares with the system: control socket, sd_notify and streams."""
