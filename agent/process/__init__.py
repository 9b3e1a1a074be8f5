"""Parts of a process that connect it to the system: socket, sd_notify, streams, command line.

- The mode of the socket file (0660) is the right of access, and the kernel says which user asks.
- A slow, silent or hostile client takes only its own thread: a line has 10 s and 64 KB, and 16
  clients fit. Lines of more than 64 KB, which only capture reads, are answered one at a time.
- A request of more than 4 KB is parsed only if it is a flat `offer`, because parsed JSON takes up
  to 40 times its length.
- A start that may last calls `extend_start`, or systemd ends it after `TimeoutStartSec=`.
- The package loads no OpenCV, numpy or network library, because `doorstep status` imports it.

To add a request, add a case to the daemon's answer (`agent/sync/loop.py`,
`agent/command/capture_process.py`, `agent/capture/documents.py`), and a row to the control socket
in agent/docs/commands.md. It runs in a client's thread, so it reads, and leaves work to the loop.
"""
