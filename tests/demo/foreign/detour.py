"""`python -m tests.demo.foreign.detour HOST PORT PROXY WORDS...`: `doorstep WORDS` behind a proxy.

Connections to HOST and PORT go to the port PROXY of this machine, as a line of /etc/hosts could
lead them. The name in requests, TLS and certificates stays the backend's.
"""

import runpy
import socket
import sys
from typing import Any

_addresses_of = socket.getaddrinfo


def main() -> None:
    """Run the command in this process."""
    host, port, proxy, *words = sys.argv[1:]

    def found(name: Any, service: Any, *more: Any, **options: Any) -> Any:
        if (name, str(service)) == (host, port):
            name, service = "127.0.0.1", int(proxy)
        return _addresses_of(name, service, *more, **options)

    socket.getaddrinfo = found  # type: ignore[assignment]  # it passes all arguments on
    sys.argv[1:] = words
    runpy.run_module("agent", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
