"""The operator of a backend of the profile receipts: it has a process, and no more."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.conformance.operators.commanded import commanded
from tests.support.small_backends import SmallBackend


@contextmanager
def operated(backend: SmallBackend) -> Iterator[list[str]]:
    """Run a backend; give the words of a conformance command for it, and its operator."""

    def restart() -> None:
        backend.kill()
        backend.start()

    backend.start()
    words = [backend.base_url, "--profile", "receipts", "--ca", str(backend.ca_file)]
    words += ["--receipt-key", str(backend.receipt_key_file)]
    try:
        with commanded({"restart": restart}) as command:
            yield [*words, "--operator", command]
    finally:
        backend.kill()
