"""A real nginx: over a configuration of the test's, or over the backend's own."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from doorstep_backend.keys import Certificates
from tests.support.npm import program

CONFIGURATION: Final = Path(__file__).parents[1] / "backend/doorstep_backend/nginx.conf"
"""Configuration of the proxy before the backend's instances."""

MINIMAL: Final = """\
pid nginx.pid;
events {{}}
http {{
    log_format shown '$request_method $status '
                     '$ssl_client_verify $ssl_client_serial $ssl_client_s_dn';
    access_log access.log shown;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
{lines}
    }}
}}
"""
"""Only what nginx needs to start as any user, and to tell who asked; the rest is its default."""

START_WITHIN_S: Final = 20.0
"""Longest start that is waited for."""


@contextmanager
def running(folder: Path, port: int) -> Iterator[None]:
    """Run nginx over the `nginx.conf` in `folder`, which listens at this port of loopback.

    Raises:
        RuntimeError: nginx is missing, or does not start.
    """
    nginx = program("nginx", "nginx")
    also = "user root;" if os.geteuid() == 0 else ""  # the folder may be its owner's alone
    command = [nginx, "-p", str(folder), "-c", "nginx.conf", "-e", "error.log"]
    with subprocess.Popen([*command, "-g", f"daemon off; {also}"]) as process:
        try:
            _wait_for(port, process, folder / "error.log")
            yield
        finally:
            process.terminate()


@contextmanager
def minimal(folder: Path, lines: str) -> Iterator[str]:
    """Run an nginx with these lines of its `server`, and defaults; return its address."""
    folder.mkdir(exist_ok=True)
    port = free_port()
    (folder / "nginx.conf").write_text(MINIMAL.format(port=port, lines=lines))
    with running(folder, port):
        yield f"https://127.0.0.1:{port}"


@contextmanager
def before(
    instances: Iterable[str],
    ca: Certificates,
    folder: Path,
    configured: Callable[[str], str] = str,
) -> Iterator[str]:
    """Run the backend's nginx before instances, each as in `server`; return its address.

    `configured` makes another configuration of the backend's.
    """
    port = free_port()
    folder.mkdir()
    (folder / "nginx.conf").write_text(configured(CONFIGURATION.read_text()))
    shutil.copy(ca.ca_file, folder / "ca.pem")
    shutil.copy(ca.chain_file, folder / "server.pem")
    shutil.copy(ca.key_file, folder / "server-key.pem")
    (folder / "listen.conf").write_text(f"listen 127.0.0.1:{port} ssl;\n")
    lines = "".join(f"server {one} fail_timeout=2s;\n" for one in instances)
    (folder / "instances.conf").write_text(lines)
    with running(folder, port):
        yield f"https://127.0.0.1:{port}"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_WITHIN_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > until:
                said = log.read_text() if log.exists() else ""
                raise RuntimeError(f"nginx did not start:\n{said}") from None
            time.sleep(0.02)
        else:
            return
