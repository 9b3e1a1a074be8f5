"""Parts of a process that connect it to the system: control socket, sd_notify and streams."""
